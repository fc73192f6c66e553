"""Lexical retrieval: passages that share rare words with the query (BM25, Robertson & Zaragoza 2009), by bm25s.

A word is a run of letters, digits and underscores in lower case, of any length and script; there are no stop words,
as a word that many passages have weighs little anyway, and no stemming.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import bm25s
import numpy as np

from harness.api import Passage
from harness.retrieval.ranking import AllowedMask, passage_line

K1, B = 1.5, 0.75
"""How soon repetition stops to count, and how much length does: bm25s's own, within what the survey calls usual."""
_FOLDER = "bm25"
_WORD = re.compile(r"\w+")


@dataclass(frozen=True)
class Bm25Searcher:
    """Ranks passages by BM25 as Lucene computes it: an idf that is never negative (Lù 2024, arXiv:2407.03618)."""

    index: bm25s.BM25

    def search(self, texts: Sequence[str], allowed: AllowedMask, depth: int) -> list[list[int]]:
        """Return the allowed passages that share a word with each text, best first; those of equal score in order."""
        return [self._rank(text, allowed, depth) for text in texts]

    def save(self, folder: Path) -> None:
        """Write the scores as plain arrays and the vocabulary as JSON."""
        self.index.save(folder / _FOLDER, show_progress=False)

    def _rank(self, text: str, allowed: AllowedMask, depth: int) -> list[int]:
        scores = self.index.get_scores_from_ids(self.index.get_tokens_ids(split_words(text)))
        sharing = np.flatnonzero(scores > 0 if allowed is None else (scores > 0) & allowed)
        best = np.argsort(-scores[sharing], kind="stable")[:depth]
        return sharing[best].tolist()


def build(passages: Sequence[Passage]) -> Bm25Searcher:
    """Count the words of a corpus."""
    vocabulary: dict[str, int] = {"": 0}  # stands for a passage without words: lengths are divided by their mean
    word_ids = [
        [vocabulary.setdefault(word, len(vocabulary)) for word in split_words(passage_line(passage)) or [""]]
        for passage in passages
    ]
    index: Any = bm25s.BM25(k1=K1, b=B, method="lucene", backend="numpy")
    index.index((word_ids, vocabulary), show_progress=False)
    return Bm25Searcher(index)


def load(folder: Path) -> Bm25Searcher:
    """Read what `Bm25Searcher.save` wrote; nothing in it can run code."""
    return Bm25Searcher(bm25s.BM25.load(folder / _FOLDER, show_progress=False, allow_pickle=False))


def split_words(text: str) -> list[str]:
    """Split a text into words as they are counted."""
    return _WORD.findall(text.lower())
