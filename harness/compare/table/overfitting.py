"""How much better a tuned system does on what it was trained on than on new items: a sign of overfitting."""

from __future__ import annotations

from collections.abc import Sequence

from harness import metrics
from harness.compare.stats.estimates import estimate, unpaired_difference
from harness.compare.stats.sample import Sample
from harness.compare.table.findings import Gap
from harness.compare.trials.groups import common_labels
from harness.compare.trials.stored_trials import StoredTrialItems


def gap_of(trials: Sequence[StoredTrialItems], metric_name: str) -> Gap | None:
    """Compare training items that were asked again with the test items.

    Args:
        trials: one strategy's seeds on one task.
        metric_name: what is compared; of a lower-is-better one, overfitting is a negative change.

    Returns:
        None where no training item was asked, or the metric is not defined for any.
    """
    evaluated = [trial for trial in trials if trial.train_evaluation is not None]
    train_items = [trial.train_evaluation for trial in evaluated if trial.train_evaluation is not None]
    test = [trial.items[task] for trial in evaluated if (task := trial.record.trial.task) in trial.items]
    if not train_items or len(test) < len(train_items):
        return None
    labels = common_labels([*train_items, *test])
    metric = metrics.get(metric_name)
    trained, new = (
        Sample.from_items(metric, [items.with_labels(labels) for items in group]) for group in (train_items, test)
    )
    if trained is None or new is None:
        return None
    return Gap(metric=metric_name, train=estimate(trained), change=unpaired_difference(trained, new))
