"""Tables of a classification task: the confusion matrix and the scores of each class, as scikit-learn defines them.

Counted here, because scikit-learn takes a second to load and five milliseconds a table; tests hold it to the same.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from harness.metrics.items import Items
from harness.metrics.labels import label_set, true_labels

NO_LABEL = "(no label)"
"""Stands for an answer that could not be parsed, or that is none of the labels."""


@dataclass(frozen=True)
class ClassScores:
    """Scores of one class, in [0, 1]; `support` is the number of its items."""

    label: str
    precision: float
    recall: float
    f1: float
    support: int


def confusion(items: Items) -> tuple[tuple[str, ...], NDArray[np.int64]]:
    """Count items by reference (row) and answered label (column).

    Returns:
        labels: K of them, and `NO_LABEL` last where an answer is none of them.
        matrix: int64 [K, K], or [K + 1, K + 1] with an empty last row.
    """
    labels, answers = label_set(items), _answers(items)
    columns = (*labels, NO_LABEL) if NO_LABEL in answers else labels
    return columns, _counts(true_labels(items), answers, columns)


def per_class(items: Items) -> list[ClassScores]:
    """Precision, recall and F1 of each label, in the labels' order; 0 where the denominator is 0."""
    labels = label_set(items)
    counts = _counts(true_labels(items), _answers(items), (*labels, NO_LABEL))
    scores: list[ClassScores] = []
    for k, label in enumerate(labels):
        hits, predicted, true = (int(x) for x in (counts[k, k], counts[:, k].sum(), counts[k].sum()))
        f1 = _share(2 * hits, predicted + true)
        scores.append(ClassScores(label, _share(hits, predicted), _share(hits, true), f1, true))
    return scores


def _counts(true: Sequence[str], predicted: Sequence[str], labels: Sequence[str]) -> NDArray[np.int64]:
    """Count pairs of reference and answer, [K, K]; a reference that is no label is in no row."""
    index = {label: k for k, label in enumerate(labels)}
    counts = np.zeros((len(labels), len(labels)), dtype=np.int64)
    for reference, answer in zip(true, predicted, strict=True):
        if reference in index and answer in index:
            counts[index[reference], index[answer]] += 1
    return counts


def _share(part: int, total: int) -> float:
    return part / total if total else 0.0


def _answers(items: Items) -> list[str]:
    labels = set(label_set(items))
    return [answer if answer is not None and answer in labels else NO_LABEL for answer in items.answers]
