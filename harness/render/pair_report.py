"""Two strategies side by side, as text for a terminal, as Markdown and as JSON."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass

from rich.console import Console, ConsoleOptions, RenderableType, RenderResult
from rich.text import Text

from harness.compare.pair.disagreements import Disagreement
from harness.compare.pair.pair_comparison import MetricPair, PairComparison, TaskPair
from harness.compare.pair.ratios import PairRatio
from harness.compare.prose.numbers import change, count, metric_title, score
from harness.compare.prose.tie_sentences import too_few
from harness.compare.stats.effect_size import Effect
from harness.compare.stats.estimates import Difference
from harness.measure.units import seconds, size
from harness.render.report.columns import UNKNOWN
from harness.render.report.legend import KINDS
from harness.render.text.escape import cell, markdown, plain
from harness.render.text.json_text import json_text
from harness.render.text.priority_table import PriorityColumn, PriorityTable, require_columns
from harness.render.text.tables import INDENT, indented, markdown_table

METRICS: tuple[tuple[str, Callable[[MetricPair], str]], ...] = (
    ("difference", lambda metric: change(metric.change)),
    ("p", lambda metric: _p(metric.change.p)),
    ("adjusted p", lambda metric: _p(metric.change.p_holm)),
    ("won / lost / alike", lambda metric: _wins(metric.change.effect)),
    ("effect size", lambda metric: _effect(metric.change.effect)),
    ("detectable", lambda metric: _detectable(metric.change, metric.metric)),
)
"""Columns after the two scores."""
RANKS = (0, 2, 2, 1, 4, 3, 5, 6, 7)
"""Of the columns, metric and scores first, where there is no room for all."""
REMEDY = "Choose with --columns, e.g. --columns 'TITLE'; --format json has all."
SHORT_LEGEND = "[low, high] 95 % interval; --legend explains every column."
LEGEND = (
    (
        "Difference is the first minus the second on the same items, with its 95 % interval for new items of the same "
        "kind, clusters and seeds included. The seed SD is pooled over all strategies of the task, as in the report."
    ),
    (
        "p is two-sided; of 0/1 scores of independent items it is the exact McNemar test's. Adjusted p is for all "
        "pairs of the task's strategies (Shaffer), as in the report."
    ),
    (
        "Effect size is d, the mean difference over the standard deviation of the items' differences (0.2 small, 0.5 "
        "medium, 0.8 large), and for 0/1 scores the odds ratio OR of the items that only one has right, with its exact "
        "interval."
    ),
    "Detectable is the smallest true difference that such a comparison finds in 80 % of cases.",
    (
        "Ratios are the first over the second, of geometric means over seeds, with the spread of runs in one sitting "
        "(t on logarithms); another day's can lie outside."
    ),
)


@dataclass(frozen=True)
class TerminalPairReport:
    """Prints itself at the width that the console has. Text from records is never read as markup."""

    pair: PairComparison
    columns: tuple[str, ...] = ()
    legend: bool = False

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        """Yield the parts, task by task."""
        del console, options
        first, second = plain(self.pair.first), plain(self.pair.second)
        yield Text(f"{first} against {second}", style="bold underline")
        for task in self.pair.tasks:
            yield from _task(task, first, second, self.columns)
        yield Text()
        yield from (Text(line, style="dim") for line in (LEGEND if self.legend else [SHORT_LEGEND]))
        yield from (Text(plain(note), style="yellow") for note in self.pair.notes)


def as_terminal(pair: PairComparison, columns: Sequence[str] = (), *, legend: bool = False) -> TerminalPairReport:
    """Lay it out for a rich console.

    Args:
        pair: the comparison.
        columns: titles of the columns that are shown; empty: as many as fit.
        legend: whether the columns are explained.

    Raises:
        HarnessError: there is no such column.
    """
    require_columns(columns, _titles(plain(pair.first), plain(pair.second))[1:])
    return TerminalPairReport(pair, tuple(columns), legend)


def as_json(pair: PairComparison) -> str:
    """Write all of it as indented JSON, ending in a newline."""
    return json_text(pair.model_dump(mode="json"))


def as_markdown(pair: PairComparison) -> str:
    """Write it as Markdown, ending in a newline."""
    blocks = [f"## {cell(pair.first)} against {cell(pair.second)}"]
    for task in pair.tasks:
        blocks += [f"### {cell(_heading(task))}", _markdown_table(_titles(pair.first, pair.second), _rows(task))]
        if task.ratios:
            blocks.append(_markdown_table(["taken", pair.first, pair.second, "ratio"], map(_ratio_row, task.ratios)))
        if task.disagreements:
            titles = ["item", "question", "reference", pair.first, pair.second]
            blocks.append(_markdown_table(titles, map(_disagreement_row, task.disagreements)))
        sentences = [*task.verdict, *[f"Warning: {warning}" for warning in task.warnings]]
        blocks.append("\n".join(f"- {markdown(sentence)}" for sentence in sentences))
    blocks.append("\n".join(f"- {markdown(line)}" for line in [*LEGEND, *pair.notes]))
    return "\n\n".join(blocks) + "\n"


def _task(task: TaskPair, first: str, second: str, chosen: Sequence[str]) -> Iterator[RenderableType]:
    yield Text()
    yield Text(_heading(task), style="bold")
    yield _table(_titles(first, second), _rows(task), RANKS, chosen)
    yield Text()
    if task.ratios:
        yield _table(["taken", first, second, "ratio"], [_ratio_row(ratio) for ratio in task.ratios], [0, 1, 2, 0])
        yield Text()
    for name, question, reference, *answers in map(_disagreement_row, task.disagreements):
        yield indented(Text.assemble((f"{name}  ", "bold"), question))
        for source, answer in zip(("reference", first, second), (reference, *answers), strict=True):
            yield indented(Text.assemble((f"{source}: ", "dim"), answer), 2 * INDENT)
    if task.disagreements:
        yield Text()
    yield from (indented(Text(plain(sentence).replace("`", ""))) for sentence in task.verdict)
    yield from (indented(Text(f"Warning: {plain(warning)}", style="yellow")) for warning in task.warnings)


def _heading(task: TaskPair) -> str:
    clusters = f" in {count(task.clusters, 'cluster')}" if task.clusters else ""
    kind = [KINDS.get(task.kind, task.kind)] if task.kind else []
    first, second = task.seeds
    seeds = f"{count(first, 'seed')} each" if first == second else f"{first} against {count(second, 'seed')}"
    parts = [plain(task.task), *kind, count(task.items, "test item") + clusters, seeds, plain(task.model)]
    return " · ".join(parts)


def _titles(first: str, second: str) -> list[str]:
    return ["metric", first, second, *(title for title, _ in METRICS)]


def _rows(task: TaskPair) -> list[list[str]]:
    return [
        [metric_title(metric.metric), score(metric.first), score(metric.second), *(text(metric) for _, text in METRICS)]
        for metric in task.metrics
    ]


def _disagreement_row(disagreement: Disagreement) -> list[str]:
    """Id, question, reference and both answers of an item."""
    texts = (disagreement.id, disagreement.question, " / ".join(disagreement.references))
    return [*map(plain, texts), _answer(disagreement.first), _answer(disagreement.second)]


def _answer(text: str | None) -> str:
    return UNKNOWN if text is None else plain(text)


def _ratio_row(ratio: PairRatio) -> list[str]:
    amounts = [_amount(ratio.unit, ratio.first), _amount(ratio.unit, ratio.second)]
    interval = f"[{_times(ratio.low)}, {_times(ratio.high)}]" if ratio.low and ratio.high else f"({ratio.note})"
    times = interval if ratio.ratio is None else f"{_times(ratio.ratio)} {interval}"
    return [ratio.name, *amounts, times]


def _amount(unit: str, value: float) -> str:
    return size(value) if unit == "bytes" else seconds(value) if unit == "s" else f"{value:,.0f} J"


def _times(ratio: float) -> str:
    return f"{ratio:,.0f}" if ratio >= 99.5 else f"{ratio:.2f}" if ratio >= 0.095 else f"{ratio:.2g}"


def _detectable(gap: Difference, metric: str) -> str:
    return "too few items" if too_few(gap, metric) else f"{gap.detectable:.2g}"


def _wins(effect: Effect | None) -> str:
    return f"{effect.wins} / {effect.losses} / {effect.ties}" if effect else UNKNOWN


def _effect(effect: Effect | None) -> str:
    if effect is None or (effect.standardised is None and effect.odds_ratio is None):
        return UNKNOWN
    parts = [] if effect.standardised is None else [f"d {effect.standardised:+.2f}"]
    if effect.odds_ratio is not None:
        high = UNKNOWN if effect.odds_high is None else f"{effect.odds_high:.2g}"
        interval = f" [{effect.odds_low:.2g}, {high}]" if effect.odds_low is not None else ""
        parts.append(f"OR {effect.odds_ratio:.2g}{interval}")
    return ", ".join(parts)


def _p(value: float | None) -> str:
    return (
        UNKNOWN if value is None else "<0.001" if value < 0.001 else f"{value:.2g}" if value < 0.1 else f"{value:.2f}"
    )


def _table(
    titles: Sequence[str], rows: Sequence[Sequence[str]], ranks: Sequence[int], chosen: Sequence[str] = ()
) -> PriorityTable:
    columns = [
        PriorityColumn(title, cells, rank, right=index > 0)
        for index, (title, cells, rank) in enumerate(zip(titles, zip(*rows, strict=True), ranks, strict=True))
    ]
    return PriorityTable(columns, chosen=chosen, remedy=REMEDY)


def _markdown_table(titles: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    return markdown_table(titles, [":---", *["---:"] * (len(titles) - 1)], rows)
