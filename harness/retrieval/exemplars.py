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
    """The same exemplars for every query.

    Spares replace the query itself and what its user may not read, in their order.
    """

    examples: tuple[Example, ...]
    spares: tuple[Example, ...] = ()

    def pick(self, queries: Sequence[Query]) -> list[tuple[Example, ...]]:
        """Return the exemplars for each query: those that its user may read, never the query itself."""
        return [self._pick(query) for query in queries]

    def _pick(self, query: Query) -> tuple[Example, ...]:
        if all(_may_show(example, query) for example in self.examples):
            return self.examples
        spares = (example for example in self.spares if _may_show(example, query))
        replaced = [example if _may_show(example, query) else next(spares, None) for example in self.examples]
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
        """Return the nearest examples that each query's user may read, never the query itself."""
        if not queries:
            return []
        from harness.retrieval import dense  # noqa: PLC0415 - imports FAISS and sentence-transformers

        similarities = dense.embed(self.embedder, [query.input for query in queries], "query") @ self.vectors.T
        orders = (-similarities).argsort(axis=1, kind="stable").tolist()
        return [self._nearest(order, query) for order, query in zip(orders, queries, strict=True)]

    def _nearest(self, order: Sequence[int], query: Query) -> tuple[Example, ...]:
        candidates = (self.examples[i] for i in order if _may_show(self.examples[i], query))
        return tuple(reversed([example for _, example in zip(range(self.k), candidates, strict=False)]))


def _may_show(example: Example, query: Query) -> bool:
    """Tell whether an example may stand in the prompt of a query: its user may read it, and it is another."""
    return example.query.id != query.id and example.readable_by(query.user)


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
