"""The report as one HTML file: everything is in it, and nothing that a model or a record wrote can run."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from harness.compare.decide.choice import TaskDecision
from harness.compare.decide.confidence import Confidence, confidence, scored, smallest_model, with_less, would_change
from harness.compare.decide.decision import Decision
from harness.compare.prose.self_test_sentences import TITLES, note
from harness.compare.release.series import History
from harness.compare.report.provenance import Provenance
from harness.compare.report.shown_items import TaskExamples
from harness.compare.table.agreement import Agreement, agreement
from harness.compare.table.result import Comparison, StrategyResult, TaskResult
from harness.render.decision_report import basis, excluded, remarks, rules
from harness.render.html.all_charts import charts_of
from harness.render.html.chart import Cell, ChartTable, row_name, table
from harness.render.html.cost_section import costs_of
from harness.render.html.embedded_data import as_script, example_data, money_data, task_name
from harness.render.html.history_page import history_parts
from harness.render.html.page_assets import EmbeddedChart, environment, own_files, shown, trusted
from harness.render.report.columns import UNKNOWN, columns_of, finished
from harness.render.report.legend import heading, legend, unfinished
from harness.render.text.escape import plain

SCRIPTS = ("page.js", "costs.js", "examples.js")
MOST_BYTES = 5_000_000
"""Of the page; examples are left out until it is no larger."""
DETAILED = 12
"""Rows of a task of which each label's scores are shown; the JSON report has those of all."""
WIDEST = 12
"""Labels in a confusion matrix that can still be read."""
LEVELS = {"clear": "Clear", "tied": "Tied", "alone": "Not compared", "unknown": "Not known"}


@dataclass(frozen=True)
class Classes:
    """Scores of each label for one row, with the counts by reference and answer as shares of the row."""

    name: str
    table: ChartTable
    shares: tuple[tuple[float, ...], ...]


@dataclass(frozen=True)
class TaskPage:
    """What the page shows of one task."""

    id: str
    name: str
    heading: str
    confidence: Confidence
    level: str
    says: str
    verdict: tuple[str, ...]
    would_change: tuple[str, ...]
    smallest: str | None
    charts: tuple[EmbeddedChart, ...]
    table: ChartTable | None
    classes: tuple[Classes, ...]
    checks: ChartTable | None
    notes: tuple[str, ...]
    warnings: tuple[str, ...]


def render(
    comparison: Comparison,
    examples: Sequence[TaskExamples] = (),
    provenance: Provenance | None = None,
    decisions: Sequence[Decision] = (),
    histories: Sequence[History] = (),
) -> str:
    """Write the page.

    Args:
        comparison: what it is about; every figure of the page is one of its.
        examples: items to show.
        provenance: where the figures come from; None: it is not told.
        decisions: what to choose, of those suites that have a choice; where there is none, the tables' verdicts stand.
        histories: of the suites that have several releases.

    Returns:
        HTML that needs no other file.
    """
    came = provenance or Provenance()
    tasks = [task for suite in comparison.suites for task in suite.tasks]
    chosen = {(one.suite, task.task): task for one in decisions for task in one.tasks}
    context = {
        "title": " and ".join(plain(suite.name) for suite in comparison.suites) or "nothing stored",
        "tasks": [
            _task(task, (f"task-{place + 1}", task_name(comparison, task)), came, chosen.get((task.suite, task.name)))
            for place, task in enumerate(tasks)
        ],
        "decisions": [(one.verdict, basis(one), rules(one)) for one in decisions],
        "histories": history_parts(histories),
        "costs": costs_of(comparison),
        "assumed": comparison.assumed,
        "usage": comparison.assumed.usage,
        "came": came,
        "legend": legend(comparison),
        "notes": comparison.notes,
        "suite_warnings": [warning for suite in comparison.suites for warning in suite.warnings],
        "money_json": trusted(as_script(money_data(comparison))),
    }
    template = environment().get_template("page.html.j2")
    while True:
        data = trusted(as_script(example_data(comparison, examples)))
        page = template.render(context, **own_files(SCRIPTS), examples=examples, example_json=data)
        written = page.encode("utf-8", errors="replace")
        if len(written) <= MOST_BYTES or not any(one.examples for one in examples):
            return written.decode("utf-8")
        examples = [one.model_copy(update={"examples": one.examples[: len(one.examples) // 2]}) for one in examples]


def _task(task: TaskResult, names: tuple[str, str], came: Provenance, chosen: TaskDecision | None) -> TaskPage:
    sure, (place, name) = confidence(task), names
    changes = (*excluded(chosen), *remarks(chosen), *with_less(task)) if chosen else would_change(task)
    return TaskPage(
        id=place,
        name=plain(name),
        heading=heading(task).partition(" · ")[2],
        confidence=sure,
        level=LEVELS[sure.level],
        says=chosen.verdict if chosen else next(iter(task.verdict), ""),
        verdict=task.verdict,
        would_change=changes,
        smallest=smallest_model(task, came.models),
        charts=tuple(shown(chart, place) for chart in charts_of(task, came.models)),
        table=_table(task),
        classes=_classes(task),
        checks=_checks(task),
        notes=tuple(unfinished(task)),
        warnings=task.warnings,
    )


def _table(task: TaskResult) -> ChartTable | None:
    rows = finished(task)
    if not rows:
        return None
    columns = columns_of(task)
    cells = zip(*[column.cells(rows) for column in columns], strict=True)
    return table([column.title for column in columns], [list(row) for row in cells])


def _classes(task: TaskResult) -> tuple[Classes, ...]:
    return tuple(_of_labels(task, row) for row in scored(task)[:DETAILED] if row.classes)


def _of_labels(task: TaskResult, row: StrategyResult) -> Classes:
    labels, counts = row.confusion or ((), ())
    if len(labels) > WIDEST:
        labels, counts = (), ()
    titles = ["label", "precision", "recall", "F1", "items", *[f"answered {plain(label)}" for label in labels]]
    cells: list[list[Cell | str]] = []
    for place, one in enumerate(row.classes):
        shares = [Cell(f"{share:.2f}", share) for share in (one.precision, one.recall, one.f1)]
        answered = [Cell(f"{n:,}", n) for n in counts[place]] if labels else []
        cells.append([plain(one.label), *shares, Cell(f"{one.support:,}", one.support), *answered])
    shares = tuple(tuple(n / max(1, sum(own)) for n in own) for own in counts)
    return Classes(row_name(task, row), table(titles, cells), shares)


def _checks(task: TaskResult) -> ChartTable | None:
    found = [(row_name(task, row), agreement(one)) for row in finished(task) for one in row.checks]
    cells = [
        (
            name,
            TITLES.get(one.name, plain(one.name)),
            f"{one.agreeing} of {one.items}",
            _share(one),
            plain(note(one) or ""),
        )
        for name, one in found
    ]
    return table(["strategy", "answers alike", "items", "share", "note"], cells) if cells else None


def _share(one: Agreement) -> Cell:
    if one.share is None or one.low is None or one.high is None:
        return Cell(UNKNOWN)
    return Cell(f"{one.share:.2f} [{one.low:.2f}, {one.high:.2f}]", one.share)
