"""Metrics of summaries: overlap with a reference (ROUGE), and support by the source.

Support is by words alone: names and numbers that the source lacks are found, a true name in a false sentence is not.
"""

from __future__ import annotations

import re
from functools import cache, lru_cache, partial
from math import inf
from typing import Any

import numpy as np
import regex

from harness.metrics.items import Items
from harness.metrics.metric import TEXT_KINDS, BoolArray, FloatArray, Metric
from harness.metrics.words import WORD, fold, space_characters

_ASCII_WORD = re.compile(r"\w+(?:[.,:'-]\w+)*")
_WORD = regex.compile(rf"{WORD.pattern}(?:[.,:'’-]{WORD.pattern})*")  # noqa: RUF001 - the apostrophe of printed English
_ALPHANUMERIC = regex.compile(r"[\p{L}\p{M}\p{N}]+")
_SENTENCE = re.compile(r"(?:^|[.!?]\s+|\n\s*)$")


def rouge(variant: str, items: Items) -> FloatArray:
    """F1 of a ROUGE variant (``rouge1``, ``rouge2``, ``rougeL``), the best over references: [n, 1]."""
    pairs = zip(items.outputs, items.references, strict=True)
    return np.array([max(_score(variant, out, ref) for ref in refs) for out, refs in pairs], dtype=np.float64)[:, None]


def extractive_coverage(items: Items) -> FloatArray:
    """Words of each output that lie in fragments copied from its source, and its words: [n, 2]."""
    return np.array([(float(sum(lengths)), float(size)) for lengths, size in _fragments_of(items)]).reshape(-1, 2)


def extractive_density(items: Items) -> FloatArray:
    """Sum of the squared lengths of the fragments that each output copied, and its words: [n, 2]."""
    rows = [(float(sum(f * f for f in lengths)), float(size)) for lengths, size in _fragments_of(items)]
    return np.array(rows).reshape(-1, 2)


def supported(items: Items) -> FloatArray:
    """Names and numbers of each output that its source has, and all of its names and numbers: [n, 2]."""
    counts: list[tuple[float, float]] = []
    for output, source in zip(items.outputs, items.inputs, strict=True):
        claims, source_words = names_and_numbers(output), set(_words(source))
        counts.append((float(sum(name in source_words for name in claims)), float(len(claims))))
    return np.array(counts).reshape(-1, 2)


def share(sums: FloatArray, _count: FloatArray) -> FloatArray:
    """First sum over the second, and 1 where the second is 0, as nothing is unsupported; sums [..., 2] → [...]."""
    return np.divide(sums[..., 0], sums[..., 1], out=np.ones_like(sums[..., 0]), where=sums[..., 1] > 0)


def per_word(sums: FloatArray, _count: FloatArray) -> FloatArray:
    """First sum over the second, and 0 where there are no words; sums [..., 2] → [...]."""
    return np.divide(sums[..., 0], sums[..., 1], out=np.zeros_like(sums[..., 0]), where=sums[..., 1] > 0)


def has_source(items: Items) -> BoolArray:
    """Mask [n] of the items whose source was stored."""
    return np.array([bool(source) for source in items.inputs], dtype=bool)


def names_and_numbers(text: str) -> list[str]:
    """Find words with a digit, and capitalised words that don't begin a sentence, in lower case.

    A capitalised word at the beginning of a sentence may be any word, and is left out.
    """
    words: list[str] = []
    for match in _word_pattern(text).finditer(text):
        word = match.group()
        begins = _SENTENCE.search(text[: match.start()]) is not None
        if any(c.isdigit() for c in word) or (word[0].isupper() and not begins and len(word) > 1):
            words.append(_key(word))
    return words


