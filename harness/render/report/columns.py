"""Columns of a report's table, each with its text and its rank on a narrow screen."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal, TypeVar

from harness.compare.cost.money import Money
from harness.compare.cost.resource_types import Cost, Latency, PhaseCost
from harness.compare.prose.numbers import change, metric_title, rate, score, usd
from harness.compare.table.result import StrategyResult, TaskResult
from harness.measure.units import seconds_cell, size
from harness.metrics import get
from harness.render.report import latency_cells, memory_text
from harness.render.text.escape import plain

UNKNOWN = "–"  # noqa: RUF001 - an en dash is the usual sign for a value that is not known
ESSENTIAL = 5
"""Columns of this or a lower rank are needed for a decision: score, retention, memory, time, speed, money, size."""
TIED = "*"
SINGLE = "!"
REUSED = "(r)"

Number = TypeVar("Number", int, float)
Cell = Callable[[StrategyResult], str | None]


@dataclass(frozen=True)
class Column:
    """One column.

    Attributes:
        text: of a row's cell; None where it is unknown or does not apply.
        rank: on a narrow screen, columns of a high rank are dropped first; 0: never.
        about: the half that it belongs to where one table is too wide; None: both.
    """

    title: str
    text: Cell
    rank: int
    about: Literal["quality", "cost"] | None = "quality"
    right: bool = True

    def cells(self, rows: Sequence[StrategyResult]) -> list[str]:
        """The text of each row."""
        return [UNKNOWN if (text := self.text(row)) is None else text for row in rows]


def columns_of(task: TaskResult) -> list[Column]:
    """List the columns of a task from the left; those that no row fills are left out."""
    primary, *secondary = task.metrics or ("",)
    columns = [
        Column("strategy", _name, 0, None, right=False),
        *([Column("model", lambda row: plain(row.model), 1, None, right=False)] if several_models(task) else []),
        Column(plain(metric_title(primary)), _score(primary), 0),
        *[Column(plain(metric_title(name)), _score(name), 6 if i == 0 else 9 + i) for i, name in enumerate(secondary)],
        Column("over seeds", _seeds(primary), 6),
        Column(_other_reading(task), _reading_cell, 7),
        Column("vs zero_shot", lambda row: change(row.to_baseline) if row.to_baseline else None, 7),
        Column("overfitting gap", lambda row: change(row.gap.change) if row.gap else None, 7),
        *[Column(title, _retention(name), 3) for name, title in _probes(task).items()],
        *([Column("unparsed", _unparsed, 3)] if any(row.unparsed for row in completed_rows(task)) else []),
        Column("peak memory", _cost(lambda c: c.host_peak_bytes, size), 2, "cost"),
        Column("peak GPU", _cost(lambda c: c.gpu_peak_bytes, size), 2, "cost"),
        Column("search s", _phase("search"), 8, "cost"),
        Column("adapt s", _phase("adapt"), 8, "cost"),
        Column("index s", _phase("index"), 8, "cost"),
        Column("calibrate s", _phase("calibrate"), 8, "cost"),
        Column("predict s", _phase("predict"), 8, "cost"),
        Column("total s", _cost(lambda c: c.total_s, seconds_cell), 1, "cost"),
        Column("tokens/s", _cost(lambda c: c.tokens_per_s, rate), 4, "cost"),
        Column("USD per 1,000", _money(lambda m: m.per_1000_usd, lambda m: m.per_1000_bounds_usd), 5, "cost"),
        Column("fixed USD", _money(lambda m: m.fixed_usd, lambda m: m.fixed_bounds_usd), 6, "cost"),
        Column("total USD", _money(lambda m: m.total_usd(), lambda _: None), 6, "cost"),
        Column("p50 s", latency_cells.percentile(0.5), 6, "cost"),
        Column("p95 s", latency_cells.percentile(0.95), 9, "cost"),
        Column("p99 s", latency_cells.percentile(0.99), 9, "cost"),
        Column("in time", latency_cells.in_time, 5, "cost"),
        Column("first token s", latency_cells.first_token, 9, "cost"),
        Column("decode tokens/s", _latency(lambda latency: latency.decode_tokens_per_s), 10, "cost"),
        Column("prefill tokens/s", _latency(lambda latency: latency.prefill_tokens_per_s), 22, "cost"),
        Column("requests/s", latency_cells.arrivals, 9, "cost"),
        Column("items/s", _cost(lambda c: c.items_per_s, rate), 20, "cost"),
        Column("energy", _cost(lambda c: c.energy_j, memory_text.joules), 8, "cost"),
        Column("adapted size", _cost(lambda c: c.adapted_bytes, size), 5, "cost"),
        Column("trained parameters", _cost(lambda c: c.trained_parameters, lambda n: f"{n:,}"), 21, "cost"),
        Column("batch prefill tokens/s", _cost(lambda c: c.prefill_tokens_per_s, rate), 23, "cost"),
        Column("batch decode tokens/s", _cost(lambda c: c.decode_tokens_per_s, rate), 24, "cost"),
    ]
    rows = completed_rows(task)
    return [c for c in columns if c.rank == 0 or any(c.text(row) is not None for row in rows)]


def learning_columns(task: TaskResult) -> list[Column]:
    """List the columns of a task's learning curves, one a number of training items; empty where there is no curve."""
    sizes = sorted({point.train_items for row in task.rows for point in row.learning_curve})
    if not sizes:
        return []
    return [
        Column("strategy", _name, 0, None, right=False),
        *([Column("model", lambda row: plain(row.model), 1, None, right=False)] if several_models(task) else []),
        *[Column(f"{size:,} items", _score_at(size), 2 + index) for index, size in enumerate(reversed(sizes))][::-1],
        Column("last gain", _gain, 3),
    ]


