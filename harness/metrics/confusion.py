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
    return shown, _counts(true_labels(items), answers, shown)


def per_class(items: Items) -> list[ClassScores]:
    """Precision, recall and F1 of each label, in the labels' order; 0 where a share has no items to be taken of."""
    labels = label_set(items)
    counts = _counts(true_labels(items), _answers(items), (*labels, NO_LABEL))
    found: list[ClassScores] = []
    for place, label in enumerate(labels):
        hits, said, true = (int(x) for x in (counts[place, place], counts[:, place].sum(), counts[place].sum()))
        found.append(ClassScores(label, _share(hits, said), _share(hits, true), _share(2 * hits, said + true), true))
    return found


def _counts(true: Sequence[str], said: Sequence[str], labels: Sequence[str]) -> NDArray[np.int64]:
    """Count pairs of reference and answer, [K, K]; a reference that is no label is in no row."""
    place = {label: k for k, label in enumerate(labels)}
    counts = np.zeros((len(labels), len(labels)), dtype=np.int64)
    for reference, answer in zip(true, said, strict=True):
        if reference in place and answer in place:
            counts[place[reference], place[answer]] += 1
    return counts


def _share(part: int, whole: int) -> float:
    return part / whole if whole else 0.0


def _answers(items: Items) -> list[str]:
    labels = set(label_set(items))
    return [answer if answer is not None and answer in labels else NO_LABEL for answer in items.answers]
