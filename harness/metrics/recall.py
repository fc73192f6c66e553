"""Metrics of what was retrieved: did the passages that hold the answer come back, how high, and were they used."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

import numpy as np

from harness.api import Passage
from harness.metrics.items import Items
from harness.metrics.metric import BoolArray, FloatArray, Statistics
from harness.metrics.text_answers import normalise


def recall_at(k: int) -> Statistics:
    """Statistics of recall@k: the share of an item's evidence among its first k passages, in [0, 1]: [n, 1]."""
    return partial(_recall, k)


def reciprocal_rank(items: Items) -> FloatArray:
    """1 / rank of the first passage that is evidence, 0 where none came back: [n, 1]."""
    pairs = zip(items.passages, items.evidence, strict=True)
    ranks = [next((i for i, p in enumerate(found, 1) if p in wanted), None) for found, wanted in pairs]
    return np.array([0.0 if rank is None else 1 / rank for rank in ranks])[:, None]


def retrieved(items: Items) -> BoolArray:
    """Mask [n] of the items whose evidence is known; none at all for a system that retrieved nothing."""
    known = np.array([bool(evidence) for evidence in items.evidence], dtype=bool)
    return known if any(items.passages) else np.zeros_like(known)


def citations(answer: str | None, passages: Sequence[Passage]) -> tuple[str, ...]:
    """Return the ids of the passages that support an answer: it stands in title or text, as a run of whole words.

    Both are normalised first (`text.normalise`). What this can and cannot tell: a short answer that was taken from a
    passage is found; one that is put in other words is not, and a common word, a number or yes and no may stand in a
    passage that says nothing of the question. An answer that normalises to nothing cites nothing.
    """
    said = normalise(answer or "")
    if not said:
        return ()
    return tuple(p.id for p in passages if any(f" {said} " in f" {normalise(text)} " for text in (p.title, p.text)))


def supported(items: Items) -> FloatArray:
    """1 where a passage that was sent supports the answer, else 0: [n, 1]."""
    return np.array([float(bool(found)) for found in items.cited])[:, None]


def citable(items: Items) -> BoolArray:
    """Mask [n] of the items to which passages were sent, if it is known which of them support the answer."""
    known = items.cited or (None,) * len(items)
    pairs = zip(known, items.passages, strict=True)
    return np.array([found is not None and bool(sent) for found, sent in pairs], dtype=bool)


def _recall(k: int, items: Items) -> FloatArray:
    pairs = zip(items.passages, items.evidence, strict=True)
    shares = [len(set(found[:k]) & set(wanted)) / len(set(wanted)) if wanted else 0.0 for found, wanted in pairs]
    return np.array(shares)[:, None]
