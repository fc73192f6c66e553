"""Release history in the page: clear changes, charts of each figure over releases, and the versions measured."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from harness.compare.prose.numbers import change, count, metric_title
from harness.compare.release.history import METHOD
from harness.compare.release.series import FigureChange, History, Series, SeriesPoint
from harness.measure.units import GIB, MIB
from harness.render.html.chart import (
    Cell,
    Chart,
    ChartTable,
    ReleaseMark,
    Strip,
    StripChart,
    estimate_cell,
    table,
    with_interval,
)
from harness.render.html.page_assets import EmbeddedChart, embed_chart, embedded_files, template_environment
from harness.render.release.gate_report import amount
from harness.render.release.history_report import short_commit
from harness.render.report.columns import UNKNOWN
from harness.render.text.escape import plain

MAX_CHARTS = 24
"""Charts of a history, those with clear changes first; the tables have all."""
MAX_SENTENCES = 12
"""Clear changes stated in sentences; charts and tables mark all."""
MAX_RELEASES = 40
"""Releases of a chart, the newest; the table behind it has all."""
HASH_DIGITS = 12
"""Digits of a hash that are shown."""
AXIS_UNITS = {
    "s": ((300.0, 60.0, "min"), (1.0, 1.0, "s"), (0.0, 0.001, "ms")),
    "bytes": ((2.0 * GIB, GIB, "GiB"), (0.0, MIB, "MiB")),
}
"""Axis units by a figure's unit: the value from which it applies, its size, its name."""


@dataclass(frozen=True)
class TaskHistory:
    """One task over releases.

    Attributes:
        charts: of series; figures: a table of each series that is not drawn, with its name.
        sources: model, data and versions of each release; differences: sentences on what changed between releases.
    """

    name: str
    charts: tuple[EmbeddedChart, ...]
    figures: tuple[tuple[str, ChartTable], ...]
    sources: ChartTable
    differences: tuple[str, ...]


@dataclass(frozen=True)
class HistoryPart:
    """The history of one suite in a page."""

    id: str
    title: str
    sentences: tuple[str, ...]
    method: str
    tasks: tuple[TaskHistory, ...]
    notes: tuple[str, ...]


def history_parts(histories: Sequence[History]) -> list[HistoryPart]:
    """Lay out the history of each suite."""
    multiple = len(histories) > 1
    return [
        _part(
            history,
            f"history-{index + 1}" if index else "history",
            f"History of {history.suite}" if multiple else "History",
        )
        for index, history in enumerate(histories)
    ]


def render(history: History) -> str:
    """Write a standalone HTML page about a suite's releases."""
    parts = history_parts([history])
    template = template_environment().get_template("history_page.html.j2")
    return template.render(**embedded_files(), title=plain(history.suite), histories=parts)


def change_sentences(history: History) -> list[str]:
    """One sentence per clear change, with its interval; losses first, then scores before other figures."""
    ranked_sentences: list[tuple[bool, bool, str]] = []
    for series in history.series:
        for previous, point in zip(series.points, series.points[1:], strict=False):
            release_pair = f"in `{point.release}` than in `{previous.release}`"
            if point.clear and point.change:
                statement = f"{metric_title(series.metric)} is {point.clear} {release_pair}: {change(point.change)}"
                ranked_sentences.append(
                    (point.clear != "worse", False, f"`{series.task}` with `{series.name}`: {statement}.")
                )
            for name, step in point.figures.items():
                if step.clear:
                    statement = f"{name} is {step.clear} {release_pair}: {_ratio_text(step)}"
                    ranked_sentences.append(
                        (step.clear != "worse", True, f"`{series.task}` with `{series.name}`: {statement}.")
                    )
    comparisons = sum(len(series.points) - 1 for series in history.series)
    fallback = (
        f"No clear change in {count(comparisons, 'step')} between releases."
        if comparisons
        else "One release: no change yet."
    )
    sentences = [text for *_, text in sorted(ranked_sentences, key=lambda entry: entry[:2])]
    surplus = len(sentences) - MAX_SENTENCES
    remainder = [f"{count(surplus, 'more clear change')} below."] if surplus > 0 else []
    return [*sentences[:MAX_SENTENCES], *remainder] or [fallback]


def _part(history: History, name: str, title: str) -> HistoryPart:
    order = sorted(history.series, key=lambda series: not _has_clear_change(series))
    drawn_ids = {id(series) for series in order[:MAX_CHARTS]}
    tasks = [
        _task(history, [series for series in history.series if series.task == task], drawn_ids, f"{name}-{index + 1}")
        for index, task in enumerate(dict.fromkeys(series.task for series in history.series))
    ]
    return HistoryPart(name, plain(title), tuple(change_sentences(history)), METHOD, tuple(tasks), history.notes)


def _has_clear_change(series: Series) -> bool:
    return any(point.clear or any(step.clear for step in point.figures.values()) for point in series.points)


def _task(history: History, task_series: Sequence[Series], drawn_ids: set[int], name: str) -> TaskHistory:
    strategies_by_sentence: dict[str, list[str]] = {}
    for series in task_series:
        for point in series.points:
            if point.differs:
                remainder = f"; {len(point.differs) - 6} more" if len(point.differs) > 6 else ""
                sentence = f"`{point.release}` differs from the one before: {'; '.join(point.differs[:6])}{remainder}."
                strategies_by_sentence.setdefault(sentence, []).append(series.name)
    names = {series.name for series in task_series}
    return TaskHistory(
        name=plain(task_series[0].task),
        charts=tuple(
            embed_chart(_chart(history, series, str(index + 1)), name)
            for index, series in enumerate(task_series)
            if id(series) in drawn_ids
        ),
        figures=tuple((_title(series), _figure_table(series)) for series in task_series if id(series) not in drawn_ids),
        sources=_source_table(task_series),
        differences=tuple(
            sentence
            if set(strategies) == names
            else f"{', '.join(f'`{strategy}`' for strategy in dict.fromkeys(strategies))}: {sentence}"
            for sentence, strategies in strategies_by_sentence.items()
        ),
    )


