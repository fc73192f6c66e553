"""One strategy's scores on one task: what each item adds to a metric, for every seed that ran."""

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
    """S seeds' answers to the same n items in C clusters, as a metric's statistics of d columns.

    Attributes:
        ids: the items, sorted; systems are paired on them.
        scores: float64 [S, n, d].
        clusters: int64 [n], each item's cluster as 0 ... C - 1.
    """

    metric: Metric
    ids: tuple[str, ...]
    scores: FloatArray
    clusters: IntArray

    @classmethod
    def of(cls, metric: Metric, seeds: Sequence[Items]) -> Sample | None:
        """Line up the seeds of one strategy on the items that all of them answered.

        Returns:
            None where there is no such item, or none that the metric is defined for.
        """
        asked = [_answered(metric, items) for items in seeds]
        if not asked:
            return None
        common = set(asked[0].ids).intersection(*(one.ids for one in asked[1:] if one.ids != asked[0].ids))
        if not common:
            return None
        ids = asked[0].ids if len(common) == len(asked[0].ids) else tuple(i for i in asked[0].ids if i in common)
        clusters = asked[0].clusters if ids is asked[0].ids else tuple(c for i, c in asked[0].grouped if i in common)
        sample = cls(metric, ids, np.stack([sample_of_seed.at(ids) for sample_of_seed in asked]), _codes(clusters))
        if not np.isfinite(sample.scores).all():
            raise HarnessError(f"metric {metric.name!r} gave a score that is no number: it must score every item")
        return sample

    def at(self, ids: Sequence[str]) -> Sample:
        """Return the scores of some of the items, in the given order."""
        if tuple(ids) == self.ids:
            return self
        place = {name: i for i, name in enumerate(self.ids)}
        chosen = [place[i] for i in ids]
        return Sample(self.metric, tuple(ids), self.scores[:, chosen], _codes(tuple(self.clusters[chosen].tolist())))

    def paired_with(self, other: Sample) -> tuple[Sample, Sample] | None:
        """Return both on the items that both answered; None if there is none."""
        known = set(other.ids)
        ids = [i for i in self.ids if i in known]
        return (self.at(ids), other.at(ids)) if ids else None

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
    def by_seed(self) -> FloatArray:
        """The metric of each seed: [S]."""
        return self.metric.combine(self.scores.sum(axis=1), np.full(self.seeds, float(self.n)))

    @cached_property
    def seed_variance(self) -> tuple[float, int]:
        """Variance of the metric between seeds, and their number (`variance`)."""
        return variance(self.by_seed)

    @cached_property
    def value(self) -> float:
        """Mean over seeds of the metric."""
        return float(self.by_seed.mean())

    @cached_property
    def item_scores(self) -> FloatArray:
        """Each item's score averaged over seeds, for a metric that is a mean: [n]."""
        return self.scores[:, :, 0].mean(axis=0)

    @property
    def unit_sums(self) -> tuple[FloatArray, FloatArray]:
        """What each unit adds: statistics summed over its items [C, S, d], and the number of items [C]."""
        sizes = np.bincount(self.clusters, minlength=self.units).astype(np.float64)
        if not self.clustered:
            order = np.argsort(self.clusters)
            return self.scores.transpose(1, 0, 2)[order], sizes
        sums = np.zeros((self.units, self.seeds, self.scores.shape[2]))
        np.add.at(sums, self.clusters, self.scores.transpose(1, 0, 2))
        return sums, sizes


def variance(by_seed: FloatArray) -> tuple[float, int]:
    """Give the variance of one number a seed [S] with S - 1 degrees of freedom, 0 of a single one; and S."""
    return (float(by_seed.var(ddof=1)) if len(by_seed) > 1 else 0.0), len(by_seed)


@dataclass(frozen=True, eq=False)
class _Answered:
    """What a metric says of each item that it is defined for, sorted by id: statistics [n, d]."""

    ids: tuple[str, ...]
    clusters: tuple[str | None, ...]
    statistics: FloatArray

    @property
    def grouped(self) -> Iterable[tuple[str, str | None]]:
        """Each item with its cluster."""
        return zip(self.ids, self.clusters, strict=True)

    def at(self, ids: tuple[str, ...]) -> FloatArray:
        """Statistics of some of the items."""
        if ids == self.ids:
            return self.statistics
        places = {name: i for i, name in enumerate(self.ids)}
        return self.statistics[[places[i] for i in ids]]


_KNOWN: WeakKeyDictionary[Items, dict[Metric, _Answered]] = WeakKeyDictionary()
"""What was scored already: a trial's items are scored alone, with the other seeds, and against other strategies."""


def _answered(metric: Metric, items: Items) -> _Answered:
    cached = _KNOWN.setdefault(items, {})
    if metric not in cached:
        cached[metric] = _score(metric, items)
    return cached[metric]


def _score(metric: Metric, items: Items) -> _Answered:
    defined = metric.defined(items)
    ids, order, index = _sorted(items.ids)
    statistics = metric.statistics(items)
    if defined.all():
        return _Answered(ids, _placed(items.clusters, order), statistics[index])
    kept = [i for i in order if defined[i]]
    return _Answered(tuple(items.ids[i] for i in kept), tuple(items.clusters[i] for i in kept), statistics[kept])


@lru_cache(maxsize=256)
def _sorted(ids: tuple[str, ...]) -> tuple[tuple[str, ...], tuple[int, ...], IntArray]:
    """Sort ids; give the places that they come from, as numbers and as an index."""
    order = sorted(range(len(ids)), key=ids.__getitem__)
    return tuple(ids[i] for i in order), tuple(order), np.array(order, dtype=np.int64)


@lru_cache(maxsize=256)
def _placed(clusters: tuple[str | None, ...], order: tuple[int, ...]) -> tuple[str | None, ...]:
    return tuple(clusters[i] for i in order)


def _codes(clusters: tuple[str | int | None, ...]) -> IntArray:
    codes = _numbered(clusters)
    codes.setflags(write=False)
    return codes


@lru_cache(maxsize=256)
def _numbered(clusters: tuple[str | int | None, ...]) -> IntArray:
    """Number the clusters in order of first appearance; an item without one is a cluster of its own."""
    codes: dict[object, int] = {}
    keys = (("alone", i) if cluster is None else cluster for i, cluster in enumerate(clusters))
    return np.array([codes.setdefault(key, len(codes)) for key in keys], dtype=np.int64)
