"""Charts of how good strategies are, alone and against what they take: money, time, memory, latency, model size."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from harness.api import ModelInfo
from harness.compare.decide.confidence import front, scored
from harness.compare.prose.numbers import metric_title, seconds, size
from harness.compare.table.result import StrategyResult, TaskResult
from harness.render.html.chart import Cell, Chart, change_cell, estimate_cell, number_cell, row_name, table
from harness.render.html.dot_charts import Dot, DotPanel, dots, undrawn
from harness.render.html.page_text import dollars
from harness.render.html.scatter import Axis, ScatterPoint, scatter
from harness.render.report.columns import UNKNOWN

LATENCY_SHARE = 0.95
GIB = 1024.0**3


@dataclass(frozen=True)
class ResourceAmount:
    """What a strategy takes of something, with its interval where there is one."""

    value: float
    low: float | None = None
    high: float | None = None


@dataclass(frozen=True)
class Resource:
    """Something that is taken, against which a score is drawn.

    Attributes:
        measure: of a row; None where it is not known.
        note: what a reader must know about it.
        unit: in which the axis is marked at round numbers.
    """

    name: str
    title: str
    axis: str
    measure: Callable[[StrategyResult], ResourceAmount | None]
    write: Callable[[float], str]
    note: str = ""
    unit: float = 1.0


def quality_charts(task: TaskResult, models: Sequence[ModelInfo] = ()) -> list[Chart]:
    """The scores, and the score against each thing that is known of at least two rows."""
    rows = scored(task)
    if len(rows) < 2:
        return []
    shown = [_scores(task, rows)]
    for resource in _resources(task, rows, {model.name: model for model in models}):
        known = [(row, found) for row in rows if (found := resource.measure(row)) is not None]
        if len(known) > 1 and len({found.value for _, found in known}) > 1:
            shown.append(_against(task, resource, known))
    return shown


def _scores(task: TaskResult, rows: Sequence[StrategyResult]) -> Chart:
    primary = task.primary or ""
    found = [(row, row.scores[primary]) for row in rows]
    shown = [Dot(row_name(task, row), one.value, one.low, one.high, bool(row.tied_for_best)) for row, one in found]
    title = metric_title(primary)
    lower = "" if task.higher_is_better else " Lower is better."
    lower += undrawn([dot.name for dot in shown])
    over = title if task.chance is None else f"{title} (dashed line: guessing)"
    return Chart(
        name="scores",
        title=f"Quality: {title}",
        said=f"{title.capitalize()} of each strategy with its 95 % interval. Blue: best, or tied with the best.{lower}",
        draw=lambda: dots([DotPanel(over, tuple(shown), line=task.chance)]),
        table=table(
            ["strategy", title, "against the best", "against zero_shot"],
            [
                (row_name(task, row), estimate_cell(one), change_cell(row.to_best), change_cell(row.to_baseline))
                for row, one in found
            ],
        ),
    )


def _against(task: TaskResult, resource: Resource, known: Sequence[tuple[StrategyResult, ResourceAmount]]) -> Chart:
    primary = task.primary or ""
    at = {place: (taken.value, row.scores[primary].value) for place, (row, taken) in enumerate(known)}
    best = front(at, higher_is_better=task.higher_is_better)
    points = [_point(task, row, taken, front=place in best) for place, (row, taken) in enumerate(known)]
    names = [row_name(task, known[place][0]) for place in best]
    title = metric_title(primary)
    said = f"Line: beaten by none in both ({', '.join(names)}). Bars: 95 % intervals. {resource.note}"
    return Chart(
        name=f"quality_{resource.name}",
        title=f"Quality against {resource.title}",
        said=said.strip(),
        draw=lambda: scatter(
            points, title=title, axis=Axis(resource.axis, resource.write, resource.unit), chance=task.chance
        ),
        table=table(
            ["strategy", resource.axis, title, "not beaten in both"],
            [
                (
                    row_name(task, row),
                    _taken_cell(taken, resource.write),
                    estimate_cell(row.scores[primary]),
                    "yes" if place in best else "no",
                )
                for place, (row, taken) in enumerate(known)
            ],
        ),
    )


def _point(task: TaskResult, row: StrategyResult, taken: ResourceAmount, *, front: bool) -> ScatterPoint:
    found = row.scores[task.primary or ""]
    return ScatterPoint(
        name=row_name(task, row),
        x=taken.value,
        y=found.value,
        x_low=taken.low,
        x_high=taken.high,
        y_low=found.low,
        y_high=found.high,
        strong=bool(row.tied_for_best),
        front=front,
    )


def _taken_cell(taken: ResourceAmount, write: Callable[[float], str]) -> Cell:
    cell = number_cell(taken.value, write)
    if taken.low is None and taken.high is None:
        return cell
    low, high = (UNKNOWN if end is None else write(end) for end in (taken.low, taken.high))
    return cell._replace(text=f"{cell.text} [{low}, {high}]")


def _resources(task: TaskResult, rows: Sequence[StrategyResult], models: Mapping[str, ModelInfo]) -> list[Resource]:
    shown: list[Resource] = []
    if any(row.money for row in rows):
        shown.append(
            Resource("cost", "cost", "USD for 1,000 requests", _money, dollars, "What is paid once is not in it.")
        )
    if task.speed_comparable:
        shown += [_TIME, _GPU if any(row.cost and row.cost.gpu_peak_bytes for row in rows) else _MEMORY]
        shown.append(_latency(rows) if any(row.cost and row.cost.latency for row in rows) else _ITEM)
    if len({row.model for row in rows}) > 1:
        shown.append(
            Resource("model", "the model's size", "parameters", lambda row: _parameters(row, models), parameters)
        )
    return shown


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
    each = [trial.cost.total_s for trial in row.trials if trial.cost]
    return ResourceAmount(row.cost.total_s, min(each), max(each)) if len(each) > 1 else ResourceAmount(row.cost.total_s)


def _memory(row: StrategyResult) -> ResourceAmount | None:
    return ResourceAmount(row.cost.host_peak_bytes) if row.cost and row.cost.host_peak_bytes else None


def _gpu(row: StrategyResult) -> ResourceAmount | None:
    return ResourceAmount(row.cost.gpu_peak_bytes) if row.cost and row.cost.gpu_peak_bytes else None


def _latency(rows: Sequence[StrategyResult]) -> Resource:
    """The highest percentile that every row with requests has enough of them for."""
    shares = [{one.share for one in row.cost.latency.wall} for row in rows if row.cost and row.cost.latency]
    share = max((one for one in set.intersection(*shares) if one <= LATENCY_SHARE), default=LATENCY_SHARE)

    def of(row: StrategyResult) -> ResourceAmount | None:
        found = row.cost.latency.wall if row.cost and row.cost.latency else ()
        return next((ResourceAmount(one.value_s, one.low_s, one.high_s) for one in found if one.share == share), None)

    title = f"latency that {share:.0%} of the requests keep to"
    note = "From question to answer; no bar across where so few requests leave an end open."
    return Resource("latency", "latency", title, of, seconds, note)


def _item(row: StrategyResult) -> ResourceAmount | None:
    return ResourceAmount(1 / row.cost.items_per_s) if row.cost and row.cost.items_per_s else None


def _parameters(row: StrategyResult, models: Mapping[str, ModelInfo]) -> ResourceAmount | None:
    model = models.get(row.model)
    return ResourceAmount(model.parameters) if model and model.parameters else None


def _bytes(value: float) -> str:
    return size(round(value))


_TIME = Resource(
    "time", "time", "total time, training and testing", _time, seconds,
    "All phases, loading included; across: the fastest to the slowest seed.",
)  # fmt: skip
_MEMORY = Resource(
    "memory",
    "memory",
    "peak memory",
    _memory,
    _bytes,
    "The highest of any phase; without an interval, for it was measured once.",
    GIB,
)
_GPU = Resource(
    "memory",
    "GPU memory",
    "peak GPU memory",
    _gpu,
    _bytes,
    "The highest of any phase; without an interval, for it was measured once.",
    GIB,
)
_ITEM = Resource(
    "latency", "answering time", "time an item, answered in batches", _item, seconds,
    "Single requests were not timed in these trials; without an interval, for it was measured once.",
)  # fmt: skip
