"""A comparison for the terminal: as many columns as fit, the most important first; numbers never break.

Where what a decision needs does not fit side by side, quality and cost stand one above the other.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from rich.cells import cell_len
from rich.console import Console, ConsoleOptions, RenderResult
from rich.measure import Measurement
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from harness.compare.prose import self_test_sentences
from harness.compare.table.result import Comparison, StrategyResult, SuiteResult, TaskResult
from harness.render.report.columns import ESSENTIAL, Column, columns_of, completed_rows, learning_columns
from harness.render.report.legend import hardware, heading, learning_heading, legend, training_lines, unfinished_lines
from harness.render.text.escape import plain
from harness.render.text.tables import INDENT, TableColumn, indented, new_table


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
    if completed_rows(task):
        inner = options.update(max_width=options.max_width - INDENT)
        yield from _tables(task, console, inner)
        yield from _learning(task, console, inner)
    yield from (_line(reason, "red") for reason in unfinished_lines(task))
    yield from (_line(run, "dim") for run in training_lines(task))
    yield from (_line(sentence.replace("`", "")) for sentence in map(plain, task.verdict))
    yield from (_line(sentence.replace("`", ""), "dim") for sentence in map(plain, self_test_sentences.sentences(task)))
    yield from (_line(f"Warning: {plain(warning.text)}", "yellow") for warning in task.warnings)


def _tables(task: TaskResult, console: Console, options: ConsoleOptions) -> RenderResult:
    columns = columns_of(task)
    tables = [_fitting(completed_rows(task), columns, console, options)]
    if any(column.rank <= ESSENTIAL for column in tables[0].hidden):
        halves = [[c for c in columns if c.about in (None, about)] for about in ("quality", "cost")]
        tables = [_fitting(completed_rows(task), half, console, options) for half in halves]
    for index, fitting in enumerate(tables):
        if index:
            yield Text()
        yield indented(fitting.table)
    if titles := [column.title for fitting in tables for column in fitting.hidden]:
        yield _line(f"No room for: {', '.join(titles)}. A wider terminal or --format csv shows them.", "dim")
    yield Text()


def _learning(task: TaskResult, console: Console, options: ConsoleOptions) -> RenderResult:
    if columns := learning_columns(task):
        rows = [row for row in completed_rows(task) if row.learning_curve]
        yield _line(learning_heading(task))
        yield indented(_fitting(rows, columns, console, options).table)
        yield Text()


@dataclass(frozen=True)
class FittingTable:
    """A table no wider than the terminal, and the columns that it has no room for."""

    table: Table
    hidden: tuple[Column, ...]


def _fitting(
    rows: Sequence[StrategyResult], all_columns: Sequence[Column], console: Console, options: ConsoleOptions
) -> FittingTable:
    """Drop the least important columns until the table fits; the score always stays."""
    columns, hidden = list(all_columns), list[Column]()
    cells = {column.title: column.cells(rows) for column in all_columns}
    longest = {title: [max(texts, key=cell_len, default="")] for title, texts in cells.items()}  # as wide as all rows
    while True:
        optional = [column for column in columns if column.rank > 0]
        probe = _table(rows[:1], columns, longest, options.max_width)
        width = Measurement.get(console, options.update(max_width=10_000), probe).maximum
        if width <= options.max_width:
            return FittingTable(_table(rows, columns, cells, options.max_width, longest), tuple(hidden))
        if not optional:
            return FittingTable(_table(rows, columns, cells, options.max_width), tuple(hidden))
        # of equally important columns, the one on the right goes first
        dropped = max(enumerate(optional), key=lambda pair: (pair[1].rank, pair[0]))[1]
        columns = [column for column in columns if column is not dropped]
        hidden.insert(0, dropped)


def _table(
    rows: Sequence[StrategyResult],
    columns: Sequence[Column],
    cells: Mapping[str, Sequence[str]],
    width: int,
    longest: Mapping[str, Sequence[str]] | None = None,
) -> Table:
    """Make the table.

    Args:
        rows: strategies, from the top.
        columns: from the left.
        cells: of each column, by title.
        width: of the terminal.
        longest: the longest cell of each column where all columns fit, so that nothing has to be measured again.
    """
    texts = longest or {}
    table = new_table(_terminal_column(column, width, texts.get(column.title)) for column in columns)
    for index, row in enumerate(rows):
        row_texts = [Text(cells[column.title][index]) for column in columns]
        table.add_row(*row_texts, style="bold" if row.tied_for_best else "")
    return table


def _terminal_column(column: Column, terminal_width: int, texts: Sequence[str] | None) -> TableColumn:
    """Lay a column out: words of a number's title stand one below the other, names may take a third of the terminal."""
    title = column.title.replace(" ", "\n") if column.right else column.title
    max_width = None if column.right else max(20, terminal_width // 3)
    width = None if texts is None else max(map(cell_len, [*title.split("\n"), *texts]))
    if width is not None and max_width is not None:
        width = min(width, max_width)
    return TableColumn(
        title, right=column.right, no_wrap=column.right, vertical="bottom", width=width, max_width=max_width
    )


def _remarks(suite: SuiteResult) -> RenderResult:
    yield Text()
    yield from (Text(f"Warning: {plain(warning)}", style="yellow") for warning in suite.warnings)
    if line := hardware(suite):
        yield Text(line, style="dim")


def _line(text: str, style: str = "") -> Padding:
    return indented(Text(text, style=style))
