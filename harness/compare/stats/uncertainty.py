"""How far a value could lie from the truth: the interval that fits a metric, its items, clusters and seeds."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import NormalDist

from harness.compare.stats import intervals
from harness.compare.stats.bootstrap import BootstrapEstimate, bca_interval, bca_p, resample
from harness.compare.stats.sample import Sample
from harness.metrics.metric import FloatArray

NO_SPREAD = 1e-12


@dataclass(frozen=True)
class Uncertainty:
    """A value's interval, the standard error and degrees of freedom behind it, and p that the value is 0."""

    value: float
    low: float
    high: float
    error: float
    df: float
    p: float
    method: str


def of_items(sample: Sample, sampled: BootstrapEstimate | None) -> Uncertainty:
    """Give the spread of one system's score over items."""
    metric = sample.metric
    if metric.binary and sample.seeds == 1 and not sample.clustered:
        low, high = intervals.wilson(float(sample.scores.sum()), sample.n)
        return Uncertainty(sample.value, low, high, 0.0, sample.n - 1, 1.0, "Wilson")
    if metric.is_mean:
        return of_scores(sample.item_scores, sample, metric.bounds)
    return of_draws(sampled or resample([sample])[0], sample, metric.bounds)


def of_pairs(first: Sample, second: Sample, sampled: tuple[BootstrapEstimate, BootstrapEstimate] | None) -> Uncertainty:
    """Give the spread of the difference of two systems on the same items."""
    metric, reach = first.metric, first.metric.bounds[1] - first.metric.bounds[0]
    if not metric.is_mean:
        one, other = sampled or resample([first, second])
        return of_draws(one.minus(other), first, (-reach, reach))
    spread = of_scores(first.item_scores - second.item_scores, first, (-reach, reach))
    if metric.binary and first.seeds == second.seeds == 1 and not first.clustered:
        p = intervals.mcnemar(first.item_scores, second.item_scores)
        return Uncertainty(*_head(spread), p, f"{spread.method}, p by exact McNemar test")
    return spread


def of_scores(scores: FloatArray, sample: Sample, bounds: tuple[float, float]) -> Uncertainty:
    """Give the t interval of the mean of one number an item [n], with the clusters of a sample."""
    value = float(scores.mean())
    if sample.units < 2:
        return _flat(value, sample, bounds)
    error, df = intervals.standard_error(scores, sample.clusters)
    if error < NO_SPREAD:
        return _flat(value, sample, bounds)
    half = intervals.t_multiplier(df) * error
    method = "t, clustered" if sample.clustered else "t"
    return Uncertainty(value, value - half, value + half, error, df, intervals.t_p(value, error, df), method)


def of_draws(sampled: BootstrapEstimate, sample: Sample, bounds: tuple[float, float]) -> Uncertainty:
    """Give the BCa interval of a resampled value."""
    if sample.units < 2 or sampled.constant:
        return _flat(sampled.value, sample, bounds)
    low, high = bca_interval(sampled)
    method = "BCa bootstrap of clusters" if sample.clustered else "BCa bootstrap"
    return Uncertainty(sampled.value, low, high, sampled.error, sample.units - 1, bca_p(sampled), method)


def _flat(value: float, sample: Sample, bounds: tuple[float, float]) -> Uncertainty:
    value = 0.0 if abs(value) < NO_SPREAD else value
    reach = 2 * abs(value) or 1.0  # of a score without bounds: a guess, as nothing says how far it can go
    bottom, top = (end if math.isfinite(end) else value + math.copysign(reach, end) for end in bounds)
    low, high = intervals.flat_interval(value, sample.units, (bottom, top))
    error = (high - low) / (2 * NormalDist().inv_cdf((1 + intervals.CONFIDENCE) / 2))
    method = "one cluster: limits for a single observation" if sample.units < 2 else "no spread: Wilson's limit"
    p = intervals.flat_p(value, sample.units, top)
    return Uncertainty(value, low, high, error, max(1, sample.units - 1), p, method)


def with_seeds(spread: Uncertainty, variances: Sequence[tuple[float, int]]) -> Uncertainty:
    """Add the variance between seeds, σ²_seed / S a system, with Satterthwaite's degrees of freedom.

    Each side of the interval is stretched by the same factor, so that an asymmetric one stays so.

    Args:
        spread: over items.
        variances: σ²_seed and S of each system (`TrainingSample.seed_variance`).
    """
    seeds = [(variance / count, count - 1) for variance, count in variances if count > 1]
    if not seeds or sum(variance for variance, _ in seeds) < NO_SPREAD**2:
        return spread
    parts = [(spread.error**2, spread.df), *seeds]
    error = math.sqrt(sum(variance for variance, _ in parts))
    df = error**4 / sum(variance**2 / own for variance, own in parts)
    factor = intervals.t_multiplier(df) * error / ((spread.high - spread.low) / 2)
    value, low, high = spread.value, spread.low, spread.high
    method = f"{spread.method}, with the variance between seeds"
    p = intervals.t_p(value, error, df)
    return Uncertainty(value, value - (value - low) * factor, value + (high - value) * factor, error, df, p, method)


def _head(spread: Uncertainty) -> tuple[float, float, float, float, float]:
    return spread.value, spread.low, spread.high, spread.error, spread.df
