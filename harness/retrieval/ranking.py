"""Ranking of passages for a prompt: read permissions, rank fusion, reranking and the cut to k."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from harness.api import Example, Passage, Query
from harness.retrieval.distractors import Distractors

AllowedMask = NDArray[np.bool_] | None
"""Mask over the corpus, [passages]: True where a passage may be retrieved; None: everywhere."""

FUSION_DEPTH = 100
"""Passages of each searcher that are fused: deep enough for one that ranks high in a single list only."""
FUSION_CONSTANT = 60
"""Of Cormack et al. 2009: ranks 1 and 2 of one list differ little, so agreement of the lists decides."""


class Searcher(Protocol):
    """Ranks passages, by their positions in the corpus, by one signal."""

    def search(self, texts: Sequence[str], allowed: AllowedMask, depth: int) -> list[list[int]]:
        """Return the positions of at most `depth` allowed passages for each text, best first.

        Passages are filtered before the cut: one that is not allowed does not count towards `depth`.
        """
        ...

    def save(self, folder: Path) -> None:
        """Write the index; the passages themselves are not part of it."""
        ...


class Reranker(Protocol):
    """Scores a query and a passage together."""

    def score(self, queries: Sequence[str], passages: Sequence[Sequence[Passage]]) -> list[list[float]]:
        """Return a score for each retrieved passage of each query; higher is better."""
        ...

    def with_model(self, model: Any) -> Reranker:
        """Return the reranker for a system with this model."""
        ...


@dataclass(frozen=True)
class PassageRetriever:
    """Finds up to k passages for each query among those that its user may read.

    A query gets fewer, or none, where the searchers find no more: BM25 only finds passages that share a word with it.
    Passages that a user may not read are filtered out before fusion, reranking and the cut, so k readable passages are
    returned if k were found. They still count in figures of the whole corpus: idf, and the lists of ivf.

    Attributes:
        searchers: several are fused by reciprocal rank.
        passages: the corpus, in the order of the searchers' positions.
        k: passages a query.
        reranker: reorders the first `candidates` (at least k).
        distractors: what is shown with examples that are learned; None: the same as with queries.
    """

    searchers: tuple[Searcher, ...]
    passages: tuple[Passage, ...]
    k: int
    reranker: Reranker | None = None
    candidates: int = 0
    distractors: Distractors | None = None

    @property
    def max_passages(self) -> int:
        """Passages that a query gets at most: k, or all of a smaller corpus."""
        return min(self.k, len(self.passages))

    def find(self, queries: Sequence[Query]) -> list[tuple[Passage, ...]]:
        """Return the passages of each query, best first."""
        depth = max(self.k, self.candidates) if self.reranker else self.k
        retrieved = [[self.passages[position] for position in row] for row in self._positions(queries, depth)]
        if self.reranker and queries:
            scores = self.reranker.score([query.input for query in queries], retrieved)
            retrieved = [_by_score(row, row_scores) for row, row_scores in zip(retrieved, scores, strict=True)]
        return [tuple(row[: self.k]) for row in retrieved]

    def find_for_training(self, examples: Sequence[Example]) -> list[tuple[Passage, ...]]:
        """Return the passages for each example that is learned: by `distractors`, else as for its query."""
        queries = [example.query for example in examples]
        if self.distractors is None:
            return self.find(queries)
        by_suite_id: dict[str, list[Passage]] = {}
        for passage in self.passages:
            for name in passage.suite_ids:
                by_suite_id.setdefault(name, []).append(passage)
        depth = self.distractors.depth
        ranked_passages = replace(self, k=depth, candidates=max(depth, self.candidates)).find(queries)
        return [
            self.distractors.arrange(
                example,
                [passage for name in example.evidence for passage in by_suite_id.get(name, ())],
                list(passages),
            )
            for example, passages in zip(examples, ranked_passages, strict=True)
        ]

    def with_model(self, model: Any) -> PassageRetriever:
        """Return the retriever for a system with this model, which a reranker may use."""
        return replace(self, reranker=self.reranker.with_model(model)) if self.reranker else self

    def _positions(self, queries: Sequence[Query], depth: int) -> list[list[int]]:
        """Return the first `depth` readable positions of each query; one search a user."""
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
        searcher_depth = depth if len(self.searchers) == 1 else max(depth, FUSION_DEPTH)
        lists = [searcher.search(texts, allowed, searcher_depth) for searcher in self.searchers]
        merged = lists[0] if len(lists) == 1 else [fuse_rankings(rows) for rows in zip(*lists, strict=True)]
        # whatever a searcher returned, nothing that is not allowed passes
        return [[position for position in row if allowed is None or allowed[position]][:depth] for row in merged]


def readable_mask(passages: Sequence[Passage], user: str | None) -> NDArray[np.bool_]:
    """Return a mask [passages]: True for public passages and those that name the user; None: public ones only."""
    return np.array([passage.readable_by(user) for passage in passages], dtype=bool)


def fuse_rankings(lists: Sequence[Sequence[int]]) -> list[int]:
    """Merge ranked lists by the sum of 1 / (60 + rank), highest first; ties in corpus order.

    Source: Cormack, Clarke & Buettcher 2009, reciprocal rank fusion.
    """
    sums: dict[int, float] = {}
    for ranked in lists:
        for rank, position in enumerate(ranked, 1):
            sums[position] = sums.get(position, 0.0) + 1 / (FUSION_CONSTANT + rank)
    return sorted(sums, key=lambda position: (-sums[position], position))


def passage_line(passage: Passage) -> str:
    """Return the text that a passage is indexed by: title and text."""
    return f"{passage.title}: {passage.text}" if passage.title else passage.text


def _by_score(row: Sequence[Passage], scores: Sequence[float]) -> list[Passage]:
    """Order by score, highest first; ties keep their order."""
    return [row[n] for n in sorted(range(len(row)), key=lambda n: -scores[n])]
