"""One strategy's scores on one task: each item's statistics of a metric, for every seed."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import Literal
from weakref import WeakKeyDictionary

import numpy as np
from numpy.typing import NDArray

from harness.errors import HarnessError
from harness.metrics.items import Items
from harness.metrics.metric import FloatArray, Metric

IntArray = NDArray[np.int64]

SeedBasis = Literal["measured", "assumed", "unknown"]
"""Where the spread over seeds comes from: runs of this task, other runs of such methods, or nowhere."""


@dataclass(frozen=True)
class SeedNoise:
    """Standard deviation of a score from one seed to another, the same for all systems of one kind.

    Attributes:
        kind: of method, e.g. ``tuning``.
        sd: of the score of a single seed; 0 where it is unknown.
        df: degrees of freedom of its estimate; infinite where it is assumed.
        rows: systems with several seeds that it was estimated from.
    """

    kind: str
    sd: float
    df: float
    basis: SeedBasis
    rows: int = 0


@dataclass(frozen=True)
class SeedPart:
    """Share of a system's seeds in the variance of its score.

    Attributes:
        variance: of the mean over its seeds; df: degrees of freedom of its estimate.
        noise: what it was computed from; systems that share it share the estimate. None: from this system alone.
    """

    variance: float
    df: float
    noise: SeedNoise | None = None


@dataclass(frozen=True, eq=False)
class Sample:
    """Scores of S seeds on the same n items in C clusters, as a metric's statistics of d columns.

    Attributes:
        ids: of the items, sorted; systems are paired on them.
        scores: float64 [S, n, d].
        clusters: int64 [n], each item's cluster as 0 ... C - 1.
        noise: spread over seeds of such systems; None: that of this one's seeds, if there are several.
    """

    metric: Metric
    ids: tuple[str, ...]
    scores: FloatArray
    clusters: IntArray
    noise: SeedNoise | None = None

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
        clusters = _codes(tuple(self.clusters[rows].tolist()))
        return Sample(self.metric, tuple(ids), self.scores[:, rows], clusters, self.noise)

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
    def seed_part(self) -> SeedPart | None:
        """Share of the seeds in the variance of `value`; None where nothing is random, or nothing is known of it."""
        if self.noise is None:
            return seed_part(self.seed_scores)
        return SeedPart(self.noise.sd**2 / self.seeds, self.noise.df, self.noise)

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


def seed_part(seed_scores: FloatArray) -> SeedPart | None:
    """Variance of the mean of one number a seed [S], from these alone; None for a single one."""
    seeds = len(seed_scores)
    return SeedPart(float(seed_scores.var(ddof=1)) / seeds, seeds - 1) if seeds > 1 else None


def pooled_noise(kind: str, seed_scores: Sequence[FloatArray]) -> SeedNoise | None:
    """Pool the variance over seeds of several systems, each about its own mean; None without two seeds of any.

    Args:
        kind: of method.
        seed_scores: of each system, one score a seed.
    """
    repeated = [scores for scores in seed_scores if len(scores) > 1]
    df = sum(len(scores) - 1 for scores in repeated)
    if not df:
        return None
    squares = sum(float(((scores - scores.mean()) ** 2).sum()) for scores in repeated)
    return SeedNoise(kind, (squares / df) ** 0.5, df, "measured", len(repeated))


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
