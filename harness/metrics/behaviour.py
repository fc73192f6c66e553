"""Metrics of how a system answers rather than what: how long, and whether it refuses what it cannot know."""

from __future__ import annotations

from functools import partial

import numpy as np

from harness.metrics.items import Items
from harness.metrics.metric import BoolArray, FloatArray, Statistics
from harness.metrics.text_answers import normalise, overlap

REFUSALS = (
    "unanswerable",
    "not answerable",
    "cannot be answered",
    "no answer",
    "not in the text",
    "not stated",
    "unknown",
    "i dont know",
)
"""What a refusal begins with, once normalised (`text.normalise`)."""


def words(items: Items) -> FloatArray:
    """Number of words between white space in each output: [n, 1]."""
    return np.array([float(len(output.split())) for output in items.outputs])[:, None]


def length_error(items: Items) -> FloatArray:
    """How many words each output is longer or shorter than the reference nearest in length: [n, 1]."""
    pairs = zip(items.outputs, items.references, strict=True)
    return np.array([float(min(abs(len(out.split()) - len(r.split())) for r in refs)) for out, refs in pairs])[:, None]


def outdated(items: Items) -> FloatArray:
    """1 where the answer shares more words with the rejected answer than with any reference, else 0: [n, 1]."""
    rows = zip(items.answers, items.references, items.rejected, strict=True)
    found = [
        answer is not None and worse is not None and overlap(answer, worse) > max(overlap(answer, ref) for ref in refs)
        for answer, refs, worse in rows
    ]
    return np.array(found, dtype=np.float64)[:, None]


def has_rejected(items: Items) -> BoolArray:
    """Mask [n] of the items that name a worse answer."""
    return np.array([worse is not None for worse in items.rejected], dtype=bool)


def words_at_most(limit: int) -> Statistics:
    """Statistics of words_at_most@N: 1 where an answer was given in at most N words, else 0: [n, 1]."""
    return partial(_brief, limit)


def is_refusal(text: str) -> bool:
    """Tell whether a text says that there is no answer: it begins with one of `REFUSALS`."""
    said = f"{normalise(text)} "
    return any(said.startswith(f"{refusal} ") for refusal in REFUSALS)


def right_decision(items: Items) -> FloatArray:
    """1 where a system refused what the reference refuses, or answered what it answers, else 0: [n, 1]."""
    return (refused(items) == refusable(items)).astype(np.float64)[:, None]


def refusal_found(items: Items) -> FloatArray:
    """1 where a system refused, else 0: [n, 1]."""
    return refused(items).astype(np.float64)[:, None]


def refusal_counts(items: Items) -> FloatArray:
    """Indicators of (refused rightly, refused, to be refused): [n, 3]."""
    said, wanted = refused(items), refusable(items)
    return np.stack([said & wanted, said, wanted], axis=1).astype(np.float64)


def refusable(items: Items) -> BoolArray:
    """Mask [n] of the items whose reference is a refusal."""
    return np.array([is_refusal(references[0]) for references in items.references], dtype=bool)


def refused(items: Items) -> BoolArray:
    """Mask [n] of the items that were refused; no answer at all is no refusal."""
    return np.array([answer is not None and is_refusal(answer) for answer in items.answers], dtype=bool)


def _brief(limit: int, items: Items) -> FloatArray:
    answers = [answer is not None and 0 < len(answer.split()) <= limit for answer in items.answers]
    return np.array(answers, dtype=np.float64)[:, None]
