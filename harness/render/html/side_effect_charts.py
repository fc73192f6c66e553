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
from harness.render.html.chart import Cell, Chart, change_cell, estimate_cell, number_cell, row_name, table
from harness.render.html.dot_charts import Dot, DotPanel, draw_dots, omission_note
from harness.render.html.scatter import Axis, ScatterPoint, draw_scatter
from harness.render.text.escape import plain

Reader = Callable[[StrategyResult], Difference | None]

MAX_PANELS = 3
"""Panels with readable intervals on a small screen."""
CONTROL_TITLES = {
    "oracle": "passages with\nthe answer",
    "random": "random\npassages",
    "none": "no\npassages",
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
        panels = [DotPanel(title.replace(": ", "\n"), _dots(names, by), line=0) for title, by in columns]
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
                draw=lambda panels=panels: draw_dots(panels),
                table=table(
                    ["strategy", *(title for title, _ in columns)],
                    [[name, *(change_cell(by.get(name)) for _, by in columns)] for name in names],
                ),
            )
        )
    return charts


def _dots(names: Sequence[str], changes: dict[str, Difference]) -> tuple[Dot, ...]:
    return tuple(Dot(n, changes[n].value, changes[n].low, changes[n].high) for n in names if n in changes)


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
            tuple(Dot(n, c.change.value, c.change.low, c.change.high) for n, c in controls if c.ablation == variant),
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
        draw=lambda: draw_dots(panels, same_scale=True),
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
    points = [ScatterPoint(row_name(task, row), forecast.total_s, cost.total_s) for row, cost, forecast in forecasts]
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
        description="Seconds that were measured, against those that were predicted before the trials ran.",
        draw=lambda: draw_scatter(points, title="measured seconds", axis=Axis("predicted time", seconds)),
        table=table(
            ["strategy", "predicted time", "measured time", "off by", "predicted memory", "measured memory", "off by"],
            cells,
        ),
    )
