"""Tables of every report in one style: for the terminal with rich, and in Markdown."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

from rich import box
from rich.console import RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from harness.render.text.escape import cell

Part = RenderableType
"""A part of a report: text or a table."""
INDENT = 2
"""Columns that everything that belongs to a heading stands to the right of it."""
CLOSE, WIDE = (0, 1, 0, 0), (0, 1, 0, 1)
"""Padding of cells: top, right, bottom, left."""


@dataclass(frozen=True)
class TableColumn:
    """One column of a terminal table.

    Attributes:
        title: never read as markup.
        right: aligned right, as numbers are.
        no_wrap: never broken over lines.
        overflow: what becomes of a word that is wider than the column.
        vertical: where a cell stands that has fewer lines than its row.
        width, max_width: in terminal cells; None: as its texts need.
    """

    title: str = ""
    right: bool = False
    no_wrap: bool = False
    overflow: Literal["fold", "ellipsis"] = "fold"
    vertical: Literal["top", "bottom"] = "top"
    width: int | None = None
    max_width: int | None = None


def new_table(
    columns: Iterable[TableColumn],
    *,
    padding: tuple[int, int, int, int] = CLOSE,
    header: bool = True,
    edge: bool = False,
    pad_edge: bool = False,
) -> Table:
    """Make a table without rows, of which only the header is ruled off.

    Args:
        columns: from the left.
        padding: `CLOSE` where many columns have to fit, else `WIDE`.
        header: whether titles are shown.
        edge: whether blank lines stand above and below.
        pad_edge: whether the first and last column are padded to the outside too.
    """
    table = Table(
        box=box.SIMPLE_HEAD if header else None,
        show_header=header,
        show_edge=edge,
        pad_edge=pad_edge,
        padding=padding,
        header_style="bold",
    )
    for column in columns:
        table.add_column(
            Text(column.title),
            justify="right" if column.right else "left",
            no_wrap=column.no_wrap,
            overflow=column.overflow,
            vertical=column.vertical,
            width=column.width,
            max_width=column.max_width,
        )
    return table


def indented(part: Text | Table, by: int = INDENT) -> Padding:
    """Move a part to the right, no wider than it is."""
    return Padding(part, (0, 0, 0, by), expand=False)


def markdown_table(titles: Sequence[str], rules: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Write a Markdown table; every text is escaped.

    Args:
        titles: of the columns.
        rules: below them: ``:---`` aligns a column left, ``---:`` right.
        rows: a text a column.
    """
    lines = [map(cell, titles), rules, *(map(cell, row) for row in rows)]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)
