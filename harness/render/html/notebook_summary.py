"""Verdicts and tables as a fragment of HTML for a notebook; text from models and records is escaped."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from markupsafe import Markup

from harness.compare.table.result import Comparison, TaskResult
from harness.render.html.page_text import mark_code
from harness.render.report.columns import Column, columns_of, completed_rows
from harness.render.report.legend import heading, legend, unfinished_lines
from harness.render.text.escape import plain

MAX_RANK = 5
"""Columns of a higher rank are left out, as in a narrow terminal."""
_HEAD, _CELL = Markup("th"), Markup("td")


def summary(comparison: Comparison, verdicts: Mapping[str, str]) -> str:
    """Return the fragment: of each suite its verdict, and of each task its table.

    Args:
        comparison: source of every figure.
        verdicts: by suite; for a suite without one, those of its tasks are shown.
    """
    parts: list[Markup] = []
    for suite in comparison.suites:
        parts.append(Markup("<h3>{}</h3>").format(plain(suite.name)))
        if verdict := verdicts.get(suite.name):
            parts.append(Markup("<p><strong>{}</strong></p>").format(mark_code(verdict)))
        for task in suite.tasks:
            parts += _task(task, has_verdict=suite.name in verdicts)
        parts += [Markup("<p>Warning: {}</p>").format(mark_code(warning)) for warning in suite.warnings]
    parts += [Markup("<p>{}</p>").format(mark_code(note)) for note in comparison.notes]
    if lines := legend(comparison):
        parts.append(Markup("<details><summary>Legend</summary>{}</details>").format(_list(lines)))
    return str(Markup("\n").join(parts))  # a text, to which others can be added


def _task(task: TaskResult, *, has_verdict: bool) -> list[Markup]:
    parts = [Markup("<h4>{}</h4>").format(heading(task))]
    rows = completed_rows(task)
    if rows:
        columns = [column for column in columns_of(task) if column.rank <= MAX_RANK]
        head = _row(_HEAD, columns, [column.title for column in columns])
        cells = zip(*[column.cells(rows) for column in columns], strict=True)
        body = Markup("\n").join(_row(_CELL, columns, texts) for texts in cells)
        parts.append(Markup("<table><thead>{}</thead>\n<tbody>{}</tbody></table>").format(head, body))
    lines = [*(() if has_verdict else task.verdict), *unfinished_lines(task)]
    lines += [f"Warning: {warning.text}" for warning in task.warnings]
    if lines:
        parts.append(_list(lines))
    return parts


def _list(lines: Sequence[str]) -> Markup:
    entries = Markup("").join(Markup("<li>{}</li>").format(mark_code(line)) for line in lines)
    return Markup("<ul>{}</ul>").format(entries)


def _row(tag: Markup, columns: Sequence[Column], texts: Sequence[str]) -> Markup:
    cell = Markup('<{0} style="text-align: {1}">{2}</{0}>')
    aligned = zip(columns, texts, strict=True)
    cells = Markup("").join(cell.format(tag, "right" if column.right else "left", text) for column, text in aligned)
    return Markup("<tr>{}</tr>").format(cells)
