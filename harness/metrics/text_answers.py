"""Metrics of free-text answers, by the rules of the SQuAD v1.1 evaluation script."""

from __future__ import annotations

import re
import string
from collections import Counter
from functools import lru_cache

import numpy as np

from harness.metrics.items import Items
from harness.metrics.metric import TEXT_KINDS, FloatArray, Metric

_ARTICLES = re.compile(r"\b(a|an|the)\b")
_NO_PUNCTUATION = str.maketrans("", "", string.punctuation)


@lru_cache(maxsize=65_536)
def normalise(text: str) -> str:
    """Lower-case, drop ASCII punctuation and English articles, and join what is left with single spaces.

    Source: Rajpurkar et al. 2016 (arXiv:1606.05250), `normalize_answer` of the v1.1 evaluation script.
    """
    return " ".join(_ARTICLES.sub(" ", text.lower().translate(_NO_PUNCTUATION)).split())


def exact_match(items: Items) -> FloatArray:
    """1 where the normalised answer equals a normalised reference, else 0: [n, 1]."""
    pairs = zip(items.answers, items.references, strict=True)
    return _column([answer is not None and normalise(answer) in map(normalise, refs) for answer, refs in pairs])


def token_f1(items: Items) -> FloatArray:
    """Overlap of answer and reference as bags of words, the best over the references, in [0, 1]: [n, 1]."""
    pairs = zip(items.answers, items.references, strict=True)
    return _column([0.0 if answer is None else max(overlap(answer, ref) for ref in refs) for answer, refs in pairs])


def contains(items: Items) -> FloatArray:
    """1 where the whole output has a reference as a run of whole words, both normalised, else 0: [n, 1]."""
    pairs = zip(items.outputs, items.references, strict=True)
    return _column([any(contains_phrase(normalise(output), normalise(ref)) for ref in refs) for output, refs in pairs])


@lru_cache(maxsize=262_144)
def overlap(answer: str, reference: str) -> float:
    """F1 of the words of two texts after normalising: 2·common / (words + words), 0 where none is common."""
    answer_words, reference_words = _words(answer), _words(reference)
    if answer_words == reference_words:
        return 1.0 if answer_words else 0.0
    if set(answer_words).isdisjoint(reference_words):  # most wrong answers, and far quicker to tell
        return 0.0
    common = sum((Counter(answer_words) & Counter(reference_words)).values())
    return 2 * common / (len(answer_words) + len(reference_words))


@lru_cache(maxsize=65_536)
def _words(text: str) -> tuple[str, ...]:
    return tuple(normalise(text).split())


def contains_phrase(output: str, reference: str) -> bool:
    """Return whether a normalised output has a normalised reference as a run of whole words.

    A reference that normalises to nothing (an article) is contained only in an output that does the same.
    """
    return f" {reference} " in f" {output} " if reference else not output


def _column(values: list[float] | list[bool]) -> FloatArray:
    return np.array(values, dtype=np.float64)[:, None]


_SQUAD = "Rajpurkar et al. 2016 (arXiv:1606.05250), v1.1 evaluation script"

METRICS = (
    Metric(
        "exact_match",
        "share of answers that equal a reference after normalising",
        TEXT_KINDS,
        exact_match,
        binary=True,
        source=_SQUAD,
    ),
    Metric(
        "token_f1",
        "mean overlap of the answer's words with the closest reference's",
        TEXT_KINDS,
        token_f1,
        source=_SQUAD,
    ),
    Metric(
        "contains",
        "share of outputs that hold a reference as whole words, after normalising",
        TEXT_KINDS,
        contains,
        binary=True,
    ),
)
