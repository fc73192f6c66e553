"""Metrics of answers that are one of several labels: accuracy and the F1 family, by class counts."""

from __future__ import annotations

import numpy as np

from harness.api import Kind
from harness.errors import HarnessError
from harness.metrics.items import Items
from harness.metrics.metric import CHOICE_KINDS, TEXT_KINDS, FloatArray, Metric


def correct(items: Items) -> FloatArray:
    """1 where the answer is one of the references, else 0: [n, 1]."""
    pairs = zip(items.answers, items.references, strict=True)
    return np.array([answer in references for answer, references in pairs], dtype=np.float64)[:, None]


def parsed(items: Items) -> FloatArray:
    """1 where an answer could be read from the output, else 0: [n, 1]."""
    return np.array([answer is not None for answer in items.answers], dtype=np.float64)[:, None]


def class_counts(items: Items) -> FloatArray:
    """Indicators of (true positive, predicted, reference) for each of K labels: [n, 3K].

    An answer that is no label predicts no class: it lowers recall, and no class's precision.

    Raises:
        HarnessError: a reference is not among the labels.
    """
    labels = label_set(items)
    index = {label: k for k, label in enumerate(labels)}
    true = np.array([index.get(reference, -1) for reference in true_labels(items)], dtype=np.int64)
    predicted = np.array([-1 if answer is None else index.get(answer, -1) for answer in items.answers], dtype=np.int64)
    if (true < 0).any():
        i, known_labels = int(np.argmax(true < 0)), ", ".join(labels)
        reference = true_labels(items)[i]
        raise HarnessError(
            f"item {items.ids[i]!r} has the reference {reference!r}, not one of the labels: {known_labels}"
        )
    classes = np.arange(len(labels))
    truth, predictions = true[:, None] == classes, predicted[:, None] == classes
    return np.concatenate([truth & predictions, predictions, truth], axis=1).astype(np.float64)


def pooled_counts(items: Items) -> FloatArray:
    """The counts of `class_counts` summed over classes: [n, 3]."""
    return class_counts(items).reshape(len(items), 3, -1).sum(axis=2)


def label_set(items: Items) -> tuple[str, ...]:
    """The task's labels, or every label that occurs where it has no fixed ones."""
    if items.labels:
        return items.labels
    return tuple(sorted({*true_labels(items), *(answer for answer in items.answers if answer is not None)}))


def true_labels(items: Items) -> list[str]:
    """The reference of each item; of several, the one that was answered, else the first."""
    return [
        answer if answer is not None and answer in references else references[0]
        for answer, references in zip(items.answers, items.references, strict=True)
    ]


def macro_f1(sums: FloatArray, _count: FloatArray) -> FloatArray:
    """Mean over classes of 2·tp / (predicted + reference), sums [..., 3K] → [...]."""
    hits, predicted, reference = _parts(sums)
    return _mean_of_present(_ratio(2 * hits, predicted + reference), predicted, reference)


def macro_precision(sums: FloatArray, _count: FloatArray) -> FloatArray:
    """Mean over classes of tp / predicted, 0 for a class that is never predicted; sums [..., 3K] → [...]."""
    hits, predicted, reference = _parts(sums)
    return _mean_of_present(_ratio(hits, predicted), predicted, reference)


def macro_recall(sums: FloatArray, _count: FloatArray) -> FloatArray:
    """Mean over classes of tp / reference, 0 for a class that is only predicted; sums [..., 3K] → [...]."""
    hits, predicted, reference = _parts(sums)
    return _mean_of_present(_ratio(hits, reference), predicted, reference)


def micro_f1(sums: FloatArray, _count: FloatArray) -> FloatArray:
    """2·tp / (predicted + reference) over all classes at once; sums [..., 3] → [...]."""
    return _ratio(2 * sums[..., 0], sums[..., 1] + sums[..., 2])


def _parts(sums: FloatArray) -> tuple[FloatArray, FloatArray, FloatArray]:
    by_class = sums.reshape(*sums.shape[:-1], 3, -1)
    return by_class[..., 0, :], by_class[..., 1, :], by_class[..., 2, :]


def _ratio(above: FloatArray, below: FloatArray) -> FloatArray:
    if below.all():  # nearly always: a resample has every class
        return above / below
    return np.divide(above, below, out=np.zeros_like(above), where=below > 0)


def _mean_of_present(values: FloatArray, predicted: FloatArray, reference: FloatArray) -> FloatArray:
    """Average over the classes that occur, in the references or in the answers (as scikit-learn does).

    A class that does not occur has the value 0.
    """
    if reference.all():
        return _sum_last_axis(values) / values.shape[-1]
    return _sum_last_axis(values) / _sum_last_axis(((predicted + reference) > 0).astype(np.float64))


def _sum_last_axis(values: FloatArray) -> FloatArray:
    """Sum over the last axis, which is short: many times faster as a product, unless other axes lie closer."""
    if values.strides[-1] > min(values.strides):
        return values.sum(axis=-1)
    return values @ np.ones(values.shape[-1])


_CLASSIFICATION: frozenset[Kind] = frozenset({"classification"})
_MACRO = "Sokolova & Lapalme 2009; classes that occur in references or answers, as scikit-learn averages"

METRICS = (
    Metric("accuracy", "share of items answered correctly", CHOICE_KINDS, correct, binary=True),
    Metric(
        "macro_f1",
        "mean over classes of the harmonic mean of precision and recall: rare classes count fully",
        _CLASSIFICATION,
        class_counts,
        macro_f1,
        source=_MACRO,
    ),
    Metric(
        "micro_f1",
        "F1 over all classes at once; equals accuracy where every answer could be parsed",
        _CLASSIFICATION,
        pooled_counts,
        micro_f1,
        source=_MACRO,
    ),
    Metric(
        "macro_precision",
        "mean over classes of the share of answers with that label which are right",
        _CLASSIFICATION,
        class_counts,
        macro_precision,
        source=_MACRO,
    ),
    Metric(
        "macro_recall",
        "mean over classes of the share of that class's items which are found",
        _CLASSIFICATION,
        class_counts,
        macro_recall,
        source=_MACRO,
    ),
    Metric(
        "parsed", "share of outputs that an answer could be read from", TEXT_KINDS | CHOICE_KINDS, parsed, binary=True
    ),
)
