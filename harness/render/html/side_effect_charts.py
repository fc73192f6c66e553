"""Charts of side effects (forgetting, bias, memorisation), of retrieval and instruction ablations, and of forecasts."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from harness.compare.decide.confidence import scored
from harness.compare.prose.numbers import metric_title
from harness.compare.stats.estimates import Difference
from harness.compare.table.result import StrategyResult, TaskResult
from harness.measure.units import seconds, size
from harness.metrics import get
from harness.render.html.chart import (
    Axis,
    Cell,
    Chart,
    Dot,
    DotPanel,
    Point,
    ScatterChart,
    change_cell,
    dot_chart,
    estimate_cell,
    number_cell,
    omission_note,
    row_name,
    table,
    with_interval,
)
from harness.render.text.escape import plain

Reader = Callable[[StrategyResult], Difference | None]

MAX_PANELS = 3
"""Panels with readable intervals on a small screen."""
CONTROL_TITLES = {
    "oracle": "passages with the answer",
    "random": "random passages",
    "none": "no passages",
}


@dataclass(frozen=True)
class SideEffect:
    """A change that comes with a gain.

    Attributes:
        direction: words on which direction is better, where higher is not.
        read: the change of a row; None where it was not measured.
    """

    title: str
    meaning: str
    direction: str
    read: Reader


def effect_charts(task: TaskResult) -> list[Chart]:
    """The charts for which the records have data."""
    rows = scored(task)
    forecast = _forecast_chart(task, rows)
    return [*_side_effect_charts(task, rows), *_control_charts(task, rows), *([forecast] if forecast else [])]


def _side_effect_charts(task: TaskResult, rows: Sequence[StrategyResult]) -> list[Chart]:
    """The gain beside every side effect, two side effects per chart."""
    effects = _effects(rows)
    changes = [{row_name(task, row): change for row in rows if (change := effect.read(row))} for effect in effects]
    changed = {name for by_name in changes for name in by_name}
    names = [row_name(task, row) for row in rows if row_name(task, row) in changed]
    gains = {row_name(task, row): row.to_baseline for row in rows if row.to_baseline}
    if not effects:
        return []
    charts: list[Chart] = []
    for first in range(0, len(effects), MAX_PANELS - 1):
        part = range(first, min(first + MAX_PANELS - 1, len(effects)))
        columns = [("gain", {name: gains[name] for name in names if name in gains})]
        columns += [(effects[index].title, changes[index]) for index in part]
        panels = [DotPanel(title, _dots(names, by), line=0) for title, by in columns]
        meanings = [f"{effects[i].title}: {effects[i].meaning}{effects[i].direction}" for i in part]
        part_number = first // (MAX_PANELS - 1) + 1
        number = f"_{part_number}" if first else ""
        charts.append(
            Chart(
                name=f"effects{number}",
                title=f"Gains and what came with them{f', part {part_number}' if first else ''}",
                description=(
                    "Change against zero_shot or before (95 %). Gain: on this task. "
                    f"{'; '.join(meanings)}.{omission_note(names)}"
                ),
                drawing=dot_chart(panels),
                table=table(
                    ["strategy", *(title for title, _ in columns)],
                    [[name, *(change_cell(by.get(name)) for _, by in columns)] for name in names],
                ),
            )
        )
    return charts


def _dots(names: Sequence[str], changes: dict[str, Difference]) -> tuple[Dot, ...]:
    return tuple(Dot(n, with_interval(changes[n])) for n in names if n in changes)


def _effects(rows: Sequence[StrategyResult]) -> list[SideEffect]:
    """The side effects that were measured of any row."""
    effects: list[SideEffect] = []
    for name, metric in dict.fromkeys(
        (retention.task, retention.metric) for row in rows for retention in row.retention
    ):
        definition = get(metric)
        kind = {"skill": "retained", "bias": "bias", "privacy": "memorised"}[definition.concern]
        lower = ", lower is better" if definition.higher_is_better is False else ""
        meaning = f"{metric_title(metric)} on {plain(name)}, which it was not trained on, after minus before"
        effects.append(SideEffect(f"{kind}: {plain(name)}", meaning, lower, _reader(name, metric)))
    if any(row.forgetting for row in rows):
        meaning = "this task, once others were learned after it"
        effects.append(
            SideEffect("forgotten", meaning, "", lambda row: row.forgetting.change if row.forgetting else None)
        )
    if any(row.gap for row in rows):
        meaning = "score on training items minus score on test items"
        effects.append(
            SideEffect("overfitting gap", meaning, ", lower is better", lambda row: row.gap.change if row.gap else None)
        )
    return effects


def _reader(task: str, metric: str) -> Reader:
    def read(row: StrategyResult) -> Difference | None:
        return next(
            (retention.change for retention in row.retention if (retention.task, retention.metric) == (task, metric)),
            None,
        )

    return read


def _control_charts(task: TaskResult, rows: Sequence[StrategyResult]) -> list[Chart]:
    """Ablations: one chart for other passages, one for paraphrased instructions."""
    variants = list(dict.fromkeys(control.ablation for row in rows for control in row.controls))
    groups = {
        "passages": ("Retriever or reader", [variant for variant in variants if variant in CONTROL_TITLES]),
        "words": ("The instruction in other words", [variant for variant in variants if variant not in CONTROL_TITLES]),
    }
    return [_control_chart(task, rows, name, title, group) for name, (title, group) in groups.items() if group]


def _control_chart(
    task: TaskResult, rows: Sequence[StrategyResult], name: str, title: str, variants: Sequence[str]
) -> Chart:
    controls = [
        (row_name(task, row), control) for row in rows for control in row.controls if control.ablation in variants
    ]
    panels = [
        DotPanel(
            CONTROL_TITLES.get(variant, plain(variant)),
            tuple(Dot(n, with_interval(c.change)) for n, c in controls if c.ablation == variant),
            line=0,
        )
        for variant in variants[:MAX_PANELS]
    ]
    remainder = f" The table has {len(variants) - MAX_PANELS} more." if len(variants) > MAX_PANELS else ""
    score, omission = metric_title(task.primary or ""), omission_note([name for name, _ in controls])
    return Chart(
        name=f"controls_{name}",
        title=title,
        description=(
            f"Change of {score} against the usual way, on the same items, with 95 % intervals.{remainder}{omission}"
        ),
        drawing=dot_chart(panels),
        table=table(
            ["strategy", "asked", score, "change", "instruction"],
            [
                (strategy, plain(c.ablation), estimate_cell(c.score), change_cell(c.change), plain(c.instruction))
                for strategy, c in controls
            ],
        ),
    )


def _forecast_chart(task: TaskResult, rows: Sequence[StrategyResult]) -> Chart | None:
    forecasts = [(row, row.cost, row.cost.forecast) for row in rows if row.cost and row.cost.forecast]
    if not forecasts:
        return None
    points = [
        Point(
            row_name(task, row),
            {"measured": (cost.total_s, None, None), "predicted": (forecast.total_s, None, None)},
        )
        for row, cost, forecast in forecasts
    ]
    axes = (Axis("measured", "measured time", "s"), Axis("predicted", "predicted time", "s"))
    cells: list[Sequence[Cell | str]] = []
    for row, cost, forecast in forecasts:
        time_error = cost.total_s / forecast.total_s - 1 if forecast.total_s else None
        bytes_ = [number_cell(forecast.host_peak_bytes, size), number_cell(cost.host_peak_bytes, size)]
        memory_error = (
            cost.host_peak_bytes / forecast.host_peak_bytes - 1
            if cost.host_peak_bytes and forecast.host_peak_bytes
            else None
        )
        times = [number_cell(forecast.total_s, seconds), number_cell(cost.total_s, seconds)]
        cells.append(
            [
                row_name(task, row),
                *times,
                number_cell(time_error, "{:+.0%}".format),
                *bytes_,
                number_cell(memory_error, "{:+.0%}".format),
            ]
        )
    return Chart(
        name="forecast",
        title="Predicted against measured",
        description="Measured time against the time predicted before the trials ran. Line: measured as predicted.",
        drawing=ScatterChart(tuple(points), axes, identity=True),
        table=table(
            ["strategy", "predicted time", "measured time", "off by", "predicted memory", "measured memory", "off by"],
            cells,
        ),
    )
