"""Quality charts: scores, and scores against cost, time, memory, latency and model size."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from harness.api import ModelInfo
from harness.compare.decide.confidence import front, scored
from harness.compare.prose.numbers import metric_title
from harness.compare.table.result import StrategyResult, TaskResult
from harness.measure.units import GIB, seconds, size
from harness.render.html.chart import Cell, Chart, change_cell, estimate_cell, number_cell, row_name, table
from harness.render.html.dot_charts import Dot, DotPanel, draw_dots, omission_note
from harness.render.html.page_text import dollars
from harness.render.html.scatter import Axis, ScatterPoint, draw_scatter
from harness.render.report.columns import UNKNOWN

MAX_LATENCY_SHARE = 0.95


@dataclass(frozen=True)
class ResourceAmount:
    """Amount of a resource that a strategy uses, with its interval where there is one."""

    value: float
    low: float | None = None
    high: float | None = None


@dataclass(frozen=True)
class Resource:
    """A resource against which a score is drawn.

    Attributes:
        measure: amount of a row; None where unknown.
        note: sentence for the chart's description.
        unit: the axis has ticks at round multiples of it.
    """

    name: str
    title: str
    axis: str
    measure: Callable[[StrategyResult], ResourceAmount | None]
    write: Callable[[float], str]
    note: str = ""
    unit: float = 1.0


def quality_charts(task: TaskResult, models: Sequence[ModelInfo] = ()) -> list[Chart]:
    """The scores, and the score against each resource known for at least two rows."""
    rows = scored(task)
    if len(rows) < 2:
        return []
    charts = [_score_chart(task, rows)]
    for resource in _resources(task, rows, {model.name: model for model in models}):
        amounts = [(row, amount) for row in rows if (amount := resource.measure(row)) is not None]
        if len(amounts) > 1 and len({amount.value for _, amount in amounts}) > 1:
            charts.append(_resource_chart(task, resource, amounts))
    return charts


def _score_chart(task: TaskResult, rows: Sequence[StrategyResult]) -> Chart:
    primary = task.primary or ""
    estimates = [(row, row.scores[primary]) for row in rows]
    dots = [
        Dot(row_name(task, row), estimate.value, estimate.low, estimate.high, bool(row.tied_for_best))
        for row, estimate in estimates
    ]
    title = metric_title(primary)
    lower = "" if task.higher_is_better else " Lower is better."
    lower += omission_note([dot.name for dot in dots])
    over = title if task.chance is None else f"{title} (dashed line: guessing)"
    return Chart(
        name="scores",
        title=f"Quality: {title}",
        description=(
            f"{title.capitalize()} of each strategy with its 95 % interval. Blue: best, or tied with the best.{lower}"
        ),
        draw=lambda: draw_dots([DotPanel(over, tuple(dots), line=task.chance)]),
        table=table(
            ["strategy", title, "against the best", "against zero_shot"],
            [
                (row_name(task, row), estimate_cell(estimate), change_cell(row.to_best), change_cell(row.to_baseline))
                for row, estimate in estimates
            ],
        ),
    )


def _resource_chart(
    task: TaskResult, resource: Resource, amounts: Sequence[tuple[StrategyResult, ResourceAmount]]
) -> Chart:
    primary = task.primary or ""
    coordinates = {index: (amount.value, row.scores[primary].value) for index, (row, amount) in enumerate(amounts)}
    front_indices = front(coordinates, higher_is_better=task.higher_is_better)
    points = [_point(task, row, amount, front=index in front_indices) for index, (row, amount) in enumerate(amounts)]
    names = [row_name(task, amounts[index][0]) for index in front_indices]
    title = metric_title(primary)
    description = f"Line: beaten by none in both ({', '.join(names)}). Bars: 95 % intervals. {resource.note}"
    return Chart(
        name=f"quality_{resource.name}",
        title=f"Quality against {resource.title}",
        description=description.strip(),
        draw=lambda: draw_scatter(
            points, title=title, axis=Axis(resource.axis, resource.write, resource.unit), chance=task.chance
        ),
        table=table(
            ["strategy", resource.axis, title, "not beaten in both"],
            [
                (
                    row_name(task, row),
                    _amount_cell(amount, resource.write),
                    estimate_cell(row.scores[primary]),
                    "yes" if index in front_indices else "no",
                )
                for index, (row, amount) in enumerate(amounts)
            ],
        ),
    )


def _point(task: TaskResult, row: StrategyResult, amount: ResourceAmount, *, front: bool) -> ScatterPoint:
    estimate = row.scores[task.primary or ""]
    return ScatterPoint(
        name=row_name(task, row),
        x=amount.value,
        y=estimate.value,
        x_low=amount.low,
        x_high=amount.high,
        y_low=estimate.low,
        y_high=estimate.high,
        strong=bool(row.tied_for_best),
        front=front,
    )


def _amount_cell(amount: ResourceAmount, write: Callable[[float], str]) -> Cell:
    cell = number_cell(amount.value, write)
    if amount.low is None and amount.high is None:
        return cell
    low, high = (UNKNOWN if end is None else write(end) for end in (amount.low, amount.high))
    return cell._replace(text=f"{cell.text} [{low}, {high}]")


def _resources(task: TaskResult, rows: Sequence[StrategyResult], models: Mapping[str, ModelInfo]) -> list[Resource]:
    resources: list[Resource] = []
    if any(row.money for row in rows):
        resources.append(
            Resource("cost", "cost", "USD for 1,000 requests", _money, dollars, "What is paid once is not in it.")
        )
    if task.speed_comparable:
        resources += [_TIME, _GPU if any(row.cost and row.cost.gpu_peak_bytes for row in rows) else _MEMORY]
        resources.append(_latency(rows) if any(row.cost and row.cost.latency for row in rows) else _ITEM)
    if len({row.model for row in rows}) > 1:
        resources.append(
            Resource("model", "the model's size", "parameters", lambda row: _parameters(row, models), parameters)
        )
    return resources


def parameters(value: float) -> str:
    """Write a number of parameters: ``135 M``, ``7 B``."""
    return f"{value / 1e9:.3g} B" if value >= 999.5e6 else f"{value / 1e6:.3g} M"


def _money(row: StrategyResult) -> ResourceAmount | None:
    if row.money is None:
        return None
    low, high = row.money.per_1000_bounds_usd or (None, None)
    return ResourceAmount(row.money.per_1000_usd, low, high)


def _time(row: StrategyResult) -> ResourceAmount | None:
    if row.cost is None:
        return None
    seed_times = [trial.cost.total_s for trial in row.trials if trial.cost]
    return (
        ResourceAmount(row.cost.total_s, min(seed_times), max(seed_times))
        if len(seed_times) > 1
        else ResourceAmount(row.cost.total_s)
    )


def _memory(row: StrategyResult) -> ResourceAmount | None:
    return ResourceAmount(row.cost.host_peak_bytes) if row.cost and row.cost.host_peak_bytes else None


def _gpu(row: StrategyResult) -> ResourceAmount | None:
    return ResourceAmount(row.cost.gpu_peak_bytes) if row.cost and row.cost.gpu_peak_bytes else None


def _latency(rows: Sequence[StrategyResult]) -> Resource:
    """Latency at the highest percentile, up to `MAX_LATENCY_SHARE`, that every row with requests has."""
    shares = [
        {percentile.share for percentile in row.cost.latency.wall} for row in rows if row.cost and row.cost.latency
    ]
    share = max(
        (candidate for candidate in set.intersection(*shares) if candidate <= MAX_LATENCY_SHARE),
        default=MAX_LATENCY_SHARE,
    )

    def measure(row: StrategyResult) -> ResourceAmount | None:
        percentiles = row.cost.latency.wall if row.cost and row.cost.latency else ()
        return next(
            (
                ResourceAmount(percentile.value_s, percentile.low_s, percentile.high_s)
                for percentile in percentiles
                if percentile.share == share
            ),
            None,
        )

    title = f"latency that {share:.0%} of the requests keep to"
    note = "From question to answer; no bar across where so few requests leave an end open."
    return Resource("latency", "latency", title, measure, seconds, note)


def _item(row: StrategyResult) -> ResourceAmount | None:
    return ResourceAmount(1 / row.cost.items_per_s) if row.cost and row.cost.items_per_s else None


def _parameters(row: StrategyResult, models: Mapping[str, ModelInfo]) -> ResourceAmount | None:
    model = models.get(row.model)
    return ResourceAmount(model.parameters) if model and model.parameters else None


_TIME = Resource(
    "time", "time", "total time, training and testing", _time, seconds,
    "All phases, loading included; across: the fastest to the slowest seed.",
)  # fmt: skip
_MEMORY = Resource(
    "memory",
    "memory",
    "peak memory",
    _memory,
    size,
    "The highest of any phase; without an interval, for it was measured once.",
    GIB,
)
_GPU = Resource(
    "memory",
    "GPU memory",
    "peak GPU memory",
    _gpu,
    size,
    "The highest of any phase; without an interval, for it was measured once.",
    GIB,
)
_ITEM = Resource(
    "latency", "answering time", "time an item, answered in batches", _item, seconds,
    "Single requests were not timed in these trials; without an interval, for it was measured once.",
)  # fmt: skip
