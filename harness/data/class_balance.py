"""How evenly a task's labels are shared out, and what follows: the first metric, and the score of guessing."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from harness.api import Example
from harness.data.schema import TaskConfig
from harness.metrics import get

UNEVEN = 1.5
"""Labels are uneven where the commonest has more than so many times the items of the others on average."""
BALANCED_METRIC = "macro_f1"
"""Metric in which every label counts the same, however rare it is."""


def is_uneven(train: Sequence[Example], labels: Sequence[str]) -> bool:
    """Tell whether one label has far more training items than the others have on average (`UNEVEN`)."""
    counts = Counter(example.references[0] for example in train)
    if len(labels) < 2 or not counts:
        return False
    commonest = max(counts.values())
    return commonest * (len(labels) - 1) > UNEVEN * (len(train) - commonest)


def order_metrics(task: TaskConfig, train: Sequence[Example], labels: Sequence[str]) -> tuple[str, ...]:
    """Return a task's metrics, the primary first: the suite's, or by default macro-F1 where labels are uneven.

    Accuracy would reward giving the commonest label only (Sokolova & Lapalme 2009). Training items decide, before any
    limit, so that every run of a suite has the same primary metric.
    """
    names = task.all_metrics
    if task.metrics or task.kind != "classification" or not is_uneven(train, labels):
        return names
    return (BALANCED_METRIC, *(name for name in names if name != BALANCED_METRIC))


def guessing_score(
    task: TaskConfig, metric: str, labels: Sequence[str], train: Sequence[Example], test: Sequence[Example]
) -> float | None:
    """Return what needs no reading: the better of guessing at random and of always giving the commonest answer.

    Random guesses score 1 / choices, averaged over the items; the commonest training label (without training items, the
    commonest of the test items) scores its share of the test items. Where every label counts the same (``macro_``
    metrics), 1 / labels is the better: guesses in proportion to the shares.

    Args:
        task: of the items.
        metric: that is scored.
        labels: of a classification.
        train: training items.
        test: test items.

    Returns:
        None where the metric does not score whether the choice is right.
    """
    if get(metric).kinds.isdisjoint(("classification", "preference")):
        return None
    if task.kind == "preference":
        return 0.5
    if task.kind == "classification" and metric.startswith("macro_"):
        return 1 / len(labels)
    options = [labels or example.query.choices for example in test]
    random_score = sum(1 / len(choices) for choices in options) / len(test)
    if any(set(choices) != set(options[0]) for choices in options):
        return random_score
    commonest = Counter(example.references[0] for example in train or test).most_common(1)[0][0]
    return max(random_score, sum(commonest in example.references for example in test) / len(test))
