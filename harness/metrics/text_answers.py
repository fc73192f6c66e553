"""Metrics of free-text answers, by the rules of the SQuAD v1.1 evaluation script for all scripts and numbers."""

from __future__ import annotations

import re
import string
from collections import Counter
from functools import lru_cache

import numpy as np
import regex

from harness.metrics.items import Items
from harness.metrics.metric import TEXT_KINDS, FloatArray, Metric
from harness.metrics.words import NUMBER_MARK, fold, space_characters

_ARTICLES = frozenset(("a", "an", "the"))
_NO_PUNCTUATION = str.maketrans("", "", string.punctuation)
_DIGIT = re.compile(r"\d")
_MARKED_NUMBER = re.compile(r"\d[^\w\s]\d|[-.][^\w\s]*\d")
_WORD_SEPARATOR = regex.compile(r"[\u0F0B-\u0F0D\u1361-\u1368]")
"""Punctuation between words of Tibetan and Ethiopic."""
_GROUPING = r"(?<=\p{Nd}),(?=(?:\p{Nd}{2},)*\p{Nd}{3}(?!\p{Nd}))"
_ARROW_OR_BRACKET = r"[-=]+>|<-+|<(?=/?\p{L}[^<>\s]*>)|(?<=</?\p{L}[^<>\s]*)>"
_SYMBOL = r"(?<=[\w+])\+|(?<=\p{L})#|[<=>]|(?<=\w)[*^](?=\w)"
"""A symbol that tells words apart: C++ and C#, 18+, x < 5, a*b, x^2; not one that marks or encloses a word."""
_PUNCTUATION = regex.compile(
    rf"{_GROUPING}|{_ARROW_OR_BRACKET}|(?:{NUMBER_MARK}|{_SYMBOL})(*SKIP)(*FAIL)"
    rf"|[\p{{P}}{re.escape(string.punctuation)}]"
)
_SYMBOLS = re.compile(r"[+#<=>*^]")
_QUOTE_MARK = re.compile(r"^\s*>+\s")
"""Of a quoted line in Markdown and mail."""


@lru_cache(maxsize=65_536)
def normalise(text: str) -> str:
    """Fold case and Unicode form, drop punctuation and English articles, and join what is left with single spaces.

    As `normalize_answer` of SQuAD v1.1 (Rajpurkar et al. 2016, arXiv:1606.05250) for English words. Besides: Unicode's
    punctuation is dropped, and characters stand alone where a script has no spaces, as in MLQA (Lewis et al. 2020,
    arXiv:1910.07475); numbers keep sign, point and other marks within them ("-5", "3.14", "1/2") but no grouping commas
    ("1,000" is "1000"); symbols that tell words apart stay ("C++", "C#", "18+", "x < 5", "a*b", "x^2"), where SQuAD
    takes "C++" for "C"; and a text of articles or punctuation alone keeps them, for nothing else tells it from another.
    As in SQuAD, currency, "%", "&", "/", "@" and hyphens of words are dropped.
    """
    words = _all_words(text)
    return " ".join([word for word in words if word not in _ARTICLES] or words)


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
    return _column([any(contains_phrase(output, ref) for ref in refs) for output, refs in pairs])


@lru_cache(maxsize=262_144)
def overlap(answer: str, reference: str) -> float:
    """F1 of the words of two texts after normalising: 2·common / (words + words), 0 where none is common."""
    answer_words, reference_words = _word_pair(answer, reference)
    if answer_words == reference_words:
        return 1.0 if answer_words else 0.0
    if set(answer_words).isdisjoint(reference_words):  # most wrong answers, and far quicker to tell
        return 0.0
    common = sum((Counter(answer_words) & Counter(reference_words)).values())
    return 2 * common / (len(answer_words) + len(reference_words))


def contains_phrase(output: str, reference: str) -> bool:
    """Return whether an output has a reference as a run of whole words, both normalised.

    An empty reference is contained only in an empty output.
    """
    phrase, text = normalise(reference), normalise(output)
    if _ARTICLES.issuperset(phrase.split()):
        phrase, text = " ".join(_all_words(reference)), " ".join(_all_words(output))
    return f" {phrase} " in f" {text} " if phrase else not text


def _word_pair(first: str, second: str) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Return the normalised words of two texts; both keep their articles if one has nothing else."""
    words, other_words = _words(first), _words(second)
    if _ARTICLES.issuperset(words) or _ARTICLES.issuperset(other_words):
        return _all_words(first), _all_words(second)
    return words, other_words


@lru_cache(maxsize=65_536)
def _words(text: str) -> tuple[str, ...]:
    return tuple(normalise(text).split())


def _all_words(text: str) -> tuple[str, ...]:
    """Return the words of a text, articles included; a text of punctuation alone is unchanged."""
    text = _QUOTE_MARK.sub("", fold(text))
    if _has_plain_words(text):
        words = text.translate(_NO_PUNCTUATION).split()
    else:
        words = space_characters(text if text.isascii() else _WORD_SEPARATOR.sub(" ", text)).split()
        words = [word if word.isalnum() else _without_punctuation(word) for word in words]
    return tuple(filter(None, words)) or tuple(text.split())


def _has_plain_words(text: str) -> bool:
    """Whether a text is ASCII, no number in it has a mark, and no symbol may tell words apart."""
    return text.isascii() and not _SYMBOLS.search(text) and not (_DIGIT.search(text) and _MARKED_NUMBER.search(text))


def _without_punctuation(word: str) -> str:
    if _has_plain_words(word):
        return word.translate(_NO_PUNCTUATION)
    return _PUNCTUATION.sub("", word)


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
