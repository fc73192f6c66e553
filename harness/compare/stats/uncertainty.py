"""The interval that fits a metric, its items, clusters and seeds, with the standard error and p behind it."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from statistics import NormalDist
from typing import Literal

from harness.compare.stats import intervals
from harness.compare.stats.bootstrap import BootstrapEstimate, bca_interval, bca_p, resample
from harness.compare.stats.sample import Sample
from harness.metrics.metric import FloatArray

NO_SPREAD = 1e-12

IntervalKind = Literal["wilson", "t", "bca", "flat", "one unit", "mover"]
"""Formula of an interval over items.

``flat``: all units gave the same value, so its width falls with 1/n; ``one unit``: a single item or cluster; ``mover``:
from the intervals of two independent sets of items.
"""


@dataclass(frozen=True)
class Uncertainty:
    """A value with its 95 % interval.

    Attributes:
        error: standard error; df: its degrees of freedom.
        p: two-sided, that the true value is 0.
        kind: the formula over items; method: all that went into the interval, in words.
    """

    value: float
    low: float
    high: float
    error: float
    df: float
    p: float
    kind: IntervalKind
    method: str


def score_uncertainty(sample: Sample, sampled: BootstrapEstimate | None) -> Uncertainty:
    """Interval of one system's score over items."""
    metric = sample.metric
    if metric.binary and sample.seeds == 1 and not sample.clustered:
        low, high = intervals.wilson(float(sample.scores.sum()), sample.n)
        return Uncertainty(sample.value, low, high, 0.0, sample.n - 1, 1.0, "wilson", "Wilson")
    if metric.is_mean:
        return mean_uncertainty(sample.item_scores, sample, metric.bounds)
    return bootstrap_uncertainty(sampled or resample([sample])[0], sample, metric.bounds)


def difference_uncertainty(
    first: Sample, second: Sample, sampled: tuple[BootstrapEstimate, BootstrapEstimate] | None
) -> Uncertainty:
    """Interval of the difference of two systems on the same items."""
    metric, reach = first.metric, first.metric.bounds[1] - first.metric.bounds[0]
    if not metric.is_mean:
        draws = sampled or resample([first, second])
        return bootstrap_uncertainty(draws[0].minus(draws[1]), first, (-reach, reach))
    spread = mean_uncertainty(first.item_scores - second.item_scores, first, (-reach, reach))
    if metric.binary and first.seeds == second.seeds == 1 and not first.clustered:
        p = intervals.mcnemar(first.item_scores, second.item_scores)
        return replace(spread, p=p, method=f"{spread.method}, p by exact McNemar test")
    return spread


def mean_uncertainty(scores: FloatArray, sample: Sample, bounds: tuple[float, float]) -> Uncertainty:
    """Student's t interval of the mean of one number an item [n], with the clusters of a sample."""
    value = float(scores.mean())
    if sample.units < 2:
        return _flat(value, sample, bounds)
    error, df = intervals.standard_error(scores, sample.clusters)
    if error < NO_SPREAD:
        return _flat(value, sample, bounds)
    half = intervals.t_multiplier(df) * error
    p, method = intervals.t_p(value, error, df), "t, clustered" if sample.clustered else "t"
    return Uncertainty(value, value - half, value + half, error, df, p, "t", method)


def bootstrap_uncertainty(sampled: BootstrapEstimate, sample: Sample, bounds: tuple[float, float]) -> Uncertainty:
    """BCa interval of a resampled value."""
    if sample.units < 2 or sampled.constant:
        return _flat(sampled.value, sample, bounds)
    low, high = bca_interval(sampled)
    method = "BCa bootstrap of clusters" if sample.clustered else "BCa bootstrap"
    return Uncertainty(sampled.value, low, high, sampled.error, sample.units - 1, bca_p(sampled), "bca", method)


def _flat(value: float, sample: Sample, bounds: tuple[float, float]) -> Uncertainty:
    value = 0.0 if abs(value) < NO_SPREAD else value
    reach = 2 * abs(value) or 1.0  # of a score without bounds: a guess
    bottom, top = (end if math.isfinite(end) else value + math.copysign(reach, end) for end in bounds)
    low, high = intervals.flat_interval(value, sample.units, (bottom, top))
    error = (high - low) / (2 * NormalDist().inv_cdf((1 + intervals.CONFIDENCE) / 2))
    p, df = intervals.flat_p(value, sample.units, top), max(1, sample.units - 1)
    if sample.units < 2:
        return Uncertainty(value, low, high, error, df, p, "one unit", "one cluster: limits for a single observation")
    return Uncertainty(value, low, high, error, df, p, "flat", "no spread: Wilson's limit")


def add_seed_variance(spread: Uncertainty, variances: Sequence[tuple[float, int]]) -> Uncertainty:
    """Add the variance between seeds, σ²_seed / S a system, with Satterthwaite's degrees of freedom.

    Each side of the interval is stretched by the same factor, so that an asymmetric one stays so.

    Args:
        spread: over items.
        variances: σ²_seed and S of each system (`Sample.seed_variance`).
    """
    seeds = [(variance / count, count - 1) for variance, count in variances if count > 1]
    if not seeds or sum(variance for variance, _ in seeds) < NO_SPREAD**2:
        return spread
    parts = [(spread.error**2, spread.df), *seeds]
    error = math.sqrt(sum(variance for variance, _ in parts))
    df = error**4 / sum(variance**2 / part_df for variance, part_df in parts)
    factor = intervals.t_multiplier(df) * error / ((spread.high - spread.low) / 2)
    return replace(
        spread,
        low=spread.value - (spread.value - spread.low) * factor,
        high=spread.value + (spread.high - spread.value) * factor,
        error=error,
        df=df,
        p=intervals.t_p(spread.value, error, df),
        method=f"{spread.method}, with the variance between seeds",
    )
