"""Text of PDF files by pypdf: pages, headings by their size, paragraphs by the space between lines."""

import logging
import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

from harness.data.text_blocks import Block, heading

HEADING_RATIO = 1.15
"""A line set this much larger than most of the text is a heading."""
HEADING_WORDS = 20
GAP_RATIO = 1.3
"""A gap this much larger than most lines' begins a paragraph."""
_HYPHEN = re.compile(r"(?<=[^\W\d_])-\n(?=[a-z])")


class UnreadableError(Exception):
    """A file holds no text that can be read; the message says why."""


@dataclass(frozen=True)
class _Line:
    text: str
    size: float
    height: float
    page: int


def pdf_blocks(path: Path) -> tuple[str, list[Block], tuple[int, ...]]:
    """Read a PDF.

    Returns:
        Its title, empty without one, its blocks, and the pages without text.

    Raises:
        UnreadableError: it is encrypted, or no page has a text layer.
    """
    import pypdf  # noqa: PLC0415 - an extra

    logging.getLogger("pypdf").setLevel(logging.CRITICAL)  # its warnings are about bytes, which nobody here can mend
    with pypdf.PdfReader(path) as reader:
        if reader.is_encrypted and not reader.decrypt(""):
            raise UnreadableError("PDF with a password")
        pages = [list(_lines(page, number)) for number, page in enumerate(reader.pages, 1)]
        title = str((reader.metadata.title if reader.metadata else None) or "").strip()
    if not any(pages):
        raise UnreadableError("PDF without a text layer: recognise its text first, for example with ocrmypdf")
    sizes = Counter[float]()
    for line in (line for page in pages for line in page):
        sizes[line.size] += len(line.text)
    body = sizes.most_common(1)[0][0]
    large = sorted((size for size in sizes if size >= HEADING_RATIO * body), reverse=True)
    levels = {size: level for level, size in enumerate(large, 1)}
    line_gap = _line_gap(pages)
    blocks = [block for page in pages for block in _page_blocks(page, levels, line_gap)]
    return title, blocks, tuple(number for number, page in enumerate(pages, 1) if not page)


def _lines(page: Any, number: int) -> Iterator[_Line]:
    """Yield the lines of a page that have text, with the size and the height of their first characters."""
    chunks: list[tuple[str, float, float]] = []

    def visit(text: str, matrix: list[float], text_matrix: list[float], font: Any, size: float) -> None:
        del font
        scale = abs(text_matrix[3] * matrix[3]) or 1.0
        chunks.append((text, round(size * scale, 1), text_matrix[5] * matrix[3] + matrix[5]))

    page.extract_text(visitor_text=visit)
    text, place = "", (0.0, 0.0)
    for chunk, *position in [*chunks, ("\n", 0.0, 0.0)]:
        for index, part in enumerate(chunk.split("\n")):
            if index and text.strip():
                yield _Line(" ".join(text.split()), *place, number)
            text = part if index else text + part
            if part.strip() and text.strip() == part.strip():
                place = (position[0], position[1])


def _line_gap(pages: list[list[_Line]]) -> float:
    """Return the space between the lines of a paragraph: the lower quartile, as paragraphs are further apart."""
    pairs = (pair for page in pages for pair in pairwise(page))
    gaps = sorted(a.height - b.height for a, b in pairs if a.size == b.size and a.height > b.height)
    return gaps[len(gaps) // 4] if gaps else 0.0


def _page_blocks(lines: list[_Line], levels: dict[float, int], line_gap: float) -> Iterator[Block]:
    """Join lines into paragraphs; a line much larger than the others is a heading."""
    group: list[_Line] = []
    for line in lines:
        if group:
            gap = group[-1].height - line.height
            if line.size != group[-1].size or gap > GAP_RATIO * line_gap:
                yield _block(group, levels)
                group = []
        group.append(line)
    if group:
        yield _block(group, levels)


def _block(lines: list[_Line], levels: dict[float, int]) -> Block:
    text = _HYPHEN.sub("", "\n".join(line.text for line in lines))
    level = levels.get(lines[0].size, 0)
    if level and len(text.split()) <= HEADING_WORDS:
        return heading(text, level, lines[0].page)
    return Block(" ".join(text.split()), 0, lines[0].page)
