"""From what searchers find to the passages of a prompt: who may read what, fusion, reranking and the cut to k."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from harness.api import Passage, Query

AllowedMask = NDArray[np.bool_] | None
"""Which places of the corpus may be found: a mask [passages]; None: all of them."""

FUSION_DEPTH = 100
"""Passages that each of several searchers gives to be fused: deep enough for one that only a single list has high."""
FUSION_CONSTANT = 60
"""Cormack et al. 2009: ranks 1 and 2 of one list differ little, so agreement of the lists decides."""


class Searcher(Protocol):
    """Knows passages by their places in the corpus, and finds them by one signal."""

    def search(self, texts: Sequence[str], allowed: AllowedMask, depth: int) -> list[list[int]]:
        """Return the places of at most `depth` allowed passages for each text, best first.

        The allowed ones are ranked among themselves: one that is not allowed takes no place from them.
        """
        ...

    def save(self, folder: Path) -> None:
        """Write what was built of the corpus; the passages themselves belong to the corpus."""
        ...


class Reranker(Protocol):
    """Judges a query and a passage together."""

    def score(self, queries: Sequence[str], passages: Sequence[Sequence[Passage]]) -> list[list[float]]:
        """Return a score for each passage found for each query; the higher the better."""
        ...

    def with_model(self, model: Any) -> Reranker:
        """Return the reranker for a system with this model."""
        ...


@dataclass(frozen=True)
class PassageRetriever:
    """Finds k passages for each query among those that its user may read.

    What a user may not read is left out before anything is fused, reranked or cut, so k readable passages come back
    where there are k. It still counts in what belongs to the whole corpus: how rare a word is, and ivf's lists.

    Attributes:
        searchers: several are fused by reciprocal rank.
        passages: the corpus, in the order that the searchers know.
        k: how many passages a query gets.
        reranker: puts the first `candidates` (at least k) into a new order.
    """

    searchers: tuple[Searcher, ...]
    passages: tuple[Passage, ...]
    k: int
    reranker: Reranker | None = None
    candidates: int = 0

    def find(self, queries: Sequence[Query]) -> list[tuple[Passage, ...]]:
        """Return the passages of each query, best first."""
        depth = max(self.k, self.candidates) if self.reranker else self.k
        retrieved = [[self.passages[position] for position in row] for row in self._positions(queries, depth)]
        if self.reranker and queries:
            scores = self.reranker.score([query.input for query in queries], retrieved)
            retrieved = [_by_score(row, row_scores) for row, row_scores in zip(retrieved, scores, strict=True)]
        return [tuple(row[: self.k]) for row in retrieved]

    def with_model(self, model: Any) -> PassageRetriever:
        """Return the retriever for a system with this model: a reranker may ask it."""
        return replace(self, reranker=self.reranker.with_model(model)) if self.reranker else self

    def _positions(self, queries: Sequence[Query], depth: int) -> list[list[int]]:
        """Return the first `depth` readable places of each query; users are served one after another."""
        positions: list[list[int]] = [[] for _ in queries]
        restricted = any(passage.readers for passage in self.passages)
        for user in dict.fromkeys(query.user for query in queries) if restricted else [None]:
            query_indices = [n for n, query in enumerate(queries) if query.user == user or not restricted]
            allowed = readable_mask(self.passages, user) if restricted else None
            ranked = self._search([queries[n].input for n in query_indices], allowed, depth) if query_indices else []
            for n, row in zip(query_indices, ranked, strict=True):
                positions[n] = row
        return positions

    def _search(self, texts: Sequence[str], allowed: AllowedMask, depth: int) -> list[list[int]]:
        each = depth if len(self.searchers) == 1 else max(depth, FUSION_DEPTH)
        lists = [searcher.search(texts, allowed, each) for searcher in self.searchers]
        merged = lists[0] if len(lists) == 1 else [fuse_rankings(rows) for rows in zip(*lists, strict=True)]
        return [self._cut_or_fill(row, allowed, depth) for row in merged]

    def _cut_or_fill(self, row: Sequence[int], allowed: AllowedMask, depth: int) -> list[int]:
        """Cut to `depth`, or fill up in corpus order where a query shares no word with enough passages.

        The one place that every list goes through: whatever a searcher gave, no place that is not allowed passes.
        """
        readable_positions = [position for position in row if allowed is None or allowed[position]][:depth]
        if len(readable_positions) < depth:
            readable = range(len(self.passages)) if allowed is None else np.flatnonzero(allowed).tolist()
            present = set(readable_positions)
            readable_positions += [position for position in readable if position not in present][
                : depth - len(readable_positions)
            ]
        return readable_positions


def readable_mask(passages: Sequence[Passage], user: str | None) -> NDArray[np.bool_]:
    """Mask [passages] of what a user may read: public passages, and those that name the user; None: public ones."""
    return np.array([not p.readers or (user is not None and user in p.readers) for p in passages], dtype=bool)


def fuse_rankings(lists: Sequence[Sequence[int]]) -> list[int]:
    """Merge ranked lists by the sum of 1 / (60 + rank), highest first; of equal ones the earlier in the corpus.

    Source: Cormack, Clarke & Buettcher 2009, reciprocal rank fusion.
    """
    sums: dict[int, float] = {}
    for ranked in lists:
        for rank, position in enumerate(ranked, 1):
            sums[position] = sums.get(position, 0.0) + 1 / (FUSION_CONSTANT + rank)
    return sorted(sums, key=lambda position: (-sums[position], position))


def passage_line(passage: Passage) -> str:
    """Return the text under which a passage is found: its title helps."""
    return f"{passage.title}: {passage.text}" if passage.title else passage.text


def _by_score(row: Sequence[Passage], scores: Sequence[float]) -> list[Passage]:
    """Order by score, highest first; passages of equal score stay as they were."""
    return [row[n] for n in sorted(range(len(row)), key=lambda n: -scores[n])]
