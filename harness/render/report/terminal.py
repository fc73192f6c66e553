"""A comparison for the terminal: as many columns as fit, the most important first; numbers never break.

Where what a decision needs does not fit side by side, quality and cost stand one above the other.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from rich import box
from rich.cells import cell_len
from rich.console import Console, ConsoleOptions, RenderResult
from rich.measure import Measurement
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from harness.compare.prose import self_test_sentences
from harness.compare.table.result import Comparison, StrategyResult, SuiteResult, TaskResult
from harness.render.report.columns import ESSENTIAL, Column, columns_of, finished, learning_columns
from harness.render.report.legend import hardware, heading, learning_heading, legend, trained, unfinished
from harness.render.text.escape import plain

MARGIN = (0, 0, 0, 2)
"""Of all that belongs to a task."""


@dataclass(frozen=True)
class TerminalReport:
    """Prints itself at the width that the console has. Text from records is never read as markup."""

    comparison: Comparison

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        """Yield the parts, suite by suite."""
        if not self.comparison.suites:
            yield Text("Nothing is stored yet: 'harness run' makes the first records.")
        for suite in self.comparison.suites:
            yield Text(plain(suite.name), style="bold underline")
            for task in suite.tasks:
                yield from _task(task, console, options)
            yield from _remarks(suite)
        yield from (Text(line, style="dim") for line in legend(self.comparison))
        yield from (Text(plain(note), style="yellow") for note in self.comparison.notes)


def render(comparison: Comparison) -> TerminalReport:
    """Lay out a comparison for a rich console."""
    return TerminalReport(comparison)


def _task(task: TaskResult, console: Console, options: ConsoleOptions) -> RenderResult:
    yield Text()
    yield Text(heading(task), style="bold")
    if finished(task):
        inner = options.update(max_width=options.max_width - MARGIN[3])
        yield from _tables(task, console, inner)
        yield from _learning(task, console, inner)
    yield from (_indented(line, "red") for line in unfinished(task))
    yield from (_indented(line, "dim") for line in trained(task))
    yield from (_indented(sentence.replace("`", ""), "") for sentence in map(plain, task.verdict))
    yield from (_indented(line.replace("`", ""), "dim") for line in map(plain, self_test_sentences.sentences(task)))
    yield from (_indented(f"Warning: {plain(warning)}", "yellow") for warning in task.warnings)


def _tables(task: TaskResult, console: Console, options: ConsoleOptions) -> RenderResult:
    columns = columns_of(task)
    shown = [_fitting(finished(task), columns, console, options)]
    if any(column.rank <= ESSENTIAL for column in shown[0][1]):
        halves = [[c for c in columns if c.about in (None, about)] for about in ("quality", "cost")]
        shown = [_fitting(finished(task), half, console, options) for half in halves]
    for place, (table, _) in enumerate(shown):
        if place:
            yield Text()
        yield Padding(table, MARGIN, expand=False)
    if left_out := [column.title for _, names in shown for column in names]:
        yield _indented(f"No room for: {', '.join(left_out)}. A wider terminal or --format csv shows them.", "dim")
    yield Text()


def _learning(task: TaskResult, console: Console, options: ConsoleOptions) -> RenderResult:
    if columns := learning_columns(task):
        rows = [row for row in finished(task) if row.learning_curve]
        yield _indented(learning_heading(task), "")
        yield Padding(_fitting(rows, columns, console, options)[0], MARGIN, expand=False)
        yield Text()


def _fitting(
    rows: Sequence[StrategyResult], every: Sequence[Column], console: Console, options: ConsoleOptions
) -> tuple[Table, list[Column]]:
    """Drop the least important columns until the table fits; the score always stays."""
    columns, left_out = list(every), list[Column]()
    cells = {column.title: column.cells(rows) for column in every}
    longest = {title: [max(texts, key=cell_len, default="")] for title, texts in cells.items()}  # as wide as all rows
    while True:
        spare = [column for column in columns if column.rank > 0]
        probe = _table(rows[:1], columns, longest, options.max_width)
        wide = Measurement.get(console, options.update(max_width=10_000), probe).maximum
        if wide <= options.max_width:
            return _table(rows, columns, cells, options.max_width, longest), left_out
        if not spare:
            return _table(rows, columns, cells, options.max_width), left_out
        # of equally important ones, the one on the right goes first
        least = max(enumerate(spare), key=lambda pair: (pair[1].rank, pair[0]))[1]
        columns = [column for column in columns if column is not least]
        left_out.insert(0, least)


def _table(
    rows: Sequence[StrategyResult],
    columns: Sequence[Column],
    cells: Mapping[str, Sequence[str]],
    width: int,
    longest: Mapping[str, Sequence[str]] | None = None,
) -> Table:
    """Make the table.

    Args:
        rows: what it shows.
        columns: of it, from the left.
        cells: of each column, by title.
        width: of the terminal.
        longest: cell of each column, where all have room, so that nothing has to be measured again.
    """
    table = Table(box=box.SIMPLE_HEAD, show_edge=False, pad_edge=False, padding=(0, 1, 0, 0), header_style="bold")
    for column in columns:
        title = column.title.replace(" ", "\n") if column.right else column.title
        most = None if column.right else max(20, width // 3)
        wide = max(map(cell_len, [*title.split("\n"), *longest[column.title]])) if longest else None
        table.add_column(
            Text(title),
            justify="right" if column.right else "left",
            no_wrap=column.right,
            overflow="fold",
            vertical="bottom",
            width=wide if wide is None or most is None else min(wide, most),
            max_width=most,
        )
    for place, row in enumerate(rows):
        texts = [Text(cells[column.title][place]) for column in columns]
        table.add_row(*texts, style="bold" if row.tied_for_best else "")
    return table


def _remarks(suite: SuiteResult) -> RenderResult:
    yield Text()
    yield from (Text(f"Warning: {plain(warning)}", style="yellow") for warning in suite.warnings)
    if line := hardware(suite):
        yield Text(line, style="dim")


def _indented(text: str, style: str) -> Padding:
    return Padding(Text(text, style=style), MARGIN, expand=False)
