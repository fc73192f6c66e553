"""Variance of a task's scores over items, clusters and seeds, estimated from stored results to plan the next run."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations
from statistics import median

import numpy as np

from harness.compare.stats.bootstrap import resample
from harness.compare.stats.sample import IntArray, Sample
from harness.compare.trials.groups import group_trials
from harness.compare.trials.stored_trials import StoredTrialItems
from harness.metrics import get
from harness.metrics.metric import FloatArray
from harness.records.measurements import StoredModel
from harness.records.record import Completed

FLAT = 1e-9


class Pilot(StoredModel):
    """Variance of a task's primary metric in stored results.

    Attributes:
        pairs: pairs of strategies with one model that `sd` and `correlation` are medians over.
        sd: standard deviation of the per-item differences, one seed each; of a metric that is not a mean of items, the
            standard error of the difference times the root of the number of items.
        correlation: of the differences of two items in one cluster, in [0, 1]; None: items are in no clusters.
        seed_sd: standard deviation of a score over seeds, pooled over `repeated` strategies; None: all have one seed.
    """

    metric: str
    pairs: int
    sd: float
    correlation: float | None = None
    seed_sd: float | None = None
    repeated: int = 0


def estimate_pilot(task: str, stored: Sequence[StoredTrialItems]) -> Pilot | None:
    """Estimate variances from a task's stored trials; None where no two strategies with one model differ on any item.

    Args:
        task: its name.
        stored: trials, at most one of each strategy, model and seed.
    """
    records = [trial.record for trial in stored if isinstance(trial.record, Completed)]
    records = [record for record in records if record.trial.task == task]
    if not records:
        return None
    metric = get(records[0].tasks[0].metrics[0])
    trials = [trial for trial in stored if trial.record.trial.task == task and trial.record.trial.train_items is None]
    groups = [group for group in group_trials(task, trials) if group.items]
    by_model: dict[str, list[Sample]] = {}
    for group in groups:
        if sample := Sample.from_items(metric, [next(iter(group.items.values()))]):
            by_model.setdefault(group.model, []).append(sample)
    spreads = [
        spread
        for samples in by_model.values()
        for first, second in combinations(samples, 2)
        if (pair := first.pair_with(second)) and (spread := _spread(*pair)) and spread[0] > FLAT
    ]
    if not spreads:
        return None
    repeated = [Sample.from_items(metric, list(group.items.values())) for group in groups if len(group.items) > 1]
    seed_scores = [sample.seed_scores for sample in repeated if sample]
    correlations = [correlation for _, correlation in spreads if correlation is not None]
    return Pilot(
        metric=metric.name,
        pairs=len(spreads),
        sd=median(sd for sd, _ in spreads),
        correlation=median(correlations) if correlations else None,
        seed_sd=_pooled_sd(seed_scores) if seed_scores else None,
        repeated=len(seed_scores),
    )


def _spread(first: Sample, second: Sample) -> tuple[float, float | None] | None:
    """Compute the standard deviation of the differences of items, and their correlation within clusters."""
    if first.n < 3 or first.units < 2:
        return None
    if not first.metric.is_mean:
        minuend, subtrahend = resample([first, second], resamples=1_000)
        return minuend.minus(subtrahend).error * first.n**0.5, None
    gains = first.item_scores - second.item_scores
    return float(gains.std(ddof=1)), intra_cluster_correlation(gains, first.clusters) if first.clustered else None


def intra_cluster_correlation(values: FloatArray, clusters: IntArray) -> float:
    """Correlation of two items of one cluster, by analysis of variance; a negative one is returned as 0.

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
    typical_size = (n - float((sizes**2).sum()) / n) / (units - 1)
    total = between + (typical_size - 1) * within
    return min(1.0, max(0.0, (between - within) / total)) if total > FLAT else 0.0


def _pooled_sd(seed_scores: Sequence[FloatArray]) -> float:
    """Standard deviation over seeds, pooled over strategies."""
    squares = sum(float(((scores - scores.mean()) ** 2).sum()) for scores in seed_scores)
    return (squares / sum(len(scores) - 1 for scores in seed_scores)) ** 0.5
