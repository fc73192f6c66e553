"""Rows that learned items which a model wrote, and what they score without the test items that these resemble."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from harness import metrics
from harness.compare.stats.estimates import Estimate, estimate
from harness.compare.stats.sample import Sample
from harness.compare.table.findings import SyntheticTraining
from harness.compare.trials.stored_trials import StoredTrialItems
from harness.records.measurements import SyntheticRows
from harness.records.record import Completed


def synthetic_training_of(trials: Sequence[StoredTrialItems], metric_name: str) -> SyntheticTraining | None:
    """Sum up what a strategy's seeds learned of items that a model wrote; None where they learned none.

    Args:
        trials: one strategy's seeds on one task.
        metric_name: the task's primary metric.
    """
    records = [trial.record for trial in trials if isinstance(trial.record, Completed) and trial.record.synthetic]
    written = [record.synthetic for record in records if record.synthetic]
    if not written:
        return None
    affected = sorted({name for rows in written for name in rows.affected})
    teachers = tuple(sorted({teacher for rows in written for teacher in rows.teachers}))
    return SyntheticTraining(
        teachers=teachers,
        written=_total(written, "written"),
        kept=_total(written, "kept"),
        restricted_passages=max(rows.counts.get("restricted passages left out", 0) for rows in written),
        synthetic=max(rows.synthetic for rows in written),
        learned=max(rows.learned for rows in written),
        near_test=sum(rows.near_test for rows in written),
        affected=len(affected),
        unaffected=_without(trials, metric_name, affected) if affected else None,
        test_teacher=next((by for record in records if (by := record.tasks[0].synthetic_by) in teachers), None),
    )


def _total(written: Sequence[SyntheticRows], name: str) -> int:
    totals: Counter[str] = Counter()
    for rows in written:
        totals.update(rows.counts)
    return totals[name]


def _without(trials: Sequence[StoredTrialItems], metric_name: str, affected: Sequence[str]) -> Estimate | None:
    """Estimate the score on the test items that no written item was nearly like; None where none are left."""
    items = [trial.items[task] for trial in trials if (task := trial.record.trial.task) in trial.items]
    sample = Sample.from_items(metrics.get(metric_name), items)
    left = [name for name in sample.ids if name not in set(affected)] if sample else []
    return estimate(sample.select(left)) if sample and left else None
