"""Metrics of free-text answers, by the rules of the SQuAD v1.1 evaluation script."""

from __future__ import annotations

import re
import string
from collections import Counter
from functools import lru_cache

import numpy as np

from harness.metrics.items import Items
from harness.metrics.metric import FloatArray

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
    """1 where the whole output holds a reference as a run of whole words, both normalised, else 0: [n, 1]."""
    pairs = zip(items.outputs, items.references, strict=True)
    return _column([any(holds(normalise(output), normalise(ref)) for ref in refs) for output, refs in pairs])


@lru_cache(maxsize=262_144)
def overlap(answer: str, reference: str) -> float:
    """F1 of the words of two texts after normalising: 2·common / (words + words), 0 where none is common."""
    said, wanted = _words(answer), _words(reference)
    if said == wanted:
        return 1.0 if said else 0.0
    if set(said).isdisjoint(wanted):  # most wrong answers, and far quicker to tell
        return 0.0
    common = sum((Counter(said) & Counter(wanted)).values())
    return 2 * common / (len(said) + len(wanted))


@lru_cache(maxsize=65_536)
def _words(text: str) -> tuple[str, ...]:
    return tuple(normalise(text).split())


def holds(output: str, reference: str) -> bool:
    """A reference that normalises to nothing (an article) is held only by an output that does the same."""
    return f" {reference} " in f" {output} " if reference else not output


def _column(values: list[float] | list[bool]) -> FloatArray:
    return np.array(values, dtype=np.float64)[:, None]
