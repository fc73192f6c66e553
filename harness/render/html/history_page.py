"""Releases in the page: what clearly changed, charts of each figure over releases, and what each release was."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from harness.compare.prose.numbers import change, count, metric_title
from harness.compare.release.history import METHOD
from harness.compare.release.series import FigureChange, History, Series, SeriesPoint
from harness.metrics import get
from harness.render.html.chart import Cell, Chart, ChartTable, estimate_cell, table
from harness.render.html.page_assets import EmbeddedChart, environment, own_files, shown
from harness.render.html.release_charts import ChartMark, Strip, strips
from harness.render.release.gate_report import amount
from harness.render.release.history_report import short_commit
from harness.render.report.columns import UNKNOWN
from harness.render.text.escape import plain

MOST_CHARTS = 24
"""Charts of a history, those with clear changes first; the tables have all."""
MOST_SAID = 12
"""Clear changes that are said in sentences; charts and tables mark all."""
MOST_RELEASES = 40
"""Releases of a chart, the newest; the table behind it has all."""
DIGITS = 12
"""Of a hash, which is enough to tell it by."""
SCALES = {
    "s": ((300.0, 60.0, "min"), (1.0, 1.0, "s"), (0.0, 0.001, "ms")),
    "bytes": ((2.0**31, 2.0**30, "GiB"), (0.0, 2.0**20, "MiB")),
}
"""Units of an axis by that of a figure: from which value, how much one is, and its name."""


@dataclass(frozen=True)
class TaskHistory:
    """One task over releases.

    Attributes:
        charts: of series; figures: a table of each series that is not drawn, with its name.
        sources: what each release was measured with; differs: what changed from one to the next, in words.
    """

    name: str
    charts: tuple[EmbeddedChart, ...]
    figures: tuple[tuple[str, ChartTable], ...]
    sources: ChartTable
    differs: tuple[str, ...]


@dataclass(frozen=True)
class HistoryPart:
    """The history of one suite in a page."""

    id: str
    title: str
    says: tuple[str, ...]
    method: str
    tasks: tuple[TaskHistory, ...]
    notes: tuple[str, ...]


def history_parts(found: Sequence[History]) -> list[HistoryPart]:
    """Lay out the history of each suite."""
    several = len(found) > 1
    return [
        _part(one, f"history-{place + 1}" if place else "history", f"History of {one.suite}" if several else "History")
        for place, one in enumerate(found)
    ]


def render(found: History) -> str:
    """Write a page of its own about a suite's releases, in HTML that needs no other file."""
    parts = history_parts([found])
    template = environment().get_template("history_page.html.j2")
    return template.render(**own_files(("page.js",)), title=plain(found.suite), histories=parts)


def changes_of(found: History) -> list[str]:
    """Say each clear change in a sentence with its interval, losses first, and those of scores before the others."""
    said: list[tuple[bool, bool, str]] = []
    for series in found.series:
        for before, point in zip(series.points, series.points[1:], strict=False):
            where = f"in `{point.release}` than in `{before.release}`"
            if point.clear and point.change:
                what = f"{metric_title(series.metric)} is {point.clear} {where}: {change(point.change)}"
                said.append((point.clear != "worse", False, f"`{series.task}` with `{series.name}`: {what}."))
            for name, step in point.figures.items():
                if step.clear:
                    what = f"{name} is {step.clear} {where}: {_ratio(step)}"
                    said.append((step.clear != "worse", True, f"`{series.task}` with `{series.name}`: {what}."))
    steps = sum(len(series.points) - 1 for series in found.series)
    none = f"No clear change in {count(steps, 'step')} between releases." if steps else "One release: no change yet."
    texts = [text for *_, text in sorted(said, key=lambda one: one[:2])]
    left = len(texts) - MOST_SAID
    more = [f"{count(left, 'more clear change')} below."] if left > 0 else []
    return [*texts[:MOST_SAID], *more] or [none]


def _part(found: History, name: str, title: str) -> HistoryPart:
    order = sorted(found.series, key=lambda one: not _moved(one))
    drawn = {id(one) for one in order[:MOST_CHARTS]}
    tasks = [
        _task(found, [one for one in found.series if one.task == task], drawn, f"{name}-{place + 1}")
        for place, task in enumerate(dict.fromkeys(one.task for one in found.series))
    ]
    return HistoryPart(name, plain(title), tuple(changes_of(found)), METHOD, tuple(tasks), found.notes)


def _moved(series: Series) -> bool:
    return any(point.clear or any(step.clear for step in point.figures.values()) for point in series.points)


def _task(found: History, every: Sequence[Series], drawn: set[int], name: str) -> TaskHistory:
    differs: dict[str, list[str]] = {}
    for series in every:
        for point in series.points:
            if point.differs:
                more = f"; {len(point.differs) - 6} more" if len(point.differs) > 6 else ""
                text = f"`{point.release}` differs from the one before: {'; '.join(point.differs[:6])}{more}."
                differs.setdefault(text, []).append(series.name)
    names = {series.name for series in every}
    return TaskHistory(
        name=plain(every[0].task),
        charts=tuple(
            shown(_chart(found, one, str(place + 1)), name) for place, one in enumerate(every) if id(one) in drawn
        ),
        figures=tuple((_title(one), _figures(one)) for one in every if id(one) not in drawn),
        sources=_sources(every),
        differs=tuple(
            text if set(own) == names else f"{', '.join(f'`{one}`' for one in dict.fromkeys(own))}: {text}"
            for text, own in differs.items()
        ),
    )


