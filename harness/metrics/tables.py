"""Tables of a classification task, by scikit-learn: the confusion matrix and the scores of each class."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.metrics import confusion_matrix, precision_recall_fscore_support

from harness.metrics.items import Items
from harness.metrics.labels import label_set, true_labels

NO_LABEL = "(no label)"
"""Stands for an answer that could not be parsed, or that is none of the labels."""


@dataclass(frozen=True)
class ClassScores:
    """How one class did; all shares in [0, 1], `support` is the number of its items."""

    label: str
    precision: float
    recall: float
    f1: float
    support: int


def confusion(items: Items) -> tuple[tuple[str, ...], NDArray[np.int64]]:
    """Count the items of each reference (row) by the label they were answered with (column).

    Returns:
        labels: K of them, and `NO_LABEL` last where some answer is none of them.
        matrix: int64 [K, K], or [K + 1, K + 1] with an empty last row.
    """
    labels, answers = label_set(items), _answers(items)
    shown = (*labels, NO_LABEL) if NO_LABEL in answers else labels
    return shown, confusion_matrix(true_labels(items), answers, labels=list(shown))


def per_class(items: Items) -> list[ClassScores]:
    """Precision, recall and F1 of each label, in the labels' order; 0 where a share has no items to be taken of."""
    labels = label_set(items)
    score: Any = precision_recall_fscore_support  # its stubs know no numeric `zero_division`
    columns = score(true_labels(items), _answers(items), labels=list(labels), average=None, zero_division=0)
    rows = zip(labels, *columns, strict=True)
    return [ClassScores(name, float(p), float(r), float(f), int(n)) for name, p, r, f, n in rows]


def _answers(items: Items) -> list[str]:
    labels = set(label_set(items))
    return [answer if answer is not None and answer in labels else NO_LABEL for answer in items.answers]
