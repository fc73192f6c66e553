"""One strategy's scores on one task: each item's statistics of a metric, for every seed."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache
from weakref import WeakKeyDictionary

import numpy as np
from numpy.typing import NDArray

from harness.errors import HarnessError
from harness.metrics.items import Items
from harness.metrics.metric import FloatArray, Metric

IntArray = NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Sample:
    """Scores of S seeds on the same n items in C clusters, as a metric's statistics of d columns.

    Attributes:
        ids: of the items, sorted; systems are paired on them.
        scores: float64 [S, n, d].
        clusters: int64 [n], each item's cluster as 0 ... C - 1.
    """

    metric: Metric
    ids: tuple[str, ...]
    scores: FloatArray
    clusters: IntArray

    @classmethod
    def from_items(cls, metric: Metric, seeds: Sequence[Items]) -> Sample | None:
        """Align the seeds of one strategy on the items that all of them answered.

        Returns:
            None where there is no such item, or none that the metric is defined for.
        """
        scored = [_score_cached(metric, items) for items in seeds]
        if not scored:
            return None
        head = scored[0]
        common = set(head.ids).intersection(*(seed.ids for seed in scored[1:] if seed.ids != head.ids))
        if not common:
            return None
        ids = head.ids if len(common) == len(head.ids) else tuple(i for i in head.ids if i in common)
        clusters = head.clusters if ids is head.ids else tuple(c for i, c in head.grouped if i in common)
        sample = cls(metric, ids, np.stack([seed.select(ids) for seed in scored]), _codes(clusters))
        if not np.isfinite(sample.scores).all():
            raise HarnessError(f"metric {metric.name!r} gave a score that is no number: it must score every item")
        return sample

    def select(self, ids: Sequence[str]) -> Sample:
        """Return the scores of some of the items, in the given order."""
        if tuple(ids) == self.ids:
            return self
        position = {name: i for i, name in enumerate(self.ids)}
        rows = [position[i] for i in ids]
        return Sample(self.metric, tuple(ids), self.scores[:, rows], _codes(tuple(self.clusters[rows].tolist())))

    def pair_with(self, other: Sample) -> tuple[Sample, Sample] | None:
        """Return both on the items that both answered; None if there is none."""
        other_ids = set(other.ids)
        ids = [i for i in self.ids if i in other_ids]
        return (self.select(ids), other.select(ids)) if ids else None

    @property
    def n(self) -> int:
        """Number of items."""
        return len(self.ids)

    @property
    def seeds(self) -> int:
        """Number of seeds, S."""
        return len(self.scores)

    @cached_property
    def units(self) -> int:
        """Number of independent units, C: clusters, or items where none shares a cluster."""
        return int(self.clusters.max()) + 1

    @property
    def clustered(self) -> bool:
        """Whether some items are not independent."""
        return self.units < self.n

    @cached_property
    def seed_scores(self) -> FloatArray:
        """The metric of each seed: [S]."""
        return self.metric.combine(self.scores.sum(axis=1), np.full(self.seeds, float(self.n)))

    @cached_property
    def seed_variance(self) -> tuple[float, int]:
        """Variance of the metric between seeds, and their number (`variance`)."""
        return variance(self.seed_scores)

    @cached_property
    def value(self) -> float:
        """Mean over seeds of the metric."""
        return float(self.seed_scores.mean())

    @cached_property
    def item_scores(self) -> FloatArray:
        """Each item's score averaged over seeds, for a metric that is a mean: [n]."""
        return self.scores[:, :, 0].mean(axis=0)

    @property
    def unit_sums(self) -> tuple[FloatArray, FloatArray]:
        """Statistics summed over the items of each unit [C, S, d], and its number of items [C]."""
        sizes = np.bincount(self.clusters, minlength=self.units).astype(np.float64)
        if not self.clustered:
            order = np.argsort(self.clusters)
            return self.scores.transpose(1, 0, 2)[order], sizes
        sums = np.zeros((self.units, self.seeds, self.scores.shape[2]))
        np.add.at(sums, self.clusters, self.scores.transpose(1, 0, 2))
        return sums, sizes


def variance(seed_scores: FloatArray) -> tuple[float, int]:
    """Variance of one number a seed [S] with S - 1 degrees of freedom, 0 of a single one; and S."""
    return (float(seed_scores.var(ddof=1)) if len(seed_scores) > 1 else 0.0), len(seed_scores)


@dataclass(frozen=True, eq=False)
class _ScoredItems:
    """A metric's statistics [n, d] of the items that it is defined for, sorted by id."""

    ids: tuple[str, ...]
    clusters: tuple[str | None, ...]
    statistics: FloatArray

    @property
    def grouped(self) -> Iterable[tuple[str, str | None]]:
        """Each item with its cluster."""
        return zip(self.ids, self.clusters, strict=True)

    def select(self, ids: tuple[str, ...]) -> FloatArray:
        """Statistics of some of the items."""
        if ids == self.ids:
            return self.statistics
        position = {name: i for i, name in enumerate(self.ids)}
        return self.statistics[[position[i] for i in ids]]


_CACHE: WeakKeyDictionary[Items, dict[Metric, _ScoredItems]] = WeakKeyDictionary()
"""Scores by trial: its items are used as one seed, with the other seeds, and against other strategies."""


def _score_cached(metric: Metric, items: Items) -> _ScoredItems:
    by_metric = _CACHE.setdefault(items, {})
    if metric not in by_metric:
        by_metric[metric] = _score(metric, items)
    return by_metric[metric]


def _score(metric: Metric, items: Items) -> _ScoredItems:
    defined = metric.defined(items)
    ids, order, index = _sort(items.ids)
    statistics = metric.statistics(items)
    if defined.all():
        return _ScoredItems(ids, _reorder(items.clusters, order), statistics[index])
    rows = [i for i in order if defined[i]]
    return _ScoredItems(tuple(items.ids[i] for i in rows), tuple(items.clusters[i] for i in rows), statistics[rows])


@lru_cache(maxsize=256)
def _sort(ids: tuple[str, ...]) -> tuple[tuple[str, ...], tuple[int, ...], IntArray]:
    """Sort ids; return them with their former positions, as a tuple and as an index array."""
    order = sorted(range(len(ids)), key=ids.__getitem__)
    return tuple(ids[i] for i in order), tuple(order), np.array(order, dtype=np.int64)


@lru_cache(maxsize=256)
def _reorder(clusters: tuple[str | None, ...], order: tuple[int, ...]) -> tuple[str | None, ...]:
    return tuple(clusters[i] for i in order)


def _codes(clusters: tuple[str | int | None, ...]) -> IntArray:
    codes = _number(clusters)
    codes.setflags(write=False)
    return codes


@lru_cache(maxsize=256)
def _number(clusters: tuple[str | int | None, ...]) -> IntArray:
    """Number the clusters in order of first appearance; an item without one is a cluster of its own."""
    codes: dict[object, int] = {}
    keys = (("alone", i) if cluster is None else cluster for i, cluster in enumerate(clusters))
    return np.array([codes.setdefault(key, len(codes)) for key in keys], dtype=np.int64)