def _title(series: Series) -> str:
    return plain(f"{series.name}: {metric_title(series.metric)}")


def _chart(found: History, series: Series, name: str) -> Chart:
    releases = list(found.releases)[-MOST_RELEASES:]
    points = [point for point in series.points if point.release in releases]
    left = len(series.points) - len(points)
    more = f" Not drawn: {count(left, 'older release')}, which the table has." if left else ""
    return Chart(
        name=name,
        title=_title(series),
        said=(
            "By release, oldest first; ▲ clearly better, ▼ clearly worse. Bars are 95 % intervals: a score's own; "
            f"of what it took, that of the change from the release before, and no bar where there is none.{more}"
        ),
        draw=lambda: strips(_strips(series, points, releases), [plain(one) for one in releases]),
        table=_figures(series),
    )


def _strips(series: Series, points: Sequence[SeriesPoint], releases: Sequence[str]) -> list[Strip]:
    places = {name: place for place, name in enumerate(releases)}
    scores = [
        ChartMark(places[point.release], point.score.value, point.score.low, point.score.high, point.clear)
        for point in points
        if point.score
    ]
    made = [Strip(metric_title(series.metric), tuple(scores), get(series.metric).bounds)]
    for name in _names(series):
        steps = [(places[point.release], point.figures[name]) for point in points if name in point.figures]
        if not steps:
            continue
        unit, one = _scale(steps[0][1].unit, max(step.value for _, step in steps))
        title = name if unit in name else f"{name}, {unit}"
        made.append(Strip(title, tuple(_mark_of(place, step, one) for place, step in steps)))
    return made


def _mark_of(place: int, step: FigureChange, one: float) -> ChartMark:
    """Place a figure, in units of `one`, with the interval of its change on the scale of the figure."""
    low, high = step.low, step.high
    if not step.ratio or low is None or high is None:
        return ChartMark(place, step.value / one, clear=step.clear)
    before = step.value / step.ratio / one
    return ChartMark(place, step.value / one, before * low, before * high, step.clear)


def _scale(unit: str, most: float) -> tuple[str, float]:
    for start, one, name in SCALES.get(unit, ()):
        if most >= start:
            return name, one
    return unit, 1.0


def _figures(series: Series) -> ChartTable:
    names = _names(series)
    titles = ["release", "measured", "seeds", metric_title(series.metric), "change", *names]
    rows: list[list[Cell | str]] = []
    for point in series.points:
        words = "" if point.change is None else f"{change(point.change)}{_mark(point.clear)}"
        moved = Cell(words, point.change.value) if point.change else Cell(UNKNOWN)
        taken = [_figure(point.figures.get(name)) for name in names]
        told = (plain(point.release), point.measured_at[:10], Cell(str(point.seeds), point.seeds))
        rows.append([*told, estimate_cell(point.score), moved, *taken])
    return table(titles, rows)


def _figure(step: FigureChange | None) -> Cell:
    if step is None:
        return Cell(UNKNOWN)
    moved = f" ({_ratio(step)}{_mark(step.clear)})" if step.ratio is not None else ""
    return Cell(f"{amount(step.unit, step.value)}{moved}", step.value)


def _ratio(step: FigureChange) -> str:
    if step.ratio is None:
        return "no ratio"
    interval = "no interval" if step.low is None or step.high is None else f"{step.low - 1:+.1%}, {step.high - 1:+.1%}"
    return f"{step.ratio - 1:+.1%} [{interval}]"


def _mark(clear: str | None) -> str:
    return f" {clear}" if clear else ""


def _names(series: Series) -> list[str]:
    return list(dict.fromkeys(name for point in series.points for name in point.figures))


def _sources(every: Sequence[Series]) -> ChartTable:
    """What each release was measured with, a row for each combination that its strategies had."""
    packages = sorted({name for series in every for point in series.points for name in point.versions})
    rows: dict[tuple[str, ...], list[str]] = {}
    order = list(dict.fromkeys(point.release for series in every for point in series.points))
    for series in every:
        for point in series.points:
            hashes = [_short(text) for text in (point.revision, point.weights)]
            told = (point.model, *hashes, short_commit(point.commit), _short(point.data_hash))
            versions = [point.versions.get(name, UNKNOWN) for name in packages]
            rows.setdefault((point.release, point.measured_at[:16], *told, *versions), []).append(series.name)
    titles = ["release", "strategies", "measured", "model", "revision", "weights", "commit", "data", *packages]
    found = [
        [key[0], ", ".join(dict.fromkeys(names)), *key[1:]]
        for key, names in sorted(rows.items(), key=lambda one: order.index(one[0][0]))
    ]
    return table(titles, [[plain(text) for text in row] for row in found])


def _short(text: str | None) -> str:
    """Cut a hash; a version is left as it is."""
    return text[:DIGITS] if text and re.fullmatch("[0-9a-f]+", text) else text or UNKNOWN
