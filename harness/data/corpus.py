"""Reads a corpus: a folder of texts, cut into passages, or a table with one passage a row."""

import hashlib
import re
from collections.abc import Iterable, Iterator
from pathlib import Path

from harness.api import Passage
from harness.data.cells import cell_at
from harness.data.files import files_under
from harness.data.table_files import TableRows, read_table, read_text
from harness.errors import HarnessError

_HEADING = re.compile(r"^#{1,6}\s+(.+?)\s*#*$")
_SENTENCE_END = re.compile(r"(?<=[.!?])\s+")


def read_corpus(path: Path, folder: Path, *, words: int) -> tuple[Passage, ...]:
    """Read a corpus.

    Args:
        path: a folder of .txt and .md files, or a table with columns id, text and (maybe) title and readers.
        folder: the suite's; no file outside it is read.
        words: about how long the passages of text files are.

    Raises:
        HarnessError: nothing is there, a file can't be read, or an id is missing or used twice.
    """
    if path.is_file() and path.suffix.lower() not in (".txt", ".md"):
        return from_table(read_table(path))
    top = path if path.is_dir() else path.parent
    passages: list[Passage] = []
    for file in files_under(path, folder):
        name = file.relative_to(top).as_posix()
        text = read_text(file)
        title = _title(text) or file.stem
        passages += [Passage(f"{name}#{i}", piece, title) for i, piece in enumerate(cut(text, words), 1)]
    if not passages:
        raise HarnessError(f"the corpus {path} holds no text.")
    return tuple(passages)


_LIKE_READERS = frozenset({"reader", "readers", "acl", "acls", "permissions", "allowed_users", "visible_to"})
"""Columns that may have been meant as ``readers``; taken for nothing, they would show each passage to everybody."""


def from_table(table: TableRows) -> tuple[Passage, ...]:
    """Make passages of a table with columns id, text and (maybe) title and readers; empty texts are left out.

    Raises:
        HarnessError: an id is missing or used twice, or who may read a passage cannot be told (never everybody).
    """
    table.require(("id", "text"))
    for column in table.columns:
        if column != "readers" and column.casefold().strip() in _LIKE_READERS:
            raise HarnessError(
                f"{table.name} has a column {column!r}: call it 'readers' if it says who may see a passage, "
                "or rename it."
            )
    ids: set[str] = set()
    passages: list[Passage] = []
    for index in range(len(table.rows)):
        name, text = table.text(index, "id"), table.text(index, "text")
        if not text:
            continue
        if not name or name in ids:
            raise HarnessError(f"{table.location(index)}: passage id {name!r} is {'used twice' if name else 'empty'}.")
        ids.add(name)
        passages.append(Passage(name, text, table.text(index, "title"), _readers(table, index)))
    return tuple(passages)


def corpus_hash(corpus: Iterable[Passage]) -> str:
    """Return the sha256 of a corpus, order included; empty for none."""
    digest, is_empty = hashlib.sha256(), True
    for passage in corpus:
        is_empty = False
        readers = "".join(f"\x1f{name}" for name in passage.readers)
        digest.update(f"{passage.id}\x1f{passage.title}\x1f{passage.text}{readers}\x1e".encode())
    return "" if is_empty else digest.hexdigest()


def _readers(table: TableRows, index: int) -> tuple[str, ...]:
    """Read who may see a passage: a list, or names with commas between; a missing cell is everybody.

    Raises:
        HarnessError: the cell is there and names nobody.
    """
    cell = cell_at(table.rows[index], "readers")
    is_list = isinstance(cell, list | tuple)
    text = "" if is_list else table.text(index, "readers")
    if not is_list and not text:
        return ()
    names = table.part_texts(index, "readers", cell if is_list else text.split(","))
    if not names or not all(names):
        raise HarnessError(
            f"{table.location(index)}: readers {cell!r} has no name where one is needed: name every reader, "
            "or leave the cell empty for everybody."
        )
    return tuple(dict.fromkeys(names))


def evidence_index(corpus: Iterable[Passage]) -> dict[str, tuple[str, ...]]:
    """Map what evidence may name to passage ids: a passage to itself, a corpus file to all of its passages."""
    index: dict[str, tuple[str, ...]] = {}
    for passage in corpus:
        index[passage.id] = (passage.id,)
        file, mark, _ = passage.id.rpartition("#")
        if mark:
            index[file] = (*index.get(file, ()), passage.id)
    return index


def cut(text: str, words: int) -> Iterator[str]:
    """Cut a text on paragraph borders into passages of about `words` words.

    A heading stays with what follows it; a paragraph of more than one and a half times `words` is cut after
    sentences, and a sentence as long as that between words.
    """
    piece: list[str] = []
    length = 0
    for block in _blocks(text, words):
        size = len(block.split())
        body = any(not _HEADING.match(line) for line in piece)
        if body and (length + size > words or (_HEADING.match(block) and length >= words / 2)):
            yield "\n\n".join(piece)
            piece, length = [], 0
        piece.append(block)
        length += size
    if piece:
        yield "\n\n".join(piece)


def _blocks(text: str, words: int) -> Iterator[str]:
    for paragraph in re.split(r"\n[ \t]*\n", text.replace("\r\n", "\n")):
        block = paragraph.strip()
        if block:
            yield from [block] if len(block.split()) <= 1.5 * words else _pack(_pieces(block, words), words)


def _pieces(paragraph: str, words: int) -> Iterator[str]:
    for sentence in _SENTENCE_END.split(paragraph):
        tokens = sentence.split()
        for start in range(0, len(tokens), words):
            yield " ".join(tokens[start : start + words])


def _pack(pieces: Iterable[str], words: int) -> Iterator[str]:
    sentences: list[str] = []
    length = 0
    for piece in pieces:
        size = len(piece.split())
        if sentences and length + size > words:
            yield " ".join(sentences)
            sentences, length = [], 0
        sentences.append(piece)
        length += size
    if sentences:
        yield " ".join(sentences)


def _title(text: str) -> str:
    for line in text.splitlines():
        if line.strip():
            heading = _HEADING.match(line.strip())
            return heading[1] if heading else ""
    return ""
