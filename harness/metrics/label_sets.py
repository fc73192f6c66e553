"""Answers that are sets of labels (multi-label classification): how they are written, read and scored.

A set is one text: its labels in the task's order, with a separator between that is in no label; the empty set is the
word ``none``. It is written alike in references and answers, so that equal sets are equal texts.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np

from harness.api import Kind
from harness.errors import HarnessError
from harness.metrics.items import Items
from harness.metrics.labels import correct, macro_f1, micro_f1
from harness.metrics.metric import FloatArray, Metric
from harness.metrics.words import fold

SEPARATORS = (",", ";", "|")
EMPTY = ("none", "no label", "(empty)")
"""Words for the empty set; the first that is no label."""


def separator(labels: Sequence[str]) -> str:
    """Return what stands between labels: the first of `SEPARATORS` that no label holds.

    Raises:
        HarnessError: every one is in some label.
    """
    free = (mark for mark in SEPARATORS if not any(mark in label for label in labels))
    if mark := next(free, None):
        return mark
    raise HarnessError(
        f"labels hold each of {' '.join(SEPARATORS)}: rename one in 'labels', so that sets can be written."
    )


def empty_word(labels: Sequence[str]) -> str:
    """Return the word for the empty set."""
    folded = set(map(fold, labels))
    return next(word for word in EMPTY if word not in folded)


def write(chosen: Iterable[str], labels: Sequence[str]) -> str:
    """Write a set of labels: in the task's order, each once."""
    members = set(chosen)
    return f"{separator(labels)} ".join(label for label in labels if label in members) or empty_word(labels)


def members(text: str | None, labels: Sequence[str]) -> frozenset[str]:
    """Return the labels of a set as `write` wrote it; of None, none."""
    return frozenset(part.strip() for part in (text or "").split(separator(labels))).intersection(labels)


def read(line: str, labels: Sequence[str]) -> tuple[str | None, str]:
    """Read a set of labels from a line: each part must be a label but for case; order and repeats do not count.

    Returns:
        The set as `write` writes it, or None; and how it was read: ``label`` or ``failed: REASON``.
    """
    by_fold = {fold(label): label for label in labels}
    parts = [part.strip().rstrip(".") for part in line.split(separator(labels))]
    if [fold(part) for part in parts] == [empty_word(labels)]:
        return write((), labels), "label"
    if unknown := [part for part in parts if fold(part) not in by_fold]:
        return None, f"failed: {len(unknown)} of {len(parts)} parts of the output are no label"
    return write([by_fold[fold(part)] for part in parts], labels), "label"


def instruct(instruction: str, labels: Sequence[str]) -> str:
    """Return an instruction with the labels behind it, and how a set of them is written."""
    listing = (
        f"Answer with all that apply of: {f'{separator(labels)} '.join(labels)}. Write '{separator(labels)}' between "
        f"several, and '{empty_word(labels)}' if none applies."
    )
    return f"{instruction} {listing}".strip()


def set_counts(items: Items) -> FloatArray:
    """Indicators of (true positive, predicted, reference) for each of K labels: [n, 3K]."""
    predicted = _indicators(items, items.answers)
    truth = _indicators(items, [references[0] for references in items.references])
    return np.concatenate([truth & predicted, predicted, truth], axis=1).astype(np.float64)


def pooled_set_counts(items: Items) -> FloatArray:
    """The counts of `set_counts` summed over labels: [n, 3]."""
    return set_counts(items).reshape(len(items), 3, -1).sum(axis=2)


def _indicators(items: Items, texts: Sequence[str | None]) -> np.ndarray:
    sets = [members(text, items.labels) for text in texts]
    return np.array([[label in chosen for label in items.labels] for chosen in sets], dtype=bool)


_MULTI: frozenset[Kind] = frozenset({"multi_label"})
_SOURCE = "Tsoumakas & Katakis 2007, Multi-label classification: an overview; labels that occur, as scikit-learn counts"

METRICS = (
    Metric(
        "multilabel_micro_f1",
        "F1 over all labels of all items at once, of several labels an item",
        _MULTI,
        pooled_set_counts,
        micro_f1,
        source=_SOURCE,
    ),
    Metric(
        "multilabel_macro_f1",
        "mean over labels of their F1, of several labels an item: rare labels count fully",
        _MULTI,
        set_counts,
        macro_f1,
        source=_SOURCE,
    ),
    Metric(
        "exact_set",
        "share of items whose set of labels is exactly right (subset accuracy)",
        _MULTI,
        correct,
        binary=True,
        source=_SOURCE,
    ),
)
