"""The report as one self-contained HTML file; text from models and records is escaped and cannot run."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from harness.api import ModelInfo
from harness.compare.decide.choice import TaskDecision
from harness.compare.decide.confidence import Confidence, confidence, scored, with_less, would_change
from harness.compare.decide.decision import Decision
from harness.compare.prose.self_test_sentences import TITLES, note
from harness.compare.release.series import History
from harness.compare.report.provenance import Provenance
from harness.compare.report.shown_items import TaskExamples
from harness.compare.table.agreement import Agreement, agreement
from harness.compare.table.result import Comparison, StrategyResult, TaskResult
from harness.render.decision_report import basis, exclusions, remarks, rules
from harness.render.html.chart import Cell, Chart, ChartTable, row_name, table
from harness.render.html.cost_section import task_costs
from harness.render.html.embedded_data import as_script, example_data, money_data, task_name
from harness.render.html.glossary import glossary
from harness.render.html.history_page import history_parts
from harness.render.html.page_assets import EmbeddedChart, embed_chart, embedded_files, mark_safe, template_environment
from harness.render.html.quality_charts import main_table, quality_charts
from harness.render.html.side_effect_charts import effect_charts
from harness.render.html.training_charts import learning_charts
from harness.render.report.columns import UNKNOWN, columns_of, completed_rows
from harness.render.report.legend import heading, legend, unfinished_lines
from harness.render.report.side_tables import side_tables
from harness.render.text.escape import plain
from harness.store.redaction import REDACTED

SCRIPTS = ("costs.js", "examples.js")
MAX_PAGE_BYTES = 5_000_000
"""Size limit of the page; examples are halved until it fits."""
MAX_LABEL_ROWS = 12
"""Rows of a task with per-label scores; the JSON report has all."""
MAX_CONFUSION_LABELS = 12
"""Labels in a readable confusion matrix."""
LEVELS = {"clear": "Clear", "probable": "Probable", "tied": "Tied", "alone": "Not compared", "unknown": "Not known"}


@dataclass(frozen=True)
class Classes:
    """Per-label scores of one row; `shares` is its confusion matrix, normalised by reference."""

    name: str
    table: ChartTable
    shares: tuple[tuple[float, ...], ...]


@dataclass(frozen=True)
class TaskPage:
    """Contents of one task's section."""

    id: str
    name: str
    heading: str
    confidence: Confidence
    level: str
    headline: str
    verdict: tuple[str, ...]
    would_change: tuple[str, ...]
    main: ChartTable | None
    charts: tuple[EmbeddedChart, ...]
    table: ChartTable | None
    classes: tuple[Classes, ...]
    sides: tuple[tuple[str, str, ChartTable], ...]
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
        comparison: source of every figure on the page.
        examples: items to show.
        provenance: where the figures come from; None: unknown.
        decisions: of suites that have one; for other tasks the verdicts of `comparison` are shown.
        histories: of suites with several releases.

    Returns:
        HTML that needs no other file.
    """
    provenance = provenance or Provenance()
    tasks = [task for suite in comparison.suites for task in suite.tasks]
    task_decisions = {(decision.suite, task.task): task for decision in decisions for task in decision.tasks}
    context: dict[str, Any] = {
        "title": " and ".join(plain(suite.name) for suite in comparison.suites) or "nothing stored",
        "tasks": [
            _task(
                task,
                f"task-{index + 1}",
                task_name(comparison, task),
                provenance,
                task_decisions.get((task.suite, task.name)),
            )
            for index, task in enumerate(tasks)
        ],
        "decisions": [(decision.verdict, basis(decision), rules(decision)) for decision in decisions],
        "histories": history_parts(histories),
        "costs": task_costs(comparison),
        "assumed": comparison.assumed,
        "usage": comparison.assumed.usage,
        "provenance": provenance,
        "legend": legend(comparison),
        "notes": comparison.notes,
        "suite_warnings": [warning for suite in comparison.suites for warning in suite.warnings],
        "glossary": glossary(comparison),
        "money_json": mark_safe(as_script(money_data(comparison))),
    }
    template = template_environment(context["glossary"]).get_template("page.html.j2")
    while True:
        data = mark_safe(as_script(example_data(comparison, examples)))
        context["restricted"] = sum(
            item.restricted and any(answer.prompt != REDACTED for answer in item.answers)
            for task_examples in examples
            for item in task_examples.examples
        )
        page = template.render(context, **embedded_files(SCRIPTS), examples=examples, example_json=data)
        page_bytes = page.encode("utf-8", errors="replace")
        if len(page_bytes) <= MAX_PAGE_BYTES or not any(task_examples.examples for task_examples in examples):
            return page_bytes.decode("utf-8")
        examples = [
            task_examples.model_copy(update={"examples": task_examples.examples[: len(task_examples.examples) // 2]})
            for task_examples in examples
        ]


def task_charts(task: TaskResult, models: Sequence[ModelInfo] = ()) -> list[Chart]:
    """The charts of one task, the most important first; `models` are those of the trials."""
    return [*quality_charts(task, models), *effect_charts(task), *learning_charts(task)]


def _task(task: TaskResult, page_id: str, name: str, provenance: Provenance, decision: TaskDecision | None) -> TaskPage:
    task_confidence = confidence(task)
    changes = (*exclusions(decision), *remarks(decision), *with_less(task)) if decision else would_change(task)
    return TaskPage(
        id=page_id,
        name=plain(name),
        heading=heading(task).partition(" · ")[2],
        confidence=task_confidence,
        level=LEVELS[task_confidence.level],
        headline=decision.verdict if decision else next(iter(task.verdict), ""),
        verdict=task.verdict,
        would_change=changes,
        main=main_table(task, provenance.models),
        charts=tuple(embed_chart(chart, page_id) for chart in task_charts(task, provenance.models)),
        table=_task_table(task),
        classes=_classes(task),
        sides=tuple((side.heading, side.note, table(side.titles, side.cells)) for side in side_tables(task)),
        checks=_check_table(task),
        notes=tuple(unfinished_lines(task)),
        warnings=tuple(warning.text for warning in task.warnings),
    )


def _task_table(task: TaskResult) -> ChartTable | None:
    rows = completed_rows(task)
    if not rows:
        return None
    columns = columns_of(task)
    cells = zip(*[column.cells(rows) for column in columns], strict=True)
    return table([column.title for column in columns], [list(row) for row in cells])


def _classes(task: TaskResult) -> tuple[Classes, ...]:
    return tuple(_label_scores(task, row) for row in scored(task)[:MAX_LABEL_ROWS] if row.classes)


def _label_scores(task: TaskResult, row: StrategyResult) -> Classes:
    labels, counts = row.confusion or ((), ())
    if len(labels) > MAX_CONFUSION_LABELS:
        labels, counts = (), ()
    titles = ["label", "precision", "recall", "F1", "items", *[f"answered {plain(label)}" for label in labels]]
    cells: list[list[Cell | str]] = []
    for index, scores in enumerate(row.classes):
        shares = [Cell(f"{share:.2f}", share) for share in (scores.precision, scores.recall, scores.f1)]
        answer_counts = [Cell(f"{n:,}", n) for n in counts[index]] if labels else []
        cells.append([plain(scores.label), *shares, Cell(f"{scores.support:,}", scores.support), *answer_counts])
    shares = tuple(tuple(n / max(1, sum(label_counts)) for n in label_counts) for label_counts in counts)
    return Classes(row_name(task, row), table(titles, cells), shares)


def _check_table(task: TaskResult) -> ChartTable | None:
    agreements = [(row_name(task, row), agreement(check)) for row in completed_rows(task) for check in row.checks]
    cells = [
        (
            name,
            TITLES.get(tally.name, plain(tally.name)),
            f"{tally.agreeing} of {tally.answers}",
            _share_cell(tally),
            plain(note(tally) or ""),
        )
        for name, tally in agreements
    ]
    return table(["strategy", "answers alike", "answers", "share", "note"], cells) if cells else None


def _share_cell(tally: Agreement) -> Cell:
    if tally.share is None or tally.low is None or tally.high is None:
        return Cell(UNKNOWN)
    return Cell(f"{tally.share:.2f} [{tally.low:.2f}, {tally.high:.2f}]", tally.share)
