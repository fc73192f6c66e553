"""Two strategies side by side, as text for a terminal, as Markdown and as JSON."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from rich import box
from rich.console import Console, ConsoleOptions, RenderableType, RenderResult
from rich.measure import Measurement
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from harness.compare.pair.pair_comparison import MetricPair, PairComparison, TaskPair
from harness.compare.pair.ratios import PairRatio
from harness.compare.prose.numbers import change, count, metric_title, score, seconds, size
from harness.compare.stats.effect_size import Effect
from harness.render.report.columns import UNKNOWN
from harness.render.report.legend import KINDS
from harness.render.text.escape import cell, markdown, plain

MARGIN = (0, 0, 0, 2)
METRICS: tuple[tuple[str, Callable[[MetricPair], str]], ...] = (
    ("difference", lambda one: change(one.change)),
    ("p", lambda one: _p(one.change.p)),
    ("p (Holm)", lambda one: _p(one.change.p_holm)),
    ("won / lost / alike", lambda one: _won(one.change.effect)),
    ("effect size", lambda one: _effect(one.change.effect)),
    ("detectable", lambda one: f"{one.change.detectable:.2g}"),
)
"""Columns after the two scores."""
LEGEND = (
    (
        "Difference is the first minus the second on the same items, with its 95 % interval for new items of the same "
        "kind; clusters are kept together, and where there are several seeds their spread is added."
    ),
    "p is two-sided; of 0/1 scores of independent items it is the exact McNemar test's. Holm: adjusted for {tests}.",
    (
        "Effect size is d, the mean difference over the standard deviation of the items' differences (0.2 small, 0.5 "
        "medium, 0.8 large), and of 0/1 scores OR, how many items only the first has right for each that only the "
        "second has, with its exact interval; the difference itself is then the difference of risks."
    ),
    "Detectable is the smallest true difference that such a comparison finds in 80 % of cases.",
    (
        "Ratios are the first over the second, of geometric means over seeds, with a 95 % interval (t on logarithms) "
        "where both were measured more than once."
    ),
)


@dataclass(frozen=True)
class TerminalPairReport:
    """Prints itself at the width that the console has. Text from records is never read as markup."""

    pair: PairComparison

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        """Yield the parts, task by task."""
        first, second = plain(self.pair.first), plain(self.pair.second)
        yield Text(f"{first} against {second}", style="bold underline")
        for task in self.pair.tasks:
            yield from _task(task, (first, second), console, options)
        yield Text()
        yield from (Text(line, style="dim") for line in _legend(self.pair))
        yield from (Text(plain(note), style="yellow") for note in self.pair.notes)


def as_terminal(pair: PairComparison) -> TerminalPairReport:
    """Lay it out for a rich console."""
    return TerminalPairReport(pair)


def as_json(pair: PairComparison) -> str:
    """Write all of it as indented JSON, ending in a newline."""
    return json.dumps(pair.model_dump(mode="json"), indent=2, ensure_ascii=False, allow_nan=False) + "\n"


def as_markdown(pair: PairComparison) -> str:
    """Write it as Markdown, ending in a newline."""
    blocks = [f"## {cell(pair.first)} against {cell(pair.second)}"]
    for task in pair.tasks:
        blocks += [f"### {cell(_heading(task))}", _md_table([_titles(pair.first, pair.second), *_rows(task)])]
        if task.ratios:
            blocks.append(_md_table([["taken", pair.first, pair.second, "ratio"], *map(_ratio_row, task.ratios)]))
        if task.disagreements:
            titles = ["item", "question", "reference", pair.first, pair.second]
            blocks.append(_md_table([titles, *_items(task)]))
        said = [*task.verdict, *[f"Warning: {warning}" for warning in task.warnings]]
        blocks.append("\n".join(f"- {markdown(line)}" for line in said))
    blocks.append("\n".join(f"- {markdown(line)}" for line in [*_legend(pair), *pair.notes]))
    return "\n\n".join(blocks) + "\n"


def _task(
    task: TaskPair, names: tuple[str, str], console: Console, options: ConsoleOptions
) -> Iterator[RenderableType]:
    first, second = names
    yield Text()
    yield Text(_heading(task), style="bold")
    table = _table(_titles(first, second), _rows(task))
    wide = Measurement.get(console, options.update(max_width=10_000), table).maximum + MARGIN[3]
    for part in [table] if wide <= options.max_width else _halves(task, names):
        yield Padding(part, MARGIN, expand=False)
        yield Text()
    if task.ratios:
        rows = [_ratio_row(one) for one in task.ratios]
        yield Padding(_table(["taken", first, second, "ratio"], rows), MARGIN, expand=False)
        yield Text()
    for name, question, reference, one, other in _items(task):
        yield Padding(Text.assemble((f"{name}  ", "bold"), question), MARGIN, expand=False)
        for who, answer in (("reference", reference), (first, one), (second, other)):
            yield Padding(Text.assemble((f"{who}: ", "dim"), answer), (0, 0, 0, 4), expand=False)
    if task.disagreements:
        yield Text()
    yield from (Padding(Text(plain(line).replace("`", "")), MARGIN, expand=False) for line in task.verdict)
    for warning in task.warnings:
        yield Padding(Text(f"Warning: {plain(warning)}", style="yellow"), MARGIN, expand=False)


def _halves(task: TaskPair, names: tuple[str, str]) -> list[Table]:
    """Two tables, the second of what there is no room for in the first."""
    rows = [_titles(*names), *_rows(task)]
    scores, tests = [row[:4] for row in rows], [[row[0], *row[4:]] for row in rows]
    return [_table(part[0], part[1:]) for part in (scores, tests)]


def _heading(task: TaskPair) -> str:
    clusters = f" in {count(task.clusters, 'cluster')}" if task.clusters else ""
    kind = [KINDS.get(task.kind, task.kind)] if task.kind else []
    one, other = task.seeds
    seeds = f"{count(one, 'seed')} each" if one == other else f"{one} against {count(other, 'seed')}"
    parts = [plain(task.task), *kind, count(task.items, "test item") + clusters, seeds, plain(task.model)]
    return " · ".join(parts)


def _legend(pair: PairComparison) -> list[str]:
    tests = "this one test" if pair.tests == 1 else f"the {pair.tests} tests shown"
    return [line.format(tests=tests) for line in LEGEND]


def _titles(first: str, second: str) -> list[str]:
    return ["metric", first, second, *(title for title, _ in METRICS)]


def _rows(task: TaskPair) -> list[list[str]]:
    return [
        [metric_title(one.metric), score(one.first), score(one.second), *(text(one) for _, text in METRICS)]
        for one in task.metrics
    ]


def _items(task: TaskPair) -> list[tuple[str, str, str, str, str]]:
    """Id, question, reference and both answers of each item that they disagree on."""
    return [
        (
            plain(one.id),
            plain(one.question),
            plain(" / ".join(one.references)),
            _answer(one.first),
            _answer(one.second),
        )
        for one in task.disagreements
    ]


def _answer(text: str | None) -> str:
    return UNKNOWN if text is None else plain(text)


def _ratio_row(one: PairRatio) -> list[str]:
    once = "measured once" if min(one.repeats) < 2 else "the same each time"
    span = f"[{_times(one.low)}, {_times(one.high)}]" if one.low and one.high else f"({once})"
    return [one.name, _amount(one.first, one), _amount(one.second, one), f"{_times(one.ratio)} {span}"]


def _amount(value: float, one: PairRatio) -> str:
    return size(round(value)) if one.unit == "bytes" else seconds(value) if one.unit == "s" else f"{value:,.0f} J"


def _times(ratio: float) -> str:
    return f"{ratio:.2f}" if ratio >= 0.095 else f"{ratio:.2g}"


def _won(found: Effect | None) -> str:
    return f"{found.wins} / {found.losses} / {found.ties}" if found else UNKNOWN


def _effect(found: Effect | None) -> str:
    if found is None or (found.standardised is None and found.odds_ratio is None):
        return UNKNOWN
    parts = [] if found.standardised is None else [f"d {found.standardised:+.2f}"]
    if found.odds_ratio is not None:
        high = UNKNOWN if found.odds_high is None else f"{found.odds_high:.2g}"
        span = f" [{found.odds_low:.2g}, {high}]" if found.odds_low is not None else ""
        parts.append(f"OR {found.odds_ratio:.2g}{span}")
    return ", ".join(parts)


def _p(value: float | None) -> str:
    return (
        UNKNOWN if value is None else "<0.001" if value < 0.001 else f"{value:.2g}" if value < 0.1 else f"{value:.2f}"
    )


def _table(titles: list[str], rows: list[list[str]]) -> Table:
    table = Table(box=box.SIMPLE_HEAD, show_edge=False, pad_edge=False, padding=(0, 1, 0, 0), header_style="bold")
    for place, title in enumerate(titles):
        table.add_column(
            Text(plain(title)),
            justify="right" if place else "left",
            overflow="fold",
            vertical="bottom",
            no_wrap=place > 0,
        )
    for row in rows:
        table.add_row(*map(Text, row))
    return table


def _md_table(rows: list[list[str]] | list[list[str] | tuple[str, ...]]) -> str:
    rules = [":---", *["---:"] * (len(rows[0]) - 1)]
    lines = [list(map(cell, row)) for row in rows]
    return "\n".join(f"| {' | '.join(row)} |" for row in [lines[0], rules, *lines[1:]])
