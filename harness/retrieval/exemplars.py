"""Exemplars for few-shot prompts: fixed, or nearest to the query."""

from __future__ import annotations

import random
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from harness.api import Example, Query

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


@dataclass(frozen=True)
class FixedExemplars:
    """The same exemplars for every query; for a query that is one of them, `spare` replaces it."""

    examples: tuple[Example, ...]
    spare: Example | None = None

    def pick(self, queries: Sequence[Query]) -> list[tuple[Example, ...]]:
        """Return the exemplars for each query, never the query itself."""
        return [self._for(query.id) for query in queries]

    def _for(self, query_id: str) -> tuple[Example, ...]:
        if all(example.query.id != query_id for example in self.examples):
            return self.examples
        replaced = [self.spare if example.query.id == query_id else example for example in self.examples]
        return tuple(example for example in replaced if example is not None)


@dataclass(frozen=True, eq=False)
class NearestExemplars:
    """The examples whose inputs have the largest cosine with the query's; the nearest comes last, next to the question.

    Liu et al. 2022, arXiv:2101.06804.

    Attributes:
        embedder: a sentence-transformers model.
        vectors: unit vectors of the examples' inputs, embedded as documents: float32 [examples, dimensions].
        k: exemplars a query.
    """

    embedder: Any
    examples: tuple[Example, ...]
    vectors: NDArray[np.float32]
    k: int

    def pick(self, queries: Sequence[Query]) -> list[tuple[Example, ...]]:
        """Return the nearest examples of each query, never the query itself."""
        if not queries:
            return []
        from harness.retrieval import dense  # noqa: PLC0415 - imports FAISS and sentence-transformers

        similarities = dense.embed(self.embedder, [query.input for query in queries], "query") @ self.vectors.T
        orders = (-similarities).argsort(axis=1, kind="stable").tolist()
        return [self._nearest(order, query.id) for order, query in zip(orders, queries, strict=True)]

    def _nearest(self, order: Sequence[int], query_id: str) -> tuple[Example, ...]:
        candidates = (self.examples[i] for i in order if self.examples[i].query.id != query_id)
        return tuple(reversed([example for _, example in zip(range(self.k), candidates, strict=False)]))


def shuffled(examples: Sequence[Example], seed: int) -> list[Example]:
    """Return the examples shuffled by a seed."""
    order = list(examples)
    random.Random(seed).shuffle(order)
    return order


def shuffled_by_label(examples: Sequence[Example], seed: int) -> list[Example]:
    """Return the examples shuffled, one of each label in turn; without fixed labels, just shuffled."""
    order = shuffled(examples, seed)
    by_label: dict[str, list[Example]] = defaultdict(list)
    for example in order:
        by_label[example.references[0]].append(example)
    if len(by_label) > len(order) // 2:  # free answers, not labels
        return order
    turns = [(index, example) for group in by_label.values() for index, example in enumerate(group)]
    return [example for _, example in sorted(turns, key=lambda turn: turn[0])]
