"""How much better a tuned system does on what it was trained on than on new items: a sign of overfitting."""

from __future__ import annotations

from collections.abc import Sequence

from harness import metrics
from harness.compare.stats.estimates import estimate, unpaired
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
    told = [one for one in trials if one.seen is not None]
    seen = [one.seen for one in told if one.seen is not None]
    test = [one.items[task] for one in told if (task := one.record.trial.task) in one.items]
    if not seen or len(test) < len(seen):
        return None
    labels = common_labels([*seen, *test])
    metric = metrics.get(metric_name)
    trained, new = (Sample.of(metric, [items.with_labels(labels) for items in group]) for group in (seen, test))
    if trained is None or new is None:
        return None
    return Gap(metric=metric_name, train=estimate(trained), change=unpaired(trained, new))
