"""Baselines, and the figures of a suite from release to release, for the terminal."""

from __future__ import annotations

from collections.abc import Sequence

from rich.text import Text

from harness.compare.prose.numbers import change, listing, metric_title, score
from harness.compare.release.history import METHOD
from harness.compare.release.series import FigureChange, History, Series, SeriesPoint
from harness.records.record import Completed
from harness.render.release.gate_report import amount
from harness.render.report.columns import UNKNOWN
from harness.render.text.escape import plain
from harness.render.text.json_text import json_text
from harness.render.text.priority_table import PriorityColumn, PriorityTable
from harness.render.text.tables import Part, indented
from harness.store.baselines import Baseline

MARKS = {"better": " ▲", "worse": " ▼", None: ""}
STYLES = {"better": "green", "worse": "bold red", None: ""}


def report(history: History) -> list[Part]:
    """Lay out tables for each series, then what the marks mean."""
    if not history.series:
        return [Text(f"No release of {plain(history.suite)} yet: 'harness baseline set NAME' makes one.")]
    parts: list[Part] = []
    for series in history.series:
        parts.append(Text(plain(f"{series.task} · {series.name} · {metric_title(series.metric)}"), style="bold"))
        parts += _tables(series)
        parts += [indented(Text(plain(_differences(point)), style="dim")) for point in series.points if point.differs]
        parts.append(Text())
    if any(len(series.points) > 1 for series in history.series):
        parts.append(indented(Text(METHOD, style="dim"), 0))
    return parts + [Text(plain(note), style="yellow") for note in history.notes]


def as_json(history: History) -> str:
    """Write a history as indented JSON, ending in a newline; unknown is null."""
    return json_text(history.model_dump(mode="json"))


def baseline_list(baselines: Sequence[Baseline], problems: Sequence[str]) -> list[Part]:
    """Lay out a table of baselines, and the problems of those that cannot be read."""
    parts: list[Part] = [Text(plain(problem), style="red") for problem in problems]
    if not baselines:
        return parts or [Text("No baseline yet: 'harness baseline set NAME' keeps what is measured now.")]
    rows: list[tuple[str, ...]] = []
    for baseline in baselines:
        records = [trial.record for trial in baseline.trials if isinstance(trial.record, Completed)]
        models = listing(list(dict.fromkeys(record.trial.model for record in records)))
        commits = dict.fromkeys(short_commit(record.environment.git_commit) for record in records)
        manifest = baseline.manifest
        names = (manifest.name, manifest.suite, manifest.measured_at[:16], manifest.set_at[:16])
        cells = (*names, str(len(records)), models, ", ".join(commits), manifest.note)
        rows.append(tuple(map(plain, cells)))
    ranks = {"baseline": 0, "suite": 1, "measured": 3, "set": 5, "trials": 2, "models": 4, "commit": 6, "note": 7}
    columns = zip(ranks.items(), zip(*rows, strict=True), strict=True)
    return [PriorityTable([PriorityColumn(title, cells, rank) for (title, rank), cells in columns], indent=0), *parts]


def _tables(series: Series) -> list[PriorityTable]:
    """One table with the model and score of each release, and one with its time, memory and cost."""
    points = series.points
    changed = [UNKNOWN if p.change is None else change(p.change) + MARKS[p.clear] for p in points]
    scores = [
        PriorityColumn("release", [plain(p.release) for p in points]),
        PriorityColumn("measured", [p.measured_at[:10] for p in points], 4),
        PriorityColumn("model", [plain(p.model) for p in points], 3),
        PriorityColumn("commit", [short_commit(p.commit) for p in points], 5),
        PriorityColumn("score", [score(p.score) if p.score else UNKNOWN for p in points], 1, right=True),
        PriorityColumn("change", changed, 2, right=True, styles=[STYLES[p.clear] for p in points]),
    ]
    names = list(dict.fromkeys(name for point in points for name in point.figures))
    if not names:
        return [PriorityTable(scores)]
    figures = [scores[0]]
    for rank, name in enumerate(names, 1):
        cells = [_figure(point.figures.get(name)) for point in points]
        figures.append(PriorityColumn(name, [t for t, _ in cells], rank, right=True, styles=[s for _, s in cells]))
    return [PriorityTable(scores), PriorityTable(figures)]


def _figure(step: FigureChange | None) -> tuple[str, str]:
    """Write a figure with its change from the release before, and give its style."""
    if step is None:
        return UNKNOWN, ""
    value = amount(step.unit, step.value)
    if step.ratio is None:
        return value, ""
    interval = "no interval" if step.low is None or step.high is None else f"{step.low - 1:+.1%}, {step.high - 1:+.1%}"
    return f"{value}\n{step.ratio - 1:+.1%} [{interval}]{MARKS[step.clear]}", STYLES[step.clear]


def _differences(point: SeriesPoint) -> str:
    suffix = f"; {len(point.differs) - 4} more" if len(point.differs) > 4 else ""
    return f"{point.release} differs: {'; '.join(point.differs[:4])}{suffix}"


def short_commit(commit: str | None) -> str:
    """Write the first digits of a commit, and whether files were changed."""
    head, dash, suffix = (commit or "").partition("-")
    return f"{head[:8]}{dash}{suffix}" or UNKNOWN