def completed_rows(task: TaskResult) -> list[StrategyResult]:
    """Rows of completed strategies."""
    return [row for row in task.rows if row.status == "completed"]


def several_models(task: TaskResult) -> bool:
    """True where the rows are of several models, so that each must name its own."""
    return len({row.model for row in task.rows}) > 1


def _name(row: StrategyResult) -> str:
    marks = [TIED] * bool(row.tied_for_best) + [SINGLE] * bool(row.single_answer)
    return " ".join([plain(row.label), *marks])


def _other_reading(task: TaskResult) -> str:
    """Title of the column with the reading that is not the default."""
    calibrated = any(row.readings.default == "raw" for row in task.rows if row.readings)
    return "if calibrated" if calibrated else "uncalibrated"


def _reading_cell(row: StrategyResult) -> str | None:
    if row.readings:
        return score(row.readings.raw if row.readings.default == "calibrated" else row.readings.calibrated)
    return "written" if row.reading == "written" else None


def _score(metric: str) -> Cell:
    return lambda row: score(row.scores[metric]) if metric in row.scores else None


def _retention(task: str) -> Cell:
    return lambda row: next((change(probe.change) for probe in row.retention if probe.task == task), None)


def _seeds(metric: str) -> Cell:
    def text(row: StrategyResult) -> str | None:
        estimate = row.scores.get(metric)
        if estimate is None or estimate.seed_low is None or estimate.seed_high is None:
            return None
        return f"{estimate.seed_low:.2f} to {estimate.seed_high:.2f} ({estimate.seeds})"

    return text


def _score_at(size: int) -> Cell:
    return lambda row: next((score(p.score) for p in row.learning_curve if p.train_items == size), None)


def _gain(row: StrategyResult) -> str | None:
    gain = row.learning_curve[-1].gain if row.learning_curve else None
    return change(gain) if gain else None


def _unparsed(row: StrategyResult) -> str | None:
    return None if row.unparsed is None else f"{row.unparsed:.1%}"


def _probes(task: TaskResult) -> dict[str, str]:
    """Title of each probe's column; it names the metric where that is no skill, or where lower is better."""
    titles: dict[str, str] = {}
    for probe in (probe for row in task.rows for probe in row.retention):
        metric, name = get(probe.metric), plain(probe.task).removeprefix(f"{plain(task.name)}.")
        if metric.concern == "skill" and metric.higher_is_better:
            titles[probe.task] = f"retention {name}"
        elif metric.concern == "privacy":
            titles[probe.task] = f"{name} change"
        else:
            lower = "" if metric.higher_is_better else ", lower is better"
            titles[probe.task] = f"change of {name} {plain(metric_title(probe.metric))}{lower}"
    return titles


def _cost(number: Callable[[Cost], Number | None], write: Callable[[Number], str]) -> Cell:
    def text(row: StrategyResult) -> str | None:
        amount = number(row.cost) if row.cost else None
        return None if amount is None else write(amount)

    return text


def _money(value: Callable[[Money], float], bounds: Callable[[Money], tuple[float, float] | None]) -> Cell:
    """US dollars, with half of their 95 % interval where several seeds give one."""

    def text(row: StrategyResult) -> str | None:
        if row.money is None:
            return None
        amount, ends = value(row.money), bounds(row.money)
        return usd(amount) + (f" ±{(ends[1] - amount) / amount:.0%}" if ends and amount else "")

    return text


def _latency(number: Callable[[Latency], float | None]) -> Cell:
    return _cost(lambda c: number(c.latency) if c.latency else None, rate)


def _phase(name: str) -> Cell:
    """Seconds of one phase; those of an artifact that an earlier trial made are marked."""

    def text(row: StrategyResult) -> str | None:
        phase: PhaseCost | None = row.cost.phases.get(name) if row.cost else None
        return None if phase is None else f"{seconds_cell(phase.wall_s)}{' ' + REUSED if phase.reused else ''}"

    return text
