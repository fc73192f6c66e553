"""The main table of a task and its two charts: scores, and any figure against any other."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from harness.api import ModelInfo
from harness.compare.decide.confidence import front, scored
from harness.compare.prose.numbers import metric_title
from harness.compare.table.result import StrategyResult, TaskResult
from harness.measure.units import seconds, size
from harness.metrics import get
from harness.render.html.chart import (
    Amount,
    Axis,
    Cell,
    Chart,
    ChartTable,
    Dot,
    DotPanel,
    Point,
    ScatterChart,
    change_cell,
    dot_chart,
    estimate_cell,
    omission_note,
    row_name,
    table,
    with_interval,
)
from harness.render.html.page_text import dollars
from harness.render.report.columns import UNKNOWN

LATENCY_SHARE = 0.5
"""The percentile of latency in charts: the median."""


@dataclass(frozen=True)
class Resource:
    """What a strategy takes; `measure` gives None where it is unknown."""

    axis: Axis
    measure: Callable[[StrategyResult], Amount | None]
    write: Callable[[float], str]


def main_table(task: TaskResult, models: Sequence[ModelInfo] = ()) -> ChartTable | None:
    """A row per strategy: its score, differences, and what it takes; None where nothing has a score."""
    rows, primary = scored(task), task.primary or ""
    resources = _resources(task, rows, {model.name: model for model in models})
    titles = ["strategy", metric_title(primary), "against the best", "against zero_shot"]
    cells = [
        [
            row_name(task, row),
            estimate_cell(row.scores[primary]),
            change_cell(row.to_best),
            change_cell(row.to_baseline),
            *(_amount_cell(resource.measure(row), resource.write) for resource in resources),
        ]
        for row in rows
    ]
    return table([*titles, *(resource.axis.title for resource in resources)], cells) if rows else None


def quality_charts(task: TaskResult, models: Sequence[ModelInfo] = ()) -> list[Chart]:
    """The scores, and the score against what a strategy takes; their numbers are those of `main_table`."""
    rows = scored(task)
    if len(rows) < 2:
        return []
    resources = _resources(task, rows, {model.name: model for model in models})
    return [_score_chart(task, rows), *([_scatter(task, rows, resources)] if resources else [])]


def _score_chart(task: TaskResult, rows: Sequence[StrategyResult]) -> Chart:
    primary = task.primary or ""
    dots = [Dot(row_name(task, row), with_interval(row.scores[primary]), bool(row.tied_for_best)) for row in rows]
    title = metric_title(primary)
    lower = "" if task.higher_is_better else " Lower is better."
    guessing = "" if task.chance is None else " Dashed line: guessing."
    return Chart(
        name="scores",
        title=f"Quality: {title}",
        description=(
            f"{title.capitalize()} of each strategy with its 95 % interval. Blue: best, or tied with the best."
            f"{guessing}{lower}{omission_note([dot.name for dot in dots])}"
        ),
        drawing=dot_chart([DotPanel(title, tuple(dots), task.chance)]),
    )


def _scatter(task: TaskResult, rows: Sequence[StrategyResult], resources: Sequence[Resource]) -> Chart:
    primary = task.primary or ""
    metrics = [primary, *sorted({name for row in rows for name in row.scores} - {primary})]
    scores = [Axis(name, metric_title(name), "", get(name).higher_is_better is not False) for name in metrics]
    first = resources[0]
    taken = {i: first_amount[0] for i, row in enumerate(rows) if (first_amount := first.measure(row))}
    indices = front(
        {i: (x, rows[i].scores[primary].value) for i, x in taken.items()}, higher_is_better=task.higher_is_better
    )
    names = ", ".join(row_name(task, rows[i]) for i in indices)
    points = [
        Point(
            row_name(task, row),
            {name: with_interval(estimate) for name, estimate in row.scores.items()}
            | {r.axis.key: resource_amount for r in resources if (resource_amount := r.measure(row))},
            bool(row.tied_for_best),
        )
        for row in rows
    ]
    return Chart(
        name="quality",
        title="Quality against what it takes",
        description=(
            f"Line: Pareto front (no strategy is both better and cheaper); of {metric_title(primary)} and "
            f"{first.axis.title}: {names}. Bars: 95 % intervals, of time from the fastest to the slowest seed."
        ),
        drawing=ScatterChart(
            tuple(points), (scores[0], *(resource.axis for resource in resources), *scores[1:]), task.chance
        ),
    )


def _amount_cell(resource_amount: Amount | None, write: Callable[[float], str]) -> Cell:
    if resource_amount is None:
        return Cell(UNKNOWN)
    value, *ends = resource_amount
    bounds = "" if ends == [None, None] else f" [{', '.join(UNKNOWN if end is None else write(end) for end in ends)}]"
    return Cell(f"{write(value)}{bounds}", value)


def _resources(task: TaskResult, rows: Sequence[StrategyResult], models: Mapping[str, ModelInfo]) -> list[Resource]:
    """The resources with at least two different amounts; times and memory only where one machine took them."""
    on_gpu = any(row.cost and row.cost.gpu_peak_bytes for row in rows)
    with_requests = any(row.cost and row.cost.latency for row in rows)
    costs, speeds, model_sizes = (
        [Resource(Axis("cost", "USD for 1,000 requests", "usd"), _money, dollars)],
        [
            Resource(Axis("time", "total time", "s"), _time, seconds),
            Resource(Axis("memory", f"peak {'GPU ' if on_gpu else ''}memory", "bytes"), _memory(gpu=on_gpu), size),
            Resource(Axis("latency", "median latency (p50)", "s"), _latency, seconds)
            if with_requests
            else Resource(Axis("latency", "time an item, in batches", "s"), _item, seconds),
        ],
        [Resource(Axis("model", "model parameters", "parameters"), lambda row: _size(row, models), parameters)],
    )
    resources = [*costs, *(speeds if task.speed_comparable else []), *model_sizes]
    return [r for r in resources if len({found[0] for row in rows if (found := r.measure(row))}) > 1]


def parameters(value: float) -> str:
    """Write a number of parameters: ``135 M``, ``7 B``."""
    return f"{value / 1e9:.3g} B" if value >= 999.5e6 else f"{value / 1e6:.3g} M"


def _money(row: StrategyResult) -> Amount | None:
    if row.money is None:
        return None
    low, high = row.money.per_1000_bounds_usd or (None, None)
    return row.money.per_1000_usd, low, high


def _time(row: StrategyResult) -> Amount | None:
    if row.cost is None:
        return None
    times = [trial.cost.total_s for trial in row.trials if trial.cost]
    low, high = (min(times), max(times)) if len(times) > 1 else (None, None)
    return row.cost.total_s, low, high


def _memory(*, gpu: bool) -> Callable[[StrategyResult], Amount | None]:
    def measure(row: StrategyResult) -> Amount | None:
        peak = row.cost and (row.cost.gpu_peak_bytes if gpu else row.cost.host_peak_bytes)
        return (peak, None, None) if peak else None

    return measure


def _latency(row: StrategyResult) -> Amount | None:
    quantiles = row.cost.latency.wall if row.cost and row.cost.latency else ()
    return next(((q.value_s, q.low_s, q.high_s) for q in quantiles if q.share == LATENCY_SHARE), None)


def _item(row: StrategyResult) -> Amount | None:
    return (1 / row.cost.items_per_s, None, None) if row.cost and row.cost.items_per_s else None


def _size(row: StrategyResult, models: Mapping[str, ModelInfo]) -> Amount | None:
    model = models.get(row.model)
    return (model.parameters, None, None) if model and model.parameters else None
