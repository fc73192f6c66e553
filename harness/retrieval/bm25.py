"""Lexical retrieval: passages that share rare words with the query (BM25, Robertson & Zaragoza 2009), by bm25s.

A word is a run of letters, combining marks, digits and underscores without case; in scripts without spaces between
words each pair of neighbouring characters is one (`words.search_terms`). There is no stemming and there are no stop
words, as idf gives little weight to a word of many passages.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import bm25s
import numpy as np

from harness.api import Passage
from harness.metrics.words import search_terms
from harness.retrieval.ranking import AllowedMask, passage_line

K1, B = 1.5, 0.75
"""Saturation of term frequency and normalisation by length: bm25s's defaults, in the usual range of the survey."""
_FOLDER = "bm25"
TERMS_VERSION = 2
"""Raised when texts are cut into other words, so that no earlier index is searched with them."""


@dataclass(frozen=True)
class Bm25Searcher:
    """Ranks passages by Lucene's BM25, whose idf is never negative (Lù 2024, arXiv:2407.03618)."""

    index: bm25s.BM25

    def search(self, texts: Sequence[str], allowed: AllowedMask, depth: int) -> list[list[int]]:
        """Return the allowed passages that share a word with each text, best first; ties in corpus order."""
        return [self._rank(text, allowed, depth) for text in texts]

    def save(self, folder: Path) -> None:
        """Write the scores as plain arrays and the vocabulary as JSON."""
        self.index.save(folder / _FOLDER, show_progress=False)

    def _rank(self, text: str, allowed: AllowedMask, depth: int) -> list[int]:
        scores = self.index.get_scores_from_ids(self.index.get_tokens_ids(search_terms(text)))
        matches = np.flatnonzero(scores > 0 if allowed is None else (scores > 0) & allowed)
        best = np.argsort(-scores[matches], kind="stable")[:depth]
        return matches[best].tolist()


def build(passages: Sequence[Passage]) -> Bm25Searcher:
    """Index a corpus by its words."""
    vocabulary: dict[str, int] = {"": 0}  # the word of a passage without words: lengths are divided by their mean
    word_ids = [
        [vocabulary.setdefault(word, len(vocabulary)) for word in search_terms(passage_line(passage)) or [""]]
        for passage in passages
    ]
    index: Any = bm25s.BM25(k1=K1, b=B, method="lucene", backend="numpy")
    index.index((word_ids, vocabulary), show_progress=False)
    return Bm25Searcher(index)


def load(folder: Path) -> Bm25Searcher:
    """Load an index that `Bm25Searcher.save` wrote; no pickle is read."""
    return Bm25Searcher(bm25s.BM25.load(folder / _FOLDER, show_progress=False, allow_pickle=False))
