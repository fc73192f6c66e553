"""Releases in the terminal: which baselines there are, and how figures moved from one to the next."""

from __future__ import annotations

import json
from collections.abc import Sequence

from rich import box
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from harness.compare.prose.numbers import change, listing, metric_title, score
from harness.compare.release.history import METHOD
from harness.compare.release.series import FigureChange, History, Series, SeriesPoint
from harness.records.record import Completed
from harness.render.release.gate_report import Part, amount
from harness.render.report.columns import UNKNOWN
from harness.render.text.escape import plain
from harness.store.baselines import Baseline

MARKS = {"better": " ▲", "worse": " ▼", None: ""}
STYLES = {"better": "green", "worse": "bold red", None: ""}


def report(found: History) -> list[Part]:
    """Lay out tables for each series, then what the marks mean."""
    if not found.series:
        return [Text(f"No release of {plain(found.suite)} yet: 'harness baseline set NAME' makes one.")]
    parts: list[Part] = []
    for series in found.series:
        parts.append(Text(plain(f"{series.task} · {series.name} · {metric_title(series.metric)}"), style="bold"))
        parts += [_indented(table) for table in _tables(series)]
        parts += [_indented(Text(plain(_differs(point)), style="dim")) for point in series.points if point.differs]
        parts.append(Text())
    if any(len(series.points) > 1 for series in found.series):
        parts.append(_indented(Text(METHOD, style="dim"), 0))
    return parts + [Text(plain(note), style="yellow") for note in found.notes]


def as_json(found: History) -> str:
    """Write a history as indented JSON, ending in a newline; unknown is null."""
    return json.dumps(found.model_dump(mode="json"), indent=2, ensure_ascii=False, allow_nan=False) + "\n"


def baselines(found: Sequence[Baseline], problems: Sequence[str]) -> list[Part]:
    """Lay out a list of baselines, and what is wrong with others."""
    parts: list[Part] = [Text(plain(line), style="red") for line in problems]
    if not found:
        return parts or [Text("No baseline yet: 'harness baseline set NAME' keeps what is measured now.")]
    table = _new("baseline", "suite", "measured", "set", "trials", "models", "commit", "note")
    for one in found:
        records = [trial.record for trial in one.trials if isinstance(trial.record, Completed)]
        models = listing(list(dict.fromkeys(record.trial.model for record in records)))
        commits = dict.fromkeys(short_commit(record.environment.git_commit) for record in records)
        told = one.manifest
        cells = (told.name, told.suite, told.measured_at[:16], told.set_at[:16], str(len(records)), models)
        table.add_row(*[Text(plain(text)) for text in (*cells, ", ".join(commits), told.note)])
    return [table, *parts]


def _tables(series: Series) -> list[Table]:
    """Lay out scores and what each release was, and below it what it took."""
    scores = _new("release", "measured", "model", "commit", "score", "change")
    for point in series.points:
        changed = UNKNOWN if point.change is None else change(point.change) + MARKS[point.clear]
        told = (point.release, point.measured_at[:10], point.model, short_commit(point.commit))
        value = Text(score(point.score) if point.score else UNKNOWN)
        scores.add_row(*[Text(plain(text)) for text in told], value, Text(changed, style=STYLES[point.clear]))
    names = list(dict.fromkeys(name for point in series.points for name in point.figures))
    if not names:
        return [scores]
    taken = _new("release", *names)
    for point in series.points:
        taken.add_row(Text(plain(point.release)), *[_figure(point.figures.get(name)) for name in names])
    return [scores, taken]


def _figure(step: FigureChange | None) -> Text:
    if step is None:
        return Text(UNKNOWN)
    value = amount(step.unit, step.value)
    if step.ratio is None:
        return Text(value)
    interval = "no interval" if step.low is None or step.high is None else f"{step.low - 1:+.1%}, {step.high - 1:+.1%}"
    return Text(f"{value}\n{step.ratio - 1:+.1%} [{interval}]{MARKS[step.clear]}", style=STYLES[step.clear])


def _differs(point: SeriesPoint) -> str:
    more = f"; {len(point.differs) - 4} more" if len(point.differs) > 4 else ""
    return f"{point.release} differs: {'; '.join(point.differs[:4])}{more}"


def short_commit(commit: str | None) -> str:
    """Write the first digits of a commit, and whether files were changed."""
    head, dash, rest = (commit or "").partition("-")
    return f"{head[:8]}{dash}{rest}" or UNKNOWN


def _new(*titles: str) -> Table:
    table = Table(box=box.SIMPLE_HEAD, show_edge=False, pad_edge=False, padding=(0, 1, 0, 0), header_style="bold")
    for title in titles:
        table.add_column(title, overflow="fold", no_wrap=title in {"score", "change"})
    return table


def _indented(part: Text | Table, by: int = 2) -> Padding:
    return Padding(part, (0, 0, 0, by), expand=False)
