"""One strategy's scores on one task: what each item adds to a metric, for every seed that ran."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

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
        tables = [_defined(metric, items) for items in seeds]
        if not tables:
            return None
        common = set(tables[0]).intersection(*tables[1:])
        ids = tuple(sorted(common))
        if not ids:
            return None
        statistics = [metric.statistics(items) for items in seeds]
        chosen = [rows[[places[i] for i in ids]] for rows, places in zip(statistics, tables, strict=True)]
        clusters = [seeds[0].clusters[tables[0][i]] for i in ids]
        sample = cls(metric, ids, np.stack(chosen), _codes(clusters))
        if not np.isfinite(sample.scores).all():
            raise HarnessError(f"metric {metric.name!r} gave a score that is no number: it must score every item")
        return sample

    def at(self, ids: Sequence[str]) -> Sample:
        """Return the scores of some of the items, in the given order."""
        if tuple(ids) == self.ids:
            return self
        place = {name: i for i, name in enumerate(self.ids)}
        chosen = [place[i] for i in ids]
        return Sample(self.metric, tuple(ids), self.scores[:, chosen], _codes(self.clusters[chosen].tolist()))

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

    @property
    def units(self) -> int:
        """Number of independent units, C: clusters, or items where none shares a cluster."""
        return int(self.clusters.max()) + 1

    @property
    def clustered(self) -> bool:
        """Whether some items are not independent."""
        return self.units < self.n

    @property
    def by_seed(self) -> FloatArray:
        """The metric of each seed: [S]."""
        return self.metric.combine(self.scores.sum(axis=1), np.full(self.seeds, float(self.n)))

    @property
    def value(self) -> float:
        """Mean over seeds of the metric."""
        return float(self.by_seed.mean())

    @property
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


def _defined(metric: Metric, items: Items) -> dict[str, int]:
    """Places by id of the items that the metric is defined for."""
    return {items.ids[i]: int(i) for i in np.flatnonzero(metric.defined(items))}


def _codes(clusters: Sequence[str | int | None]) -> IntArray:
    """Number the clusters in order of first appearance; an item without one is a cluster of its own."""
    codes: dict[object, int] = {}
    keys = (("alone", i) if cluster is None else cluster for i, cluster in enumerate(clusters))
    return np.array([codes.setdefault(key, len(codes)) for key in keys], dtype=np.int64)
