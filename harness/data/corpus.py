"""Reads a corpus: a folder of documents, cut into passages, or a table with one passage a row."""

import hashlib
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from harness.api import Passage
from harness.data import bad_rows
from harness.data.cells import cell_at
from harness.data.documents import SUFFIXES, Document, read_document
from harness.data.files import files_under
from harness.data.folder_files import visible_files
from harness.data.pdf_text import UnreadableError
from harness.data.table_files import read_table
from harness.data.table_rows import TableRows
from harness.data.text_blocks import Block, cut_blocks, heading_text, join_blocks
from harness.errors import HarnessError

MOST_NAMED = 5
"""Files of one kind that a note names."""
_PAGED = re.compile(r"(?P<file>.*)#p(?P<first>\d+)(-(?P<last>\d+))?\.\d+", re.DOTALL)


@dataclass(frozen=True)
class Corpus:
    """Passages to retrieve from.

    Attributes:
        notes: what of it was not read, a sentence each.
    """

    passages: tuple[Passage, ...] = ()
    notes: tuple[str, ...] = ()


def read_corpus(path: Path, folder: Path, *, words: int) -> Corpus:
    """Read a corpus.

    A passage of a document is named by its file and number, ``guide.md#3``; where there are pages, by the pages that
    it is on and its number among those that begin there, ``guide.pdf#p4.1`` or ``guide.pdf#p4-5.2``.

    Args:
        path: a folder of documents (`documents.SUFFIXES`), one document, or a table with columns id, text and (maybe)
            title and readers.
        folder: the suite's; no file outside it is read.
        words: about how long the passages of documents are.

    Raises:
        HarnessError: there is no text that can be read, or an id is missing or used twice.
    """
    if path.is_file() and path.suffix.lower() not in SUFFIXES:
        table = read_table(path)
        return Corpus(from_table(table), (*table.notes, *bad_rows.check(table, table.faults, bad_rows.MAX_BAD_ROWS)))
    top = path if path.is_dir() else path.parent
    passages: list[Passage] = []
    unread: dict[str, list[str]] = {}
    notes: list[str] = []
    files = files_under(path, folder)
    for file in files:
        name = file.relative_to(top).as_posix()
        try:
            document = read_document(file)
        except UnreadableError as error:
            unread.setdefault(str(error), []).append(name)
            continue
        passages += _passages(name, document, words)
        if document.textless_pages:
            pages = _names([str(page) for page in document.textless_pages])
            notes.append(f"{name}: no text on {len(document.textless_pages)} of its pages ({pages}).")
    for file in visible_files(path) if path.is_dir() else []:
        if file not in files:
            kind = file.suffix.lower()
            unread.setdefault(f"no document: {kind}" if kind else "no document", []).append(
                file.relative_to(top).as_posix()
            )
    notes = [f"{_not_read(names)} ({reason}): {_names(names)}." for reason, names in unread.items()] + notes
    if not passages:
        raise HarnessError(f"the corpus {path} holds no text that can be read: {' '.join(notes)}")
    return Corpus(tuple(passages), tuple(notes))


def _not_read(names: Sequence[str]) -> str:
    return f"{len(names)} file{'' if len(names) == 1 else 's'} of the corpus not read"


def _names(names: Sequence[str]) -> str:
    left = len(names) - MOST_NAMED
    return ", ".join(names[:MOST_NAMED]) + (f" and {left} more" if left > 0 else "")


def _passages(name: str, document: Document, words: int) -> Iterator[Passage]:
    """Cut a document; each passage has its title, the section that it begins in, and its pages."""
    section = ""
    numbers: dict[str, int] = {}
    for piece in cut_blocks(document.blocks, words):
        body = next((index for index, block in enumerate(piece) if not block.level), len(piece))
        section = next((heading_text(block) for block in reversed(piece[:body])), section)
        pages = _pages(piece)
        numbers[pages.split("-")[0]] = number = numbers.get(pages.split("-")[0], 0) + 1
        title = " - ".join(dict.fromkeys(filter(None, [document.title, section])))
        if pages:
            title += f", p. {pages}"
        section = next((heading_text(block) for block in reversed(piece) if block.level), section)
        yield Passage(f"{name}#p{pages}.{number}" if pages else f"{name}#{number}", join_blocks(piece), title)


def _pages(piece: Sequence[Block]) -> str:
    """Return the page that a piece is on, or the first and the last one; empty where there are none."""
    pages = [block.page for block in piece if block.page is not None]
    if not pages:
        return ""
    return str(pages[0]) if pages[0] == pages[-1] else f"{pages[0]}-{pages[-1]}"


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
    """Map what evidence may name to passage ids: a passage, a file (``guide.pdf``), or a page (``guide.pdf#p4``)."""
    index: dict[str, tuple[str, ...]] = {}
    for passage in corpus:
        index[passage.id] = (passage.id,)
        file, mark, _ = passage.id.rpartition("#")
        paged = _PAGED.fullmatch(passage.id)
        pages = range(int(paged["first"]), int(paged["last"] or paged["first"]) + 1) if paged else ()
        for name in [*([file] if mark else []), *(f"{file}#p{page}" for page in pages)]:
            index[name] = (*index.get(name, ()), passage.id)
    return index
