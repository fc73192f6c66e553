"""Charts of the report: a drawing, its description, and the table behind it."""

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
    """A table cell: its text, and the number behind it."""

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
        description: what it shows, in a sentence or two; caption and text alternative.
        draw: draws a new figure; call it within `canvas.style`.
    """

    name: str
    title: str
    description: str
    draw: Callable[[], Figure]
    table: ChartTable


def row_name(task: TaskResult, row: StrategyResult) -> str:
    """Name of a row: its strategy, and its model where there are several."""
    return f"{plain(row.label)} · {plain(row.model)}" if several_models(task) else plain(row.label)


def estimate_cell(estimate: Estimate | None) -> Cell:
    """A score with its interval."""
    return Cell(score(estimate), estimate.value) if estimate else Cell(UNKNOWN)


def change_cell(difference: Difference | None) -> Cell:
    """A difference with its interval."""
    return Cell(change(difference), difference.value) if difference else Cell(UNKNOWN)


def number_cell(value: float | None, write: Callable[[float], str]) -> Cell:
    """A number, or the sign for unknown."""
    return Cell(UNKNOWN) if value is None else Cell(write(value), value)


def table(titles: Sequence[str], rows: Sequence[Sequence[Cell | str]]) -> ChartTable:
    """Make a table; a text is a cell without a number."""
    return ChartTable(tuple(titles), tuple(tuple(c if isinstance(c, Cell) else Cell(c) for c in row) for row in rows))