def fragments(source: list[str], summary: list[str]) -> list[int]:
    """Return the lengths of the fragments that a summary copied: greedily, the longest runs of the source's words.

    Source: Grusky, Naaman & Artzi 2018 (arXiv:1804.11283), figure 3.
    """
    starts: dict[str, list[int]] = {}
    for position, word in enumerate(source):
        starts.setdefault(word, []).append(position)
    lengths: list[int] = []
    at = 0
    while at < len(summary):
        longest = max((_run_length(source, summary, start, at) for start in starts.get(summary[at], ())), default=0)
        if longest:
            lengths.append(longest)
        at += max(longest, 1)
    return lengths


def _run_length(source: list[str], summary: list[str], position: int, at: int) -> int:
    size = 0
    while position + size < len(source) and at + size < len(summary) and source[position + size] == summary[at + size]:
        size += 1
    return size


def _fragments_of(items: Items) -> list[tuple[list[int], int]]:
    pairs = ((_words(s), _words(o)) for s, o in zip(items.inputs, items.outputs, strict=True))
    return [(fragments(source, summary), len(summary)) for source, summary in pairs]


def _words(text: str) -> list[str]:
    return [_key(word) for word in _word_pattern(text).findall(space_characters(text))]


def _word_pattern(text: str) -> Any:
    return _ASCII_WORD if text.isascii() else _WORD  # re is twice as fast


def _key(word: str) -> str:
    """Return a word case-folded and without a possessive ending."""
    return re.sub(r"['’]s$", "", word.casefold())  # noqa: RUF001 - as above


@lru_cache(maxsize=65_536)
def _score(variant: str, output: str, reference: str) -> float:
    return float(_scorer(variant).score(reference, output)[variant].fmeasure)


@cache
def _scorer(variant: str) -> Any:
    from rouge_score.rouge_scorer import RougeScorer  # noqa: PLC0415 - half a second that only summaries need

    return RougeScorer([variant], tokenizer=_RougeTokenizer())


class _RougeTokenizer:
    """The tokens of rouge-score with stemming; it drops all but a-z and 0-9, so other scripts are split here."""

    def __init__(self) -> None:
        from rouge_score.tokenizers import DefaultTokenizer  # noqa: PLC0415 - as above

        self._default: Any = DefaultTokenizer(use_stemmer=True)

    def tokenize(self, text: str) -> list[str]:
        """Split a text at all but letters, marks and digits; English words are stemmed."""
        if text.isascii():
            return self._default.tokenize(text)
        words = _ALPHANUMERIC.findall(space_characters(fold(text)))
        return [token for word in words for token in (self._default.tokenize(word) if word.isascii() else [word])]


_LIN = "Lin 2004 (ACL W04-1013), by rouge-score with stemming; characters are the words of scripts without spaces"
_GRUSKY = "Grusky, Naaman & Artzi 2018 (arXiv:1804.11283), section 4.1"


def _rouge_metric(variant: str, units: str) -> Metric:
    summary = f"mean F1 of {units} shared with the closest reference"
    return Metric(variant, summary, TEXT_KINDS, partial(rouge, variant), source=_LIN)


METRICS = (
    _rouge_metric("rouge1", "single words"),
    _rouge_metric("rouge2", "pairs of neighbouring words"),
    _rouge_metric("rougeL", "the longest common subsequence of words"),
    Metric(
        "source_precision",
        "share of the names and numbers in the outputs that their sources have; 1 where none are written",
        TEXT_KINDS,
        supported,
        share,
        defined=has_source,
        source="after Nan et al. 2021 (arXiv:2102.09130), with capitalised words and numbers for entities",
    ),
    Metric(
        "extractive_coverage",
        "share of the outputs' words that lie in fragments copied from their sources",
        TEXT_KINDS,
        extractive_coverage,
        per_word,
        higher_is_better=None,
        defined=has_source,
        source=_GRUSKY,
    ),
    Metric(
        "extractive_density",
        "mean length of the copied fragment that a word of the outputs lies in",
        TEXT_KINDS,
        extractive_density,
        per_word,
        unit="words",
        higher_is_better=None,
        bounds=(0.0, inf),
        defined=has_source,
        source=_GRUSKY,
    ),
)
