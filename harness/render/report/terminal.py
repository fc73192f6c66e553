"""A comparison for the terminal: one table a task, what limits it, and the verdict on the last screen."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from rich.console import Console, ConsoleOptions, RenderableType, RenderResult
from rich.padding import Padding
from rich.text import Text

from harness.compare.prose import self_test_sentences
from harness.compare.table.result import Comparison, StrategyResult, SuiteResult, TaskResult
from harness.render.report import self_test_lines
from harness.render.report.columns import TIED, UNKNOWN, Column, columns_of, completed_rows, learning_columns
from harness.render.report.legend import (
    hardware,
    heading,
    learning_heading,
    legend,
    suite_unfinished_lines,
    training_lines,
)
from harness.render.report.side_tables import SideTable, columns_of_table, side_tables
from harness.render.text.escape import plain
from harness.render.text.priority_table import PriorityColumn, PriorityTable, require_columns
from harness.render.text.tables import indented

REMEDY = "Choose with --columns, e.g. --columns 'TITLE'; --format csv has all."
RARE = 50
"""Added to the rank of a column that fewer than half of the rows fill."""
SHORT_LEGEND = f"{TIED} best, or tied with the best; [low, high] 95 % interval. --legend explains every column."


@dataclass(frozen=True)
class ReportView:
    """What of a report is shown.

    Attributes:
        columns: titles of the columns that are shown; empty: as many as fit, the most important first.
        legend: whether marks and columns are explained.
        details: whether losses, parts of memory and every self-test are shown too.
        brief: whether the verdict alone is shown.
        verdicts: of suites, by name; the others have the first sentence of each task.
        next_commands: worth trying now, by suite.
    """

    columns: tuple[str, ...] = ()
    legend: bool = False
    details: bool = False
    brief: bool = False
    verdicts: Mapping[str, str] = field(default_factory=dict[str, str])
    next_commands: Mapping[str, Sequence[str]] = field(default_factory=dict[str, Sequence[str]])


@dataclass(frozen=True)
class TerminalReport:
    """Prints itself at the width that the console has. Text from records is never read as markup."""

    comparison: Comparison
    view: ReportView

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        """Yield the parts, suite by suite, and what was decided last."""
        del console, options
        if not self.comparison.suites:
            yield Text("Nothing is stored yet: 'harness run' makes the first records.")
        if not self.view.brief:
            yield from self._tables()
        for suite in self.comparison.suites:
            yield from self._conclusion(suite)

    def _tables(self) -> Iterator[RenderableType]:
        for suite in self.comparison.suites:
            yield Text(plain(suite.name), style="bold underline")
            for task in suite.tasks:
                yield from _task(task, self.view)
            yield from _remarks(suite)
        if self.view.legend:
            yield from (Text(line, style="dim") for line in legend(self.comparison))
        elif legend(self.comparison):
            yield Text(SHORT_LEGEND, style="dim")
        yield from (Text(plain(note), style="yellow") for note in self.comparison.notes)

    def _conclusion(self, suite: SuiteResult) -> Iterator[RenderableType]:
        verdict = self.view.verdicts.get(suite.name)
        sentences = [verdict] if verdict else [sentence for task in suite.tasks for sentence in task.verdict[:1]]
        commands = self.view.next_commands.get(suite.name, ())
        if not self.view.brief and (sentences or commands):
            yield Text()
        if sentences:
            yield Text(f"Verdict on {plain(suite.name)}", style="bold")
        yield from (_line(_bare(sentence)) for sentence in sentences)
        yield from (_line(f"Next: {command}", "cyan") for command in commands)


def render(comparison: Comparison, view: ReportView | None = None) -> TerminalReport:
    """Lay out a comparison for a rich console.

    Raises:
        HarnessError: no task has a column that was asked for.
    """
    view = view or ReportView()
    tasks = [task for suite in comparison.suites for task in suite.tasks]
    titles = dict.fromkeys(column.title for task in tasks for column in columns_of(task))
    require_columns(view.columns, list(titles))
    return TerminalReport(comparison, view)


def _task(task: TaskResult, view: ReportView) -> Iterator[RenderableType]:
    yield Text()
    yield Text(heading(task), style="bold")
    rows = completed_rows(task)
    if rows:
        yield _table(columns_of(task), rows, view.columns)
        yield Text()
    if curves := learning_columns(task):
        yield _line(learning_heading(task))
        yield _table(curves, [row for row in rows if row.learning_curve])
        yield Text()
    if view.details:
        for table in side_tables(task):
            yield _line(f"{table.heading}. {table.note}")
            yield _side_table(table)
            yield Text()
        yield from (_line(run, "dim") for run in training_lines(task))
    yield from (_line(_bare(sentence)) for sentence in task.verdict)
    self_tests = self_test_sentences.sentences(task) if view.details else self_test_lines.lines(task)
    yield from (_line(_bare(sentence), "dim") for sentence in self_tests)
    yield from (_line(f"Warning: {plain(warning.text)}", "yellow") for warning in task.warnings)


def _table(columns: Sequence[Column], rows: Sequence[StrategyResult], chosen: Sequence[str] = ()) -> PriorityTable:
    shown: list[PriorityColumn] = []
    for column in columns:
        cells = column.cells(rows)
        rare = 2 * cells.count(UNKNOWN) > len(rows)
        rank = column.rank + RARE if column.rank and rare else column.rank
        shown.append(PriorityColumn(column.title, cells, rank, column.right))
    return PriorityTable(shown, ["bold" if row.tied_for_best else "" for row in rows], chosen, REMEDY)


def _side_table(table: SideTable) -> PriorityTable:
    columns = [
        PriorityColumn(title, cells, max(0, index + 1 - table.names), index >= table.names)
        for index, (title, cells) in enumerate(zip(table.titles, columns_of_table(table), strict=True))
    ]
    return PriorityTable(columns, [""] * len(table.cells), (), "--format markdown has all.")


def _remarks(suite: SuiteResult) -> Iterator[RenderableType]:
    yield Text()
    yield from (Text(line, style="red") for line in suite_unfinished_lines(suite))
    yield from (Text(f"Warning: {plain(warning)}", style="yellow") for warning in suite.warnings)
    if line := hardware(suite):
        yield Text(line, style="dim")


def _bare(sentence: str) -> str:
    return plain(sentence).replace("`", "")


def _line(text: str, style: str = "") -> Padding:
    return indented(Text(text, style=style))
