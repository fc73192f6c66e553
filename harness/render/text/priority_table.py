"""A table that stays one table at any width: what has no room is left out by rank, and named below it."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import starmap

from rich.cells import cell_len
from rich.console import Console, ConsoleOptions, RenderResult
from rich.table import Table
from rich.text import Text

from harness.errors import unknown
from harness.render.text.tables import INDENT, TableColumn, indented, new_table

BETWEEN = 2
"""Blanks between two columns."""
NARROWEST_NAME = 20
"""Cells that a name may take however narrow the terminal is, as long as numbers have room."""
LEAST_NAME = 8
WIDEST_WORD = 24
"""Cells that a word above numbers may take before it is broken."""


@dataclass(frozen=True)
class PriorityColumn:
    """One column.

    Attributes:
        title: never read as markup.
        cells: a text a row.
        rank: columns of a high rank are left out first; 0: never left out.
        right: aligned right, as numbers are; numbers are never broken over lines, other texts are.
        styles: of the cells; empty: that of the row.
    """

    title: str
    cells: Sequence[str]
    rank: int = 0
    right: bool = False
    styles: Sequence[str] = ()

    @property
    def head(self) -> str:
        """The title as it stands above numbers: its words one below the other, long names broken."""
        if not self.right:
            return self.title
        return "\n".join(broken(word, WIDEST_WORD) for word in self.title.split(" "))

    @property
    def width(self) -> int:
        """Cells that the column takes where nothing is broken."""
        lines = [line for cell in self.cells for line in cell.split("\n")]
        return max(map(cell_len, [*self.head.split("\n"), *lines]))


@dataclass(frozen=True)
class PriorityTable:
    """Prints itself at the width that the console has.

    Attributes:
        columns: from the left.
        styles: of the rows; empty: none.
        chosen: titles of the columns that are shown, in this order, beside those of rank 0; empty: by rank.
        remedy: what shows the hidden columns, a full sentence; ``TITLE`` stands for the first of them.
        indent: cells that it is moved to the right.
    """

    columns: Sequence[PriorityColumn]
    styles: Sequence[str] = ()
    chosen: Sequence[str] = ()
    remedy: str = "A wider terminal shows them."
    indent: int = INDENT

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        """Yield the table, and a line with the columns that are hidden."""
        del console
        width = options.max_width - self.indent
        shown = _fitting(select_columns(self.columns, self.chosen), width)
        yield indented(_table(shown, self.styles, width), self.indent)
        titles = {column.title for column in shown}
        if hidden := [column.title for column in self.columns if column.title not in titles]:
            remedy = self.remedy.replace("TITLE", hidden[0])
            yield indented(Text(f"Hidden columns: {', '.join(hidden)}. {remedy}", style="dim"), self.indent)


def select_columns(columns: Sequence[PriorityColumn], chosen: Sequence[str]) -> list[PriorityColumn]:
    """Return the chosen columns in their order, behind those that are never left out; without a choice all."""
    if not chosen:
        return list(columns)
    by_title = {_plain_title(column.title): column for column in columns}
    always = [column for column in columns if column.rank == 0]
    wanted = [by_title[title] for title in map(_plain_title, chosen) if title in by_title]
    order = dict.fromkeys(column.title for column in [*always, *wanted])
    ranked = {column.title: index for index, column in enumerate(wanted, 1)}
    named = {column.title: column for column in columns}
    return [replace(named[title], rank=0 if named[title].rank == 0 else ranked[title]) for title in order]


def require_columns(chosen: Sequence[str], titles: Sequence[str]) -> None:
    """Check that each chosen column exists.

    Raises:
        HarnessError: one does not.
    """
    known = {_plain_title(title) for title in titles}
    for title in chosen:
        if _plain_title(title) not in known:
            raise unknown("column", title, titles, where="--columns")


def split_columns(text: str | None) -> tuple[str, ...]:
    """Read the titles of ``--columns a,b,c``."""
    return tuple(title for part in (text or "").split(",") if (title := part.strip()))


def broken(name: str, width: int) -> str:
    """Break a name that is wider than so many cells behind ``+``, else behind ``,`` or ``(``, else anywhere."""
    if cell_len(name) <= width:
        return name
    return "\n".join(line.rstrip() for line in _packed(name, (r"[^+ ]*[+ ]?", r"[^,(]*[,(]?", r"."), width))


def _packed(text: str, patterns: Sequence[str], width: int) -> list[str]:
    """Put parts of a text on as few lines as hold them; a part that is too wide is parted by the next pattern."""
    lines = [""]
    for part in filter(None, re.findall(patterns[0], text, re.DOTALL)):
        if cell_len(part.rstrip()) > width and patterns[1:]:
            lines += _packed(part, patterns[1:], width)
        elif cell_len((lines[-1] + part).rstrip()) > width:
            lines.append(part)
        else:
            lines[-1] += part
    return [line for line in lines if line]


def _plain_title(title: str) -> str:
    return title.casefold().replace("_", " ").strip()


def _fitting(columns: Sequence[PriorityColumn], width: int) -> list[PriorityColumn]:
    """Return the columns that have room, the most important first; those of rank 0 always."""
    shown = [column for column in columns if column.rank == 0]
    for column in sorted(columns, key=lambda column: column.rank):
        if column.rank and _narrowest([*shown, column], width) <= width:
            shown.append(column)
    return [column for column in columns if column in shown]


def _narrowest(columns: Sequence[PriorityColumn], width: int) -> int:
    """Cells that the columns take with names as narrow as they may be."""
    return sum(min(column.width, _name_limit(column, width)) for column in columns) + BETWEEN * (len(columns) - 1)


def _name_limit(column: PriorityColumn, width: int) -> int:
    return column.width if column.right else max(NARROWEST_NAME, width // 3)


def _table(columns: Sequence[PriorityColumn], styles: Sequence[str], width: int) -> Table:
    """Make the table; names share the room that numbers leave."""
    spare = width - _narrowest(columns, width)  # below 0: not even what always stays has room
    layouts, texts = list[TableColumn](), list[list[str]]()
    for column in columns:
        limit = _name_limit(column, width)
        cells = min(column.width, limit)
        if not column.right and spare:
            wider = max(LEAST_NAME, min(column.width, cells + spare))
            spare, cells = spare - (wider - cells), wider
        texts.append(list(column.cells) if column.right else [broken(cell, cells) for cell in column.cells])
        layouts.append(
            TableColumn(column.head, right=column.right, no_wrap=column.right, vertical="bottom", width=cells)
        )
    table = new_table(layouts)
    for index, row in enumerate(zip(*texts, strict=True)):
        marked = starmap(Text, zip(row, _cell_styles(columns, index), strict=True))
        table.add_row(*marked, style=styles[index] if styles else "")
    return table


def _cell_styles(columns: Sequence[PriorityColumn], index: int) -> Iterator[str]:
    for column in columns:
        yield column.styles[index] if column.styles else ""
