"""What stored results tell of a task before the next run: how much items, clusters and seeds vary."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations
from statistics import median

import numpy as np

from harness.compare.stats.bootstrap import resample
from harness.compare.stats.sample import IntArray, Sample
from harness.compare.trials.groups import groups_of
from harness.compare.trials.stored_trials import StoredTrialItems
from harness.metrics import get
from harness.metrics.metric import FloatArray
from harness.records.measurements import StoredModel
from harness.records.record import Completed

FLAT = 1e-9


class Pilot(StoredModel):
    """How a task's primary metric varies, in results that are there.

    Attributes:
        pairs: pairs of strategies with one model that `sd` and `correlation` are medians over.
        sd: standard deviation of the per-item differences, one seed each; of a metric that is no mean of items, of the
            whole difference times the root of the number of items.
        correlation: of the differences of two items in one cluster, in [0, 1]; None: items are in no clusters.
        seed_sd: standard deviation of a score over seeds, pooled over `repeated` strategies; None: none ran twice.
    """

    metric: str
    pairs: int
    sd: float
    correlation: float | None = None
    seed_sd: float | None = None
    repeated: int = 0


def pilot(task: str, stored: Sequence[StoredTrialItems]) -> Pilot | None:
    """Read a task's stored trials; None where no two strategies with one model differ on any item.

    Args:
        task: its name.
        stored: trials of it, at most one for each place.
    """
    records = [one.record for one in stored if isinstance(one.record, Completed) and one.record.trial.task == task]
    if not records:
        return None
    metric = get(records[0].tasks[0].metrics[0])
    own = [one for one in stored if one.record.trial.task == task and one.record.trial.train_items is None]
    groups = [group for group in groups_of(task, own) if group.items]
    found: dict[str, list[Sample]] = {}
    for group in groups:
        if sample := Sample.of(metric, [next(iter(group.items.values()))]):
            found.setdefault(group.model, []).append(sample)
    spreads = [
        spread
        for samples in found.values()
        for pair in combinations(samples, 2)
        if (both := pair[0].paired_with(pair[1])) and (spread := _spread(*both)) and spread[0] > FLAT
    ]
    if not spreads:
        return None
    seeds = [Sample.of(metric, list(group.items.values())) for group in groups if len(group.items) > 1]
    repeated = [sample.by_seed for sample in seeds if sample]
    inside = [correlation for _, correlation in spreads if correlation is not None]
    return Pilot(
        metric=metric.name,
        pairs=len(spreads),
        sd=median(sd for sd, _ in spreads),
        correlation=median(inside) if inside else None,
        seed_sd=_pooled(repeated) if repeated else None,
        repeated=len(repeated),
    )


def _spread(first: Sample, second: Sample) -> tuple[float, float | None] | None:
    """Give the standard deviation of the differences of items, and their correlation within clusters."""
    if first.n < 3 or first.units < 2:
        return None
    if not first.metric.is_mean:
        one, other = resample([first, second], resamples=1_000)
        return one.minus(other).error * first.n**0.5, None
    gains = first.item_scores - second.item_scores
    return float(gains.std(ddof=1)), intra_cluster_correlation(gains, first.clusters) if first.clustered else None


def intra_cluster_correlation(values: FloatArray, clusters: IntArray) -> float:
    """Correlation of two items of one cluster, by analysis of variance; below 0 it is given as 0.

    Args:
        values: [n].
        clusters: [n], 0 ... C - 1 with 2 ≤ C < n.

    Source: Donner & Koval 1980, equation 2.
    """
    sizes = np.bincount(clusters).astype(np.float64)
    n, units = len(values), len(sizes)
    means = np.bincount(clusters, weights=values) / sizes
    between = float((sizes * (means - values.mean()) ** 2).sum()) / (units - 1)
    within = float(((values - means[clusters]) ** 2).sum()) / (n - units)
    usual = (n - float((sizes**2).sum()) / n) / (units - 1)
    whole = between + (usual - 1) * within
    return min(1.0, max(0.0, (between - within) / whole)) if whole > FLAT else 0.0


def _pooled(every: Sequence[FloatArray]) -> float:
    """Standard deviation over seeds, from the squares of all strategies together."""
    squares = sum(float(((scores - scores.mean()) ** 2).sum()) for scores in every)
    return (squares / sum(len(scores) - 1 for scores in every)) ** 0.5
