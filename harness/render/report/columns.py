"""Columns of a report's table, each with its text and its rank on a narrow screen."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Literal, TypeVar

from harness.compare.cost.money import Money
from harness.compare.cost.resource_types import Cost, Latency, PhaseCost
from harness.compare.prose.numbers import metric_title
from harness.compare.stats.estimates import Difference, Estimate
from harness.compare.table.result import StrategyResult, TaskResult
from harness.metrics import get
from harness.render.report import column_numbers as numbers
from harness.render.report import latency_cells, memory_text
from harness.render.report.column_numbers import Amount
from harness.render.text.escape import plain

UNKNOWN = "–"  # noqa: RUF001 - an en dash is the usual sign for a value that is not known
TIED = "*"
SINGLE = "!"
REUSED = "(r)"

Number = TypeVar("Number", int, float)


@dataclass(frozen=True)
class Column:
    """One column.

    Attributes:
        value: of a row's cell; None where it is unknown or does not apply.
        rank: where there is no room for all, columns of a high rank are left out first; 0: never.
        write: makes what writes a value from all values of the column, so that they have the same decimals.
    """

    title: str
    value: Callable[[StrategyResult], Any]
    rank: int
    write: Callable[[Sequence[Any]], Callable[[Any], str]] = numbers.texts
    right: bool = True

    def cells(self, rows: Sequence[StrategyResult]) -> list[str]:
        """The text of each row."""
        values = [self.value(row) for row in rows]
        write = self.write([value for value in values if value is not None])
        return [UNKNOWN if value is None else write(value) for value in values]


def columns_of(task: TaskResult) -> list[Column]:
    """List the columns of a task from the left; those that no row fills are left out."""
    primary, *secondary = task.metrics or ("",)
    columns = [
        Column("strategy", _name, 0, right=False),
        *([Column("model", lambda row: plain(row.model), 1, right=False)] if several_models(task) else []),
        Column(plain(metric_title(primary)), _score(primary), 0, numbers.scores),
        *[
            Column(plain(metric_title(name)), _score(name), 6 if i == 0 else 9 + i, numbers.scores)
            for i, name in enumerate(secondary)
        ],
        Column("over seeds", _seeds(primary), 6),
        Column(_other_reading(task), _other_score, 7, _readings),
        Column("vs zero_shot", lambda row: row.to_baseline, 7, numbers.changes),
        Column("overfitting gap", lambda row: row.gap.change if row.gap else None, 7, numbers.changes),
        *[Column(title, _retention(name), 3, numbers.changes) for name, title in _probes(task).items()],
        *([Column("unparsed", _unparsed, 3)] if any(row.unparsed for row in completed_rows(task)) else []),
        Column("peak memory", _cost(lambda c: c.host_peak_bytes), 2, numbers.sizes),
        Column("peak GPU", _cost(lambda c: c.gpu_peak_bytes), 2, numbers.sizes),
        *[Column(f"{name} s", _phase(name), 8, _phases) for name in ("search", "adapt", "index", "calibrate")],
        Column("predict s", _phase("predict"), 8, _phases),
        Column("total s", _cost(lambda c: c.total_s), 1, numbers.seconds),
        Column("tokens/s", _cost(lambda c: c.tokens_per_s), 4, numbers.rates),
        Column("USD per 1,000", _money(lambda m: m.per_1000_usd, lambda m: m.per_1000_bounds_usd), 5, numbers.dollars),
        Column("fixed USD", _money(lambda m: m.fixed_usd, lambda m: m.fixed_bounds_usd), 6, numbers.dollars),
        Column("total USD", _money(lambda m: m.total_usd(), lambda _: None), 6, numbers.dollars),
        Column("p50 s", latency_cells.percentile(0.5), 6, numbers.quantiles),
        Column("p95 s", latency_cells.percentile(0.95), 9, numbers.quantiles),
        Column("p99 s", latency_cells.percentile(0.99), 9, numbers.quantiles),
        Column("in time", latency_cells.in_time, 5, numbers.scores),
        Column("first token s", latency_cells.first_token, 9, numbers.quantiles),
        Column("decode tokens/s", _latency(lambda latency: latency.decode_tokens_per_s), 10, numbers.rates),
        Column("prefill tokens/s", _latency(lambda latency: latency.prefill_tokens_per_s), 22, numbers.rates),
        Column("requests/s", latency_cells.arrivals, 9),
        Column("items/s", _cost(lambda c: c.items_per_s), 20, numbers.rates),
        Column("energy", _cost(lambda c: c.energy_j), 8, lambda _: memory_text.joules),
        Column("adapted size", _cost(lambda c: c.adapted_bytes), 5, numbers.sizes),
        Column("trained parameters", _cost(lambda c: c.trained_parameters), 21, lambda _: "{:,}".format),
        Column("batch prefill tokens/s", _cost(lambda c: c.prefill_tokens_per_s), 23, numbers.rates),
        Column("batch decode tokens/s", _cost(lambda c: c.decode_tokens_per_s), 24, numbers.rates),
    ]
    rows = completed_rows(task)
    return [c for c in columns if c.rank == 0 or any(c.value(row) is not None for row in rows)]


def learning_columns(task: TaskResult) -> list[Column]:
    """List the columns of a task's learning curves, one a number of training items; empty where there is no curve."""
    sizes = sorted({point.train_items for row in task.rows for point in row.learning_curve})
    if not sizes:
        return []
    return [
        Column("strategy", _name, 0, right=False),
        *([Column("model", lambda row: plain(row.model), 1, right=False)] if several_models(task) else []),
        *[Column(f"{size:,} items", _score_at(size), 2 + i, numbers.scores) for i, size in enumerate(sizes[::-1])][
            ::-1
        ],
        Column("last gain", _gain, 3, numbers.changes),
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


def _other_score(row: StrategyResult) -> Estimate | Literal["constrained", "written"] | None:
    """Give the score by the reading that is not the default."""
    if row.readings:
        return row.readings.raw if row.readings.default == "calibrated" else row.readings.calibrated
    return row.reading if row.reading in ("constrained", "written") else None


def _readings(values: Sequence[Estimate | str]) -> Callable[[Estimate | str], str]:
    write = numbers.scores([score for score in values if not isinstance(score, str)])
    return lambda score: score if isinstance(score, str) else write(score)


def _score(metric: str) -> Callable[[StrategyResult], Estimate | None]:
    return lambda row: row.scores.get(metric)


def _retention(task: str) -> Callable[[StrategyResult], Difference | None]:
    return lambda row: next((probe.change for probe in row.retention if probe.task == task), None)


def _seeds(metric: str) -> Callable[[StrategyResult], str | None]:
    def text(row: StrategyResult) -> str | None:
        estimate = row.scores.get(metric)
        if estimate is None or estimate.seed_low is None or estimate.seed_high is None:
            return None
        return f"{estimate.seed_low:.2f} to {estimate.seed_high:.2f} ({estimate.seeds})"

    return text


def _score_at(size: int) -> Callable[[StrategyResult], Estimate | None]:
    return lambda row: next((p.score for p in row.learning_curve if p.train_items == size), None)


def _gain(row: StrategyResult) -> Difference | None:
    return row.learning_curve[-1].gain if row.learning_curve else None


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


def _cost(number: Callable[[Cost], Number | None]) -> Callable[[StrategyResult], Number | None]:
    return lambda row: number(row.cost) if row.cost else None


def _money(
    amount: Callable[[Money], float], bounds: Callable[[Money], tuple[float, float] | None]
) -> Callable[[StrategyResult], Amount | None]:
    """US dollars, with half of their 95 % interval where several seeds give one."""

    def priced(row: StrategyResult) -> Amount | None:
        if row.money is None:
            return None
        usd, ends = amount(row.money), bounds(row.money)
        return Amount(usd, (ends[1] - usd) / usd if ends and usd else None)

    return priced


def _latency(number: Callable[[Latency], float | None]) -> Callable[[StrategyResult], float | None]:
    return _cost(lambda c: number(c.latency) if c.latency else None)


def _phase(name: str) -> Callable[[StrategyResult], PhaseCost | None]:
    return lambda row: row.cost.phases.get(name) if row.cost else None


def _phases(values: Sequence[PhaseCost]) -> Callable[[PhaseCost], str]:
    """Write seconds of a phase; those of an artifact that an earlier trial made are marked."""
    write = numbers.seconds([phase.wall_s for phase in values])
    return lambda phase: f"{write(phase.wall_s)}{' ' + REUSED if phase.reused else ''}"
