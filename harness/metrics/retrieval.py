"""Metrics of what was retrieved: did the passages that hold the answer come back, and how high."""

from __future__ import annotations

from functools import partial

import numpy as np

from harness.metrics.items import Items
from harness.metrics.metric import BoolArray, FloatArray, Statistics


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


def _recall(k: int, items: Items) -> FloatArray:
    pairs = zip(items.passages, items.evidence, strict=True)
    shares = [len(set(found[:k]) & set(wanted)) / len(set(wanted)) if wanted else 0.0 for found, wanted in pairs]
    return np.array(shares)[:, None]
