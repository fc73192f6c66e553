"""Metrics of summaries: overlap with a reference (ROUGE), and how much of a summary its source bears out.

What compares a summary with its source goes by words alone. It finds names and numbers that came from nowhere; it does
not find a true name in a false sentence.
"""

from __future__ import annotations

import re
from functools import cache, lru_cache, partial
from typing import Any

import numpy as np

from harness.metrics.items import Items
from harness.metrics.metric import BoolArray, FloatArray, Statistics

_WORD = re.compile(r"\w+(?:[.,:'’-]\w+)*")  # noqa: RUF001 - the apostrophe of printed English
_SENTENCE = re.compile(r"(?:^|[.!?]\s+|\n\s*)$")


def rouge(variant: str) -> Statistics:
    """Statistics of a ROUGE variant (``rouge1``, ``rouge2``, ``rougeL``): F1, the best over references: [n, 1]."""
    return partial(_rouge, variant)


def extractive_coverage(items: Items) -> FloatArray:
    """Words of each output that lie in fragments copied from its source, and its words: [n, 2]."""
    return np.array([(float(sum(found)), float(size)) for found, size in _fragments_of(items)]).reshape(-1, 2)


def extractive_density(items: Items) -> FloatArray:
    """Sum of the squared lengths of the fragments that each output copied, and its words: [n, 2]."""
    return np.array([(float(sum(f * f for f in found)), float(size)) for found, size in _fragments_of(items)]).reshape(
        -1, 2
    )


def supported(items: Items) -> FloatArray:
    """Names and numbers of each output that its source has, and all of its names and numbers: [n, 2]."""
    counts: list[tuple[float, float]] = []
    for output, source in zip(items.outputs, items.inputs, strict=True):
        said, known = names_and_numbers(output), {_key(word) for word in _WORD.findall(source)}
        counts.append((float(sum(name in known for name in said)), float(len(said))))
    return np.array(counts).reshape(-1, 2)


def share(sums: FloatArray, _count: FloatArray) -> FloatArray:
    """First sum over the second, and 1 where the second is 0, as nothing was said wrongly; sums [..., 2] → [...]."""
    return np.divide(sums[..., 0], sums[..., 1], out=np.ones_like(sums[..., 0]), where=sums[..., 1] > 0)


def per_word(sums: FloatArray, _count: FloatArray) -> FloatArray:
    """First sum over the second, and 0 where there are no words; sums [..., 2] → [...]."""
    return np.divide(sums[..., 0], sums[..., 1], out=np.zeros_like(sums[..., 0]), where=sums[..., 1] > 0)


def known_source(items: Items) -> BoolArray:
    """Mask [n] of the items whose source was stored."""
    return np.array([bool(source) for source in items.inputs], dtype=bool)


def names_and_numbers(text: str) -> list[str]:
    """Find words with a digit, and capitalised words that don't begin a sentence, in lower case.

    A capitalised word at the beginning of a sentence may be any word, and is left out.
    """
    found: list[str] = []
    for match in _WORD.finditer(text):
        word = match.group()
        begins = _SENTENCE.search(text[: match.start()]) is not None
        if any(c.isdigit() for c in word) or (word[0].isupper() and not begins and len(word) > 1):
            found.append(_key(word))
    return found


def fragments(source: list[str], summary: list[str]) -> list[int]:
    """Cut a summary greedily into the longest runs of words that the source has too; give their lengths.

    Source: Grusky, Naaman & Artzi 2018 (arXiv:1804.11283), figure 3.
    """
    places: dict[str, list[int]] = {}
    for place, word in enumerate(source):
        places.setdefault(word, []).append(place)
    found: list[int] = []
    at = 0
    while at < len(summary):
        longest = max((_run(source, summary, place, at) for place in places.get(summary[at], ())), default=0)
        if longest:
            found.append(longest)
        at += max(longest, 1)
    return found


def _run(source: list[str], summary: list[str], place: int, at: int) -> int:
    size = 0
    while place + size < len(source) and at + size < len(summary) and source[place + size] == summary[at + size]:
        size += 1
    return size


def _fragments_of(items: Items) -> list[tuple[list[int], int]]:
    pairs = ((_words(s), _words(o)) for s, o in zip(items.inputs, items.outputs, strict=True))
    return [(fragments(source, said), len(said)) for source, said in pairs]


def _words(text: str) -> list[str]:
    return [_key(word) for word in _WORD.findall(text)]


def _key(word: str) -> str:
    """A word without case and without the ending of a possessive."""
    return re.sub(r"['’]s$", "", word.casefold())  # noqa: RUF001 - as above


def _rouge(variant: str, items: Items) -> FloatArray:
    pairs = zip(items.outputs, items.references, strict=True)
    return np.array([max(_score(variant, out, ref) for ref in refs) for out, refs in pairs], dtype=np.float64)[:, None]


@lru_cache(maxsize=65_536)
def _score(variant: str, output: str, reference: str) -> float:
    return float(_scorer(variant).score(reference, output)[variant].fmeasure)


@cache
def _scorer(variant: str) -> Any:
    from rouge_score.rouge_scorer import RougeScorer  # noqa: PLC0415 - half a second that only summaries need

    return RougeScorer([variant], use_stemmer=True)
