"""Charts of the report: what is drawn (by the page's chart library), a description, and the table behind it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from harness.compare.prose.numbers import change, count, score
from harness.compare.stats.estimates import Difference, Estimate
from harness.compare.table.result import StrategyResult, TaskResult
from harness.render.report.columns import UNKNOWN, several_models
from harness.render.text.escape import plain

MAX_ROWS = 24
"""Rows of a dot chart; the table behind it has all."""
Amount = tuple[float, float | None, float | None]
"""A value, and the ends of its interval: None where there is none."""


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
class Dot:
    """A value per name; `strong`: the best or tied with it; `seeds`: the value of each seed."""

    name: str
    amount: Amount
    strong: bool = False
    seeds: tuple[float, ...] = ()


@dataclass(frozen=True)
class DotPanel:
    """One column of a dot chart; `line`: x of a vertical line, e.g. 0 for no change."""

    title: str
    dots: tuple[Dot, ...]
    line: float | None = None


@dataclass(frozen=True)
class DotChart:
    """A row per name, a dot with its interval; `panels` side by side share the names."""

    panels: tuple[DotPanel, ...]
    kind: str = "dots"


@dataclass(frozen=True)
class Line:
    """A line through (x, y, low, high); `dashed`: on validation items."""

    name: str
    points: tuple[tuple[float, float, float | None, float | None], ...]
    dashed: bool = False


@dataclass(frozen=True)
class LineChart:
    """Lines; `ticks`: positions on a logarithmic x axis, empty for a linear one."""

    lines: tuple[Line, ...]
    title: str
    x_title: str
    ticks: tuple[float, ...] = ()
    kind: str = "lines"


@dataclass(frozen=True)
class Axis:
    """A figure that an axis can show; `unit` is ``s``, ``bytes``, ``usd``, ``parameters`` or empty."""

    key: str
    title: str
    unit: str = ""
    higher_is_better: bool = False


@dataclass(frozen=True)
class Point:
    """A strategy's amount on each axis on which it has one."""

    name: str
    amounts: dict[str, Amount]
    strong: bool = False


@dataclass(frozen=True)
class ScatterChart:
    """Points over two of `axes`, which the reader can change, first the y axis and then the x axis.

    Attributes:
        chance: score of guessing on the first axis.
        identity: whether the line y = x is drawn instead of a Pareto front.
    """

    points: tuple[Point, ...]
    axes: tuple[Axis, ...]
    chance: float | None = None
    identity: bool = False
    kind: str = "scatter"


@dataclass(frozen=True)
class ReleaseMark:
    """A value of one release; `clear`: ``better`` or ``worse`` than the one before, None where that is not clear."""

    release: str
    amount: Amount
    clear: str | None = None


@dataclass(frozen=True)
class Strip:
    """One figure over releases, oldest first."""

    title: str
    marks: tuple[ReleaseMark, ...]


@dataclass(frozen=True)
class StripChart:
    """Strips over releases, one above the other."""

    strips: tuple[Strip, ...]
    releases: tuple[str, ...]
    kind: str = "strips"


@dataclass(frozen=True)
class Chart:
    """A chart.

    Attributes:
        name: unique within its task.
        description: what it shows, in a sentence or two; caption and text alternative.
        table: its numbers; None where the table above it has them.
    """

    name: str
    title: str
    description: str
    drawing: DotChart | LineChart | ScatterChart | StripChart
    table: ChartTable | None = None


def with_interval(estimate: Estimate | Difference) -> Amount:
    """A value with its interval."""
    return estimate.value, estimate.low, estimate.high


def dot_chart(panels: Sequence[DotPanel]) -> DotChart:
    """Make a dot chart of the first `MAX_ROWS` names."""
    names = list(dict.fromkeys(dot.name for panel in panels for dot in panel.dots))[:MAX_ROWS]
    return DotChart(tuple(DotPanel(p.title, tuple(dot for dot in p.dots if dot.name in names), p.line) for p in panels))


def omission_note(names: Sequence[str]) -> str:
    """Sentence with the number of rows beyond `MAX_ROWS`; empty where all are drawn."""
    surplus = len(set(names)) - MAX_ROWS
    return f" Not drawn: {count(surplus, 'more row')}, which the table has." if surplus > 0 else ""


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
