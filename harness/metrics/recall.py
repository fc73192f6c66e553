"""Retrieval metrics: whether passages with the answer were retrieved, how high, and whether they support answers."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

import numpy as np

from harness.api import Kind, Passage
from harness.metrics.items import Items
from harness.metrics.metric import BoolArray, FloatArray, Metric, MetricSeries
from harness.metrics.text_answers import normalise


def recall_at(k: int, items: Items) -> FloatArray:
    """Share of an item's evidence among its first k passages, in [0, 1]: [n, 1]."""
    pairs = zip(items.passages, items.evidence, strict=True)
    sets = ((set(passages[:k]), set(evidence)) for passages, evidence in pairs)
    shares = [len(top & evidence) / len(evidence) if evidence else 0.0 for top, evidence in sets]
    return np.array(shares)[:, None]


def reciprocal_rank(items: Items) -> FloatArray:
    """1 / rank of the first passage that is evidence, 0 where none was retrieved: [n, 1]."""
    pairs = zip(items.passages, items.evidence, strict=True)
    ranks = [next((i for i, p in enumerate(passages, 1) if p in evidence), None) for passages, evidence in pairs]
    return np.array([0.0 if rank is None else 1 / rank for rank in ranks])[:, None]


def retrieved(items: Items) -> BoolArray:
    """Mask [n] of the items whose evidence is known; empty for a system that retrieved nothing."""
    has_evidence = np.array([bool(evidence) for evidence in items.evidence], dtype=bool)
    return has_evidence if any(items.passages) else np.zeros_like(has_evidence)


def citations(answer: str | None, passages: Sequence[Passage]) -> tuple[str, ...]:
    """Return the ids of the passages that support an answer: it stands in title or text, as a run of whole words.

    Both are normalised first (`text_answers.normalise`). Limits: an answer in other words than the passage's is not
    found, and a common word, a number, or yes and no may stand in a passage that does not answer the question. An
    answer that normalises to nothing cites nothing.
    """
    normalised = normalise(answer or "")
    if not normalised:
        return ()
    phrase = f" {normalised} "
    return tuple(p.id for p in passages if any(phrase in f" {normalise(text)} " for text in (p.title, p.text)))


def supported(items: Items) -> FloatArray:
    """1 where a passage in the prompt supports the answer, else 0: [n, 1]."""
    return np.array([float(bool(cited)) for cited in items.cited])[:, None]


def citable(items: Items) -> BoolArray:
    """Mask [n] of the items with passages in the prompt, where it is known which of them support the answer."""
    cited_ids = items.cited or (None,) * len(items)
    pairs = zip(cited_ids, items.passages, strict=True)
    return np.array([cited is not None and bool(passages) for cited, passages in pairs], dtype=bool)


_KINDS: frozenset[Kind] = frozenset({"qa", "generation", "multiple_choice", "classification"})
_MANNING = "Manning, Raghavan & Schütze 2008, chapter 8"


def _recall_metric(k: int) -> Metric:
    passages = "first passage" if k == 1 else f"first {k} passages"
    return Metric(
        f"recall@{k}",
        f"share of the passages that hold the answer which are among the {passages} retrieved",
        _KINDS,
        partial(recall_at, k),
        defined=retrieved,
        source=_MANNING,
    )


METRICS = (
    MetricSeries("recall", _recall_metric, listed=(1, 3, 5)),
    Metric(
        "mrr",
        "mean of 1 / rank of the first retrieved passage that holds the answer",
        _KINDS,
        reciprocal_rank,
        defined=retrieved,
        source="Voorhees 1999 (TREC-8)",
    ),
    Metric(
        "cited",
        "share of the answers that stand, as whole words, in a passage that was sent",
        frozenset({"qa", "multiple_choice"}),
        supported,
        defined=citable,
        binary=True,
    ),
)