def _title(series: Series) -> str:
    return plain(f"{series.name}: {metric_title(series.metric)}")


def _chart(history: History, series: Series, name: str) -> Chart:
    releases = list(history.releases)[-MAX_RELEASES:]
    points = [point for point in series.points if point.release in releases]
    surplus = len(series.points) - len(points)
    remainder = f" Not drawn: {count(surplus, 'older release')}, which the table has." if surplus else ""
    return Chart(
        name=name,
        title=_title(series),
        description=(
            "By release, oldest first; ▲ clearly better, ▼ clearly worse. Bars are 95 % intervals: a score's own; "
            f"of what it took, that of the change from the release before, and no bar where there is none.{remainder}"
        ),
        drawing=StripChart(tuple(_series_strips(series, points)), tuple(map(plain, releases))),
        table=_figure_table(series),
    )


def _series_strips(series: Series, points: Sequence[SeriesPoint]) -> list[Strip]:
    scores = [
        ReleaseMark(plain(point.release), with_interval(point.score), point.clear) for point in points if point.score
    ]
    strips = [Strip(metric_title(series.metric), tuple(scores))]
    for name in _figure_names(series):
        steps = [(plain(point.release), point.figures[name]) for point in points if name in point.figures]
        if not steps:
            continue
        unit, scale = _axis_unit(steps[0][1].unit, max(step.value for _, step in steps))
        title = name if unit in name else f"{name}, {unit}"
        strips.append(Strip(title, tuple(_release_mark(release, step, scale) for release, step in steps)))
    return strips


def _release_mark(release: str, step: FigureChange, scale: float) -> ReleaseMark:
    """Mark of a figure in units of `scale`, with the interval of its change on the figure's scale."""
    low, high = step.low, step.high
    if not step.ratio or low is None or high is None:
        return ReleaseMark(release, (step.value / scale, None, None), step.clear)
    previous = step.value / step.ratio / scale
    return ReleaseMark(release, (step.value / scale, previous * low, previous * high), step.clear)


def _axis_unit(unit: str, maximum: float) -> tuple[str, float]:
    for start, scale, name in AXIS_UNITS.get(unit, ()):
        if maximum >= start:
            return name, scale
    return unit, 1.0


def _figure_table(series: Series) -> ChartTable:
    names = _figure_names(series)
    titles = ["release", "measured", "seeds", metric_title(series.metric), "change", *names]
    rows: list[list[Cell | str]] = []
    for point in series.points:
        words = "" if point.change is None else f"{change(point.change)}{_clear_suffix(point.clear)}"
        delta = Cell(words, point.change.value) if point.change else Cell(UNKNOWN)
        figure_cells = [_figure_cell(point.figures.get(name)) for name in names]
        release_cells = (plain(point.release), point.measured_at[:10], Cell(str(point.seeds), point.seeds))
        rows.append([*release_cells, estimate_cell(point.score), delta, *figure_cells])
    return table(titles, rows)


def _figure_cell(step: FigureChange | None) -> Cell:
    if step is None:
        return Cell(UNKNOWN)
    suffix = f" ({_ratio_text(step)}{_clear_suffix(step.clear)})" if step.ratio is not None else ""
    return Cell(f"{amount(step.unit, step.value)}{suffix}", step.value)


def _ratio_text(step: FigureChange) -> str:
    if step.ratio is None:
        return "no ratio"
    interval = "no interval" if step.low is None or step.high is None else f"{step.low - 1:+.1%}, {step.high - 1:+.1%}"
    return f"{step.ratio - 1:+.1%} [{interval}]"


def _clear_suffix(clear: str | None) -> str:
    return f" {clear}" if clear else ""


def _figure_names(series: Series) -> list[str]:
    return list(dict.fromkeys(name for point in series.points for name in point.figures))


def _source_table(task_series: Sequence[Series]) -> ChartTable:
    """Model, data and package versions per release, a row per combination among its strategies."""
    packages = sorted({name for series in task_series for point in series.points for name in point.versions})
    rows: dict[tuple[str, ...], list[str]] = {}
    order = list(dict.fromkeys(point.release for series in task_series for point in series.points))
    for series in task_series:
        for point in series.points:
            hashes = [_short_hash(text) for text in (point.revision, point.weights)]
            identity = (point.model, *hashes, short_commit(point.commit), _short_hash(point.data_hash))
            versions = [point.versions.get(name, UNKNOWN) for name in packages]
            rows.setdefault((point.release, point.measured_at[:16], *identity, *versions), []).append(series.name)
    titles = ["release", "strategies", "measured", "model", "revision", "weights", "commit", "data", *packages]
    table_rows = [
        [key[0], ", ".join(dict.fromkeys(names)), *key[1:]]
        for key, names in sorted(rows.items(), key=lambda entry: order.index(entry[0][0]))
    ]
    return table(titles, [[plain(text) for text in row] for row in table_rows])


def _short_hash(text: str | None) -> str:
    """Cut a hash; versions stay unchanged."""
    return text[:HASH_DIGITS] if text and re.fullmatch("[0-9a-f]+", text) else text or UNKNOWN
