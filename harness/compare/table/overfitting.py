"""Train-test gap of a tuned system: its score on training items minus its score on test items."""

from __future__ import annotations

from collections.abc import Sequence

from harness import metrics
from harness.compare.stats.estimates import estimate, unpaired_difference
from harness.compare.stats.sample import Sample
from harness.compare.table.findings import Gap
from harness.compare.trials.groups import common_labels
from harness.compare.trials.stored_trials import StoredTrialItems


def gap_of(trials: Sequence[StoredTrialItems], metric_name: str) -> Gap | None:
    """Compare train-set evaluation with the test items.

    Args:
        trials: one strategy's seeds on one task.
        metric_name: to compare; where lower is better, overfitting is a negative change.

    Returns:
        None without train-set evaluation, or where the metric is defined for no item.
    """
    evaluated = [trial for trial in trials if trial.train_evaluation is not None]
    train_items = [trial.train_evaluation for trial in evaluated if trial.train_evaluation is not None]
    test = [trial.items[task] for trial in evaluated if (task := trial.record.trial.task) in trial.items]
    if not train_items or len(test) < len(train_items):
        return None
    labels = common_labels([*train_items, *test])
    metric = metrics.get(metric_name)
    train_sample, test_sample = (
        Sample.from_items(metric, [items.with_labels(labels) for items in group]) for group in (train_items, test)
    )
    if train_sample is None or test_sample is None:
        return None
    change = unpaired_difference(train_sample, test_sample)
    return Gap(metric=metric_name, train=estimate(train_sample), change=change)
