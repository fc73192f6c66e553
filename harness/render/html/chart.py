"""What a chart of the report is: a drawing, what it shows in words, and the table behind it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from matplotlib.figure import Figure

from harness.compare.prose.numbers import change, score
from harness.compare.stats.estimates import Difference, Estimate
from harness.compare.table.result import StrategyResult, TaskResult
from harness.render.report.columns import UNKNOWN, several_models
from harness.render.text.escape import plain


class Cell(NamedTuple):
    """A cell: how it reads, and the number that it was made of."""

    text: str
    value: float | None = None


@dataclass(frozen=True)
class ChartTable:
    """A table; its first column names the row."""

    titles: tuple[str, ...]
    rows: tuple[tuple[Cell, ...], ...]


@dataclass(frozen=True)
class Chart:
    """A chart that can be drawn.

    Attributes:
        name: unique within its task, fit for a file name.
        said: what it shows, in a sentence or two; stands below it, and for it where it can't be seen.
        draw: draws it anew, within `canvas.style`.
    """

    name: str
    title: str
    said: str
    draw: Callable[[], Figure]
    table: ChartTable


def row_name(task: TaskResult, row: StrategyResult) -> str:
    """What a row is called: its strategy, and its model where there are several."""
    return f"{plain(row.label)} · {plain(row.model)}" if several_models(task) else plain(row.label)


def estimate_cell(found: Estimate | None) -> Cell:
    """A score with its interval."""
    return Cell(score(found), found.value) if found else Cell(UNKNOWN)


def change_cell(found: Difference | None) -> Cell:
    """A difference with its interval."""
    return Cell(change(found), found.value) if found else Cell(UNKNOWN)


def number_cell(value: float | None, write: Callable[[float], str]) -> Cell:
    """A number, or the sign for one that is not known."""
    return Cell(UNKNOWN) if value is None else Cell(write(value), value)


def table(titles: Sequence[str], rows: Sequence[Sequence[Cell | str]]) -> ChartTable:
    """Make a table; a text is a cell without a number."""
    return ChartTable(tuple(titles), tuple(tuple(c if isinstance(c, Cell) else Cell(c) for c in row) for row in rows))
