"""Blocks of a document: headings and paragraphs in reading order, with the page that each begins on."""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from itertools import chain

HEADING = re.compile(r"^(#{1,6})\s+(.+?)\s*#*$")
_FENCE = re.compile(r"^\s*(```|~~~)")
_SENTENCE_END = re.compile(r"(?<=[.!?])\s+")


@dataclass(frozen=True, slots=True)
class Block:
    """A paragraph, a table or a heading.

    Attributes:
        text: as it is shown; a heading begins with as many ``#`` as its level, as in Markdown.
        level: of a heading, 1 to 6; 0: no heading.
        page: page or slide that it begins on, from 1; None: the format has no pages.
    """

    text: str
    level: int = 0
    page: int | None = None

    @property
    def words(self) -> int:
        """Number of words between spaces."""
        return len(self.text.split())


def heading(text: str, level: int, page: int | None = None) -> Block:
    """Return a heading, its text on one line."""
    level = min(max(level, 1), 6)
    return Block(f"{'#' * level} {' '.join(text.split())}", level, page)


def heading_text(block: Block) -> str:
    """Return a heading without its marks."""
    match = HEADING.match(block.text)
    return match[2] if match else ""


def markdown_blocks(text: str) -> Iterator[Block]:
    """Divide Markdown or plain text at empty lines and headings; in a fenced code block ``#`` is no heading."""
    lines: list[str] = []
    is_fenced = False
    for line in [*text.replace("\r\n", "\n").split("\n"), ""]:
        fence = _FENCE.match(line) is not None
        match = None if is_fenced or fence else HEADING.match(line.strip())
        if lines and (match or not line.strip()):
            yield Block("\n".join(lines).strip())
            lines = []
        if match:
            yield Block(line.strip(), len(match[1]))
        elif line.strip():
            lines.append(line)
        is_fenced ^= fence


def cut_blocks(blocks: Iterable[Block], words: int) -> Iterator[list[Block]]:
    """Cut a document between blocks into pieces of about `words` words.

    A heading stays with what follows it; a block of more than one and a half times `words` is cut after sentences, a
    table between its rows, and a sentence as long as that between words.
    """
    piece: list[Block] = []
    length = 0
    for block in chain.from_iterable(_divide(whole, words) for whole in blocks):
        body = any(not part.level for part in piece)
        if body and (length + block.words > words or (block.level and length >= words / 2)):
            yield piece
            piece, length = [], 0
        piece.append(block)
        length += block.words
    if piece:
        yield piece


def join_blocks(blocks: Iterable[Block]) -> str:
    """Return the text of blocks, an empty line between them."""
    return "\n\n".join(block.text for block in blocks)


def _divide(block: Block, words: int) -> Iterator[Block]:
    if block.words <= 1.5 * words:
        yield block
        return
    lines = block.text.split("\n")
    is_table = len(lines) > 1 and all("|" in line for line in lines)
    parts = lines if is_table else _SENTENCE_END.split(block.text)
    short = (piece for part in parts for piece in ([part] if is_table else _pieces(part, words)))
    yield from (replace(block, text=text) for text in _pack(short, words, "\n" if is_table else " "))


def _pieces(sentence: str, words: int) -> Iterator[str]:
    tokens = sentence.split()
    for start in range(0, len(tokens), words):
        yield " ".join(tokens[start : start + words])


def _pack(parts: Iterable[str], words: int, separator: str) -> Iterator[str]:
    packed: list[str] = []
    length = 0
    for part in parts:
        size = len(part.split())
        if packed and length + size > words:
            yield separator.join(packed)
            packed, length = [], 0
        packed.append(part)
        length += size
    if packed:
        yield separator.join(packed)
