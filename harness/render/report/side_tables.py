"""Tables beside a task's table of scores: how far confidence can be trusted, and scores by slice."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from harness.compare.prose.numbers import change, count, metric_title, score
from harness.compare.stats.estimates import Estimate
from harness.compare.table.confidence_types import ConfidenceFigures, CoverageAccuracy, HandoverThreshold
from harness.compare.table.result import StrategyResult, TaskResult
from harness.render.report.columns import UNKNOWN, completed_rows, several_models
from harness.render.text.escape import plain


@dataclass(frozen=True)
class SideTable:
    """A table of texts.

    Attributes:
        note: what it shows, a sentence.
        titles: of the columns; the first `names` of them hold names, the others numbers.
        cells: a text a column, of each row.
    """

    heading: str
    note: str
    titles: tuple[str, ...]
    names: int
    cells: tuple[tuple[str, ...], ...]


def side_tables(task: TaskResult) -> list[SideTable]:
    """Return the tables that a task has anything for."""
    return [table for table in (slice_table(task), confidence_table(task)) if table]


def confidence_table(task: TaskResult) -> SideTable | None:
    """Lay out the confidence of each row whose answers are scored, by each reading; None: there is none."""
    pairs = [(row, figures) for row in completed_rows(task) for figures in row.confidence]
    example = next((figures for _, figures in pairs if figures.coverage), None)
    if not pairs:
        return None
    coverage = [f"accuracy at {part.coverage:.0%} coverage" for part in example.coverage] if example else []
    targets = [f"handed over for {part.target:.0%}" for part in example.handover] if example else []
    return SideTable(
        "Confidence",
        "Probability of the answer among the choices. Calibration error: 0 is best. Coverage: share of the most "
        "confident items that are answered. Handed over: below the threshold, so that the other answers reach the "
        "accuracy; their share and their accuracy are of items that did not fix the threshold.",
        ("strategy", "reading", "calibration error", "Brier score", *coverage, *targets),
        2,
        tuple(_confidence_cells(task, row, figures, len(coverage) + len(targets)) for row, figures in pairs),
    )


def slice_table(task: TaskResult) -> SideTable | None:
    """Lay out the scores of each row on each slice; None: nothing divides the items."""
    if not task.slices:
        return None
    titles = [plain(metric_title(metric)) for metric in task.metrics]
    cells: list[tuple[str, ...]] = []
    for part in task.slices:
        place = plain(f"{part.column} = {part.value}")
        if part.too_small:
            cells.append((place, "too small", f"{part.items:,}", *[UNKNOWN] * (len(titles) + 1)))
        for row in part.rows:
            name = f"{plain(row.strategy)} ({plain(row.model)})" if several_models(task) else plain(row.strategy)
            scores = [_estimate(row.scores.get(metric)) for metric in task.metrics]
            worst = f"{scores[0]} (worst)" if row.worst else scores[0]
            to_others = change(row.to_others) if row.to_others else UNKNOWN
            cells.append((place, name, f"{part.items:,}", worst, to_others, *scores[1:]))
    return SideTable(
        "Slices",
        "Scores on the items of each value of a column. To others: difference to all other items on the first metric.",
        ("slice", "strategy", "items", *titles[:1], "to others", *titles[1:]),
        2,
        tuple(cells),
    )


def _confidence_cells(task: TaskResult, row: StrategyResult, figures: ConfidenceFigures, width: int) -> tuple[str, ...]:
    name = f"{plain(row.label)} ({plain(row.model)})" if several_models(task) else plain(row.label)
    if figures.unread:
        reason = f"needs --all-scores: scores of some choices are not stored for {count(figures.unread, 'item')}"
        return (name, figures.reading, reason, UNKNOWN, *[UNKNOWN] * width)
    return (
        name,
        figures.reading,
        _estimate(figures.calibration_error),
        _estimate(figures.brier),
        *map(_coverage_cell, figures.coverage),
        *map(_handover_cell, figures.handover),
    )


def _coverage_cell(part: CoverageAccuracy) -> str:
    return score(part.accuracy)


def _handover_cell(handover: HandoverThreshold) -> str:
    if handover.threshold is None:
        return "not reached"
    right = f"right {score(handover.accuracy)}" if handover.accuracy else "none answered"
    return f"{1 - handover.answered.value:.0%} below {handover.threshold:.2f}; {right}"


def _estimate(estimate: Estimate | None) -> str:
    return score(estimate) if estimate else UNKNOWN


def columns_of_table(table: SideTable) -> list[Sequence[str]]:
    """Return the cells by column."""
    return [list(column) for column in zip(*table.cells, strict=True)]
