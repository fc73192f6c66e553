"""Charts of what comes with a gain: forgetting, bias and memorisation; whose fault a miss is; what was predicted."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from harness.compare.decide.confidence import scored
from harness.compare.prose.numbers import metric_title, seconds, size
from harness.compare.stats.estimates import Difference
from harness.compare.table.result import StrategyResult, TaskResult
from harness.metrics import get
from harness.render.html.chart import Cell, Chart, change_cell, estimate_cell, number_cell, row_name, table
from harness.render.html.dot_charts import Dot, DotPanel, dots, undrawn
from harness.render.html.scatter import Axis, ScatterPoint, scatter
from harness.render.text.escape import plain

Reader = Callable[[StrategyResult], Difference | None]
Effect = tuple[str, str, str, Reader]

SIDE_BY_SIDE = 3
"""Panels in which intervals can still be read on a small screen."""
WAYS = {
    "oracle": "passages with\nthe answer",
    "random": "random\npassages",
    "none": "no\npassages",
}


def effect_charts(task: TaskResult) -> list[Chart]:
    """Those that the records fill."""
    rows = scored(task)
    forecast = _forecast(task, rows)
    return [*_side_effects(task, rows), *_controls(task, rows), *([forecast] if forecast else [])]


def _side_effects(task: TaskResult, rows: Sequence[StrategyResult]) -> list[Chart]:
    """The gain, and beside it every change that came with it; a chart for each two of them."""
    found = [(title, kind, lower, {row_name(task, row): change for row in rows if (change := of(row))})
             for title, kind, lower, of in _effects(rows)]  # fmt: skip
    changed = {name for _, _, _, by_name in found for name in by_name}
    names = [row_name(task, row) for row in rows if row_name(task, row) in changed]
    gains = {row_name(task, row): row.to_baseline for row in rows if row.to_baseline}
    if not found:
        return []
    charts: list[Chart] = []
    for first in range(0, len(found), SIDE_BY_SIDE - 1):
        part = found[first : first + SIDE_BY_SIDE - 1]
        columns = [("gain", {name: gains[name] for name in names if name in gains}), *((t, by) for t, _, _, by in part)]
        panels = [DotPanel(title.replace(": ", "\n"), _dots(names, by), line=0) for title, by in columns]
        kinds = "; ".join(f"{title}: {kind}{lower}" for title, kind, lower, _ in part)
        place = first // (SIDE_BY_SIDE - 1) + 1
        number = f"_{place}" if first else ""
        charts.append(
            Chart(
                name=f"effects{number}",
                title=f"Gains and what came with them{f', part {place}' if first else ''}",
                said=f"Change against zero_shot or before (95 %). Gain: on this task. {kinds}.{undrawn(names)}",
                draw=lambda panels=panels: dots(panels),
                table=table(
                    ["strategy", *(title for title, _ in columns)],
                    [[name, *(change_cell(by.get(name)) for _, by in columns)] for name in names],
                ),
            )
        )
    return charts


def _dots(names: Sequence[str], changes: dict[str, Difference]) -> tuple[Dot, ...]:
    return tuple(Dot(n, changes[n].value, changes[n].low, changes[n].high) for n in names if n in changes)


def _effects(rows: Sequence[StrategyResult]) -> list[Effect]:
    """Title, meaning, direction and reader of each side effect that any row has."""
    shown: list[Effect] = []
    for name, metric in dict.fromkeys((kept.task, kept.metric) for row in rows for kept in row.retention):
        about = get(metric)
        kind = {"skill": "retained", "bias": "bias", "privacy": "memorised"}[about.concern]
        lower = ", lower is better" if about.higher_is_better is False else ""
        said = f"{metric_title(metric)} on {plain(name)}, which it was not trained on, after minus before"
        shown.append((f"{kind}: {plain(name)}", said, lower, _reader(name, metric)))
    if any(row.forgetting for row in rows):
        said = "this task, once others were learned after it"
        shown.append(("forgotten", said, "", lambda row: row.forgetting.change if row.forgetting else None))
    if any(row.gap for row in rows):
        said = "score on training items minus score on test items"
        shown.append(("overfitting gap", said, ", lower is better", lambda row: row.gap.change if row.gap else None))
    return shown


def _reader(task: str, metric: str) -> Reader:
    def of(row: StrategyResult) -> Difference | None:
        return next((kept.change for kept in row.retention if (kept.task, kept.metric) == (task, metric)), None)

    return of


def _controls(task: TaskResult, rows: Sequence[StrategyResult]) -> list[Chart]:
    """What asking in other ways changes: a chart for passages, and one for words."""
    ways = list(dict.fromkeys(control.way for row in rows for control in row.controls))
    groups = {
        "passages": ("Retriever or reader", [way for way in ways if way in WAYS]),
        "words": ("The instruction in other words", [way for way in ways if way not in WAYS]),
    }
    return [_asked(task, rows, (name, title), own) for name, (title, own) in groups.items() if own]


def _asked(task: TaskResult, rows: Sequence[StrategyResult], names: tuple[str, str], ways: Sequence[str]) -> Chart:
    found = [(row_name(task, row), control) for row in rows for control in row.controls if control.way in ways]
    panels = [
        DotPanel(
            WAYS.get(way, plain(way)),
            tuple(Dot(n, c.change.value, c.change.low, c.change.high) for n, c in found if c.way == way),
            line=0,
        )
        for way in ways[:SIDE_BY_SIDE]
    ]
    more = f" The table has {len(ways) - SIDE_BY_SIDE} more." if len(ways) > SIDE_BY_SIDE else ""
    score, left = metric_title(task.primary or ""), undrawn([name for name, _ in found])
    return Chart(
        name=f"controls_{names[0]}",
        title=names[1],
        said=f"Change of {score} against the usual way, on the same items, with 95 % intervals.{more}{left}",
        draw=lambda: dots(panels, same_scale=True),
        table=table(
            ["strategy", "asked", score, "change", "instruction"],
            [
                (name, plain(c.way), estimate_cell(c.score), change_cell(c.change), plain(c.instruction))
                for name, c in found
            ],
        ),
    )


def _forecast(task: TaskResult, rows: Sequence[StrategyResult]) -> Chart | None:
    known = [(row, row.cost, row.cost.forecast) for row in rows if row.cost and row.cost.forecast]
    if not known:
        return None
    points = [ScatterPoint(row_name(task, row), told.total_s, cost.total_s) for row, cost, told in known]
    cells: list[Sequence[Cell | str]] = []
    for row, cost, told in known:
        off = cost.total_s / told.total_s - 1 if told.total_s else None
        bytes_ = [number_cell(told.host_peak_bytes, _size), number_cell(cost.host_peak_bytes, _size)]
        memory = (
            cost.host_peak_bytes / told.host_peak_bytes - 1 if cost.host_peak_bytes and told.host_peak_bytes else None
        )
        times = [number_cell(told.total_s, seconds), number_cell(cost.total_s, seconds)]
        cells.append(
            [
                row_name(task, row),
                *times,
                number_cell(off, "{:+.0%}".format),
                *bytes_,
                number_cell(memory, "{:+.0%}".format),
            ]
        )
    return Chart(
        name="forecast",
        title="Predicted against measured",
        said="Seconds that were measured, against those that were predicted before the trials ran.",
        draw=lambda: scatter(points, title="measured seconds", axis=Axis("predicted time", seconds)),
        table=table(
            ["strategy", "predicted time", "measured time", "off by", "predicted memory", "measured memory", "off by"],
            cells,
        ),
    )


def _size(value: float) -> str:
    return size(round(value))
