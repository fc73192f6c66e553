"""Text of Word and PowerPoint files: headings, paragraphs, tables, and the pages or slides that they are on."""

import re
import zipfile
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, cast

from harness.data.text_blocks import Block, heading
from harness.measure.units import GIB

MAX_UNPACKED_BYTES = GIB
_HEADING_STYLE = re.compile(r"heading (\d)", re.IGNORECASE)


def docx_blocks(path: Path) -> tuple[str, list[Block]]:
    """Return a Word file's title, empty without one, and its blocks; pages are those that Word laid out last.

    Raises:
        ValueError: it unpacks to more than 1 GiB.
    """
    import docx  # noqa: PLC0415 - an extra

    _check_size(path)
    document = docx.Document(str(path))
    blocks: list[Block] = []
    page = 1
    for part in cast("Iterator[Any]", document.iter_inner_content()):
        if hasattr(part, "rows"):
            blocks += _table(part, None)
            continue
        text = part.text.strip()
        style = str(part.style.name) if part.style else ""
        match = _HEADING_STYLE.match(style)
        if text:
            level = int(match[1]) if match else int(style == "Title")
            blocks.append(heading(text, level, page) if level else Block(text, 0, page))
        page += len(part.rendered_page_breaks)
    if page == 1:  # never laid out, or a single page: not known which
        blocks = [Block(block.text, block.level) for block in blocks]
    return str(document.core_properties.title or "").strip(), blocks


def pptx_blocks(path: Path) -> tuple[str, list[Block]]:
    """Return a presentation's title, empty without one, and its blocks: slides as pages, speaker notes at their ends.

    Raises:
        ValueError: it unpacks to more than 1 GiB.
    """
    import pptx  # noqa: PLC0415 - an extra

    _check_size(path)
    presentation = pptx.Presentation(str(path))
    blocks: list[Block] = []
    for number, slide in enumerate(presentation.slides, 1):
        title = slide.shapes.title
        if title is not None and title.text_frame.text.strip():
            blocks.append(heading(title.text_frame.text, 1, number))
        for shape in _shapes(slide.shapes):
            if title is not None and shape.shape_id == title.shape_id:
                continue
            if shape.has_text_frame:
                lines = [paragraph.text.strip() for paragraph in shape.text_frame.paragraphs]
                text = "\n".join(filter(None, lines))
                blocks += [Block(text, 0, number)] if text else []
            elif getattr(shape, "has_table", False):
                blocks += _table(shape.table, number)
        notes = slide.notes_slide.notes_text_frame if slide.has_notes_slide else None
        if notes is not None and notes.text.strip():
            blocks.append(Block(notes.text.strip(), 0, number))
    return str(presentation.core_properties.title or "").strip(), blocks


def _shapes(shapes: Iterable[Any]) -> Iterator[Any]:
    """Yield shapes, those of groups one by one."""
    for shape in shapes:
        yield from _shapes(shape.shapes) if hasattr(shape, "shapes") else [shape]


def _table(table: Any, page: int | None) -> list[Block]:
    """Return a table as one block, a row a line; a merged cell once."""
    cells = [{id(cell._tc): " ".join(cell.text.split()) for cell in row.cells} for row in table.rows]  # noqa: SLF001 - a merged cell is listed once for each column
    rows = [" | ".join(row.values()) for row in cells]
    text = "\n".join(row for row in rows if row.strip(" |"))
    return [Block(text, 0, page)] if text else []


def _check_size(path: Path) -> None:
    with zipfile.ZipFile(path) as archive:
        if sum(entry.file_size for entry in archive.infolist()) > MAX_UNPACKED_BYTES:
            raise ValueError("it unpacks to more than 1 GiB")
