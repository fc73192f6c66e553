"""A comparison as Markdown, for a README or a pull request: every column, tables that any viewer shows."""

from __future__ import annotations

import html
from collections.abc import Sequence

from harness.compare.prose import self_test_sentences
from harness.compare.table.findings import ClassResult
from harness.compare.table.result import Comparison, StrategyResult, SuiteResult, TaskResult
from harness.render.report.columns import Column, columns_of, completed_rows, learning_columns
from harness.render.report.legend import hardware, heading, learning_heading, legend, training_lines, unfinished_lines
from harness.render.report.side_tables import SideTable, columns_of_table, side_tables
from harness.render.text.escape import cell, markdown, plain
from harness.render.text.tables import markdown_table

WIDEST = 12
"""Labels in a confusion matrix that is still read; of more, only each label's scores are shown."""


def render(comparison: Comparison) -> str:
    """Write a comparison as Markdown, ending in a newline."""
    parts = [block for suite in comparison.suites for block in _suite(suite)]
    if not parts:
        parts = ["Nothing is stored yet: `harness run` makes the first records."]
    closing = [*legend(comparison), *comparison.notes]
    if closing:
        parts.append(_list(closing))
    return "\n\n".join(parts) + "\n"


def _suite(suite: SuiteResult) -> list[str]:
    blocks = [f"## {cell(suite.name)}"]
    for task in suite.tasks:
        blocks += _task(task)
    if suite.warnings:
        blocks.append(_list([f"Warning: {warning}" for warning in suite.warnings]))
    if line := hardware(suite):
        blocks.append(markdown(line))
    return blocks


def _task(task: TaskResult) -> list[str]:
    blocks = [f"### {cell(heading(task))}"]
    rows = completed_rows(task)
    if rows:
        blocks.append(_columns(columns_of(task), rows))
    if curves := learning_columns(task):
        curve_rows = [row for row in rows if row.learning_curve]
        blocks += [f"{markdown(learning_heading(task))}:", _columns(curves, curve_rows)]
    endings = [*self_test_sentences.sentences(task), *unfinished_lines(task), *training_lines(task)]
    lines = [*task.verdict, *endings, *[f"Warning: {warning.text}" for warning in task.warnings]]
    blocks.append(_list(lines))
    blocks += [_side_table(table) for table in side_tables(task)]
    return blocks + [block for row in rows if (block := _classes(row))]


def _side_table(table: SideTable) -> str:
    """Write a table beside the scores, folded away."""
    right = [index >= table.names for index in range(len(table.titles))]
    body = _table(table.titles, right, columns_of_table(table))
    return f"<details><summary>{html.escape(table.heading)}</summary>\n\n{markdown(table.note)}\n\n{body}\n\n</details>"


def _columns(columns: Sequence[Column], rows: Sequence[StrategyResult]) -> str:
    return _table([c.title for c in columns], [c.right for c in columns], [c.cells(rows) for c in columns])


def _classes(row: StrategyResult) -> str:
    """Scores of each label with the confusion matrix, folded away."""
    if not row.classes or not row.confusion:
        return ""
    labels, counts = row.confusion
    if len(labels) > WIDEST:
        labels, counts = (), [()] * len(counts)
    titles = ["label", "precision", "recall", "F1", "items", *[f"answered {label}" for label in labels]]
    table = [_class_cells(label, counts[index]) for index, label in enumerate(row.classes)]
    body = _table(titles, [False, *[True] * (len(titles) - 1)], [list(column) for column in zip(*table, strict=True)])
    name = html.escape(plain(row.strategy))  # the line is HTML, where a backslash escapes nothing
    return f"<details><summary>{name}: scores of each label</summary>\n\n{body}\n\n</details>"


def _class_cells(label: ClassResult, counts: Sequence[int]) -> list[str]:
    shares = [f"{share:.2f}" for share in (label.precision, label.recall, label.f1)]
    return [label.label, *shares, str(label.support), *map(str, counts)]


def _table(titles: Sequence[str], right: Sequence[bool], columns: Sequence[Sequence[str]]) -> str:
    rules = ["---:" if aligned else ":---" for aligned in right]
    return markdown_table(titles, rules, zip(*columns, strict=True))


def _list(lines: Sequence[str]) -> str:
    return "\n".join(f"- {markdown(line)}" for line in lines)
