"""What every figure and every "better" in a report stands on: an interval that fits the metric, a paired test.

All are for new items of the same kind: the items' spread is always in, and the seeds' spread where several
seeds ran. `Estimate.seed_sd` tells what would change on the same items.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from statistics import NormalDist

import numpy as np

from harness.compare import intervals
from harness.compare.bootstrap import Resampled, bca_interval, bca_p, resample
from harness.compare.sample import Sample
from harness.metrics.power import detectable_difference
from harness.records import Frozen

NO_SPREAD = 1e-12


class Estimate(Frozen):
    """A score with its 95 % interval.

    Attributes:
        n: items; clusters: groups of items that are not independent, None where each is.
        seeds: runs that were averaged; seed_sd: standard deviation between them, None for one.
        method: how the interval was made.
    """

    value: float
    low: float
    high: float
    n: int
    clusters: int | None = None
    seeds: int = 1
    seed_sd: float | None = None
    method: str


class Difference(Frozen):
    """How much higher the first of two systems scores on the same items, with its 95 % interval.

    Attributes:
        p: two-sided, that there is no true difference; for one test alone.
        p_holm: adjusted for all the comparisons that were made with it; None where it stands alone.
        detectable: smallest true difference that such a comparison finds with 80 % power.
    """

    value: float
    low: float
    high: float
    p: float
    p_holm: float | None = None
    n: int
    clusters: int | None = None
    detectable: float
    method: str


def estimate(sample: Sample, sampled: Resampled | None = None) -> Estimate:
    """Estimate a metric from a strategy's answers.

    Shares of independent items get Wilson's interval, other means a t interval with clustered errors, anything
    else a BCa bootstrap over clusters. Several seeds add their own variance.

    Args:
        sample: the answers.
        sampled: `bootstrap.resample` of the sample, where it was made with others'; else it is made here.
    """
    item = _of_items(sample, sampled)
    spread = _with_seeds(item, [sample.by_seed])
    low, high = sample.metric.bounds
    return Estimate(
        value=item.value,
        low=max(low, min(spread.low, item.value)),
        high=min(high, max(spread.high, item.value)),
        n=sample.n,
        clusters=sample.units if sample.clustered else None,
        seeds=sample.seeds,
        seed_sd=float(sample.by_seed.std(ddof=1)) if sample.seeds > 1 else None,
        method=spread.method,
    )


def difference(first: Sample, second: Sample, sampled: tuple[Resampled, Resampled] | None = None) -> Difference:
    """Compare two systems on the same items: positive where the first scores higher.

    The interval is of the mean per-item difference (t, clustered errors), or a BCa bootstrap with the same
    resamples for both. For 0/1 scores of independent items, p is the exact McNemar test's.

    Args:
        first: a system's scores.
        second: another's on the same items (`Sample.paired_with`).
        sampled: both, resampled together; else that is done here.
    """
    item = _of_pairs(first, second, sampled)
    spread = _with_seeds(item, [first.by_seed, second.by_seed])
    low, high = first.metric.bounds
    reach = high - low
    return Difference(
        value=item.value,
        low=max(-reach, min(spread.low, item.value)),
        high=min(reach, max(spread.high, item.value)),
        p=spread.p,
        n=first.n,
        clusters=first.units if first.clustered else None,
        detectable=detectable_difference(spread.error, 1),
        method=spread.method,
    )


def unpaired(first: Sample, second: Sample) -> Difference:
    """Compare a system's scores on two sets of items that have none in common: positive where the first is higher.

    Each set's own interval (Wilson, t or BCa, clusters kept together) gives its share of the width, so that it fits
    shares near 0 and 1 (MOVER: Zou & Donner 2008; of proportions, Newcombe 1998, method 10). Seeds that both sets
    have in common add the variance of their differences.

    Args:
        first: answers to some items.
        second: of the same system and seeds, to others.
    """
    one, other = _of_items(first, None), _of_items(second, None)
    value = one.value - other.value
    below = math.hypot(one.value - one.low, other.high - other.value)
    above = math.hypot(one.high - one.value, other.value - other.low)
    error = (below + above) / (2 * NormalDist().inv_cdf((1 + intervals.CONFIDENCE) / 2))
    method = f"of two independent sets of items: {one.method}; {other.method}"
    spread = _Spread(value, value - below, value + above, error, min(one.df, other.df), 1.0, method)
    if first.seeds == second.seeds:
        spread = _with_seeds(spread, [first.by_seed - second.by_seed])
    reach = first.metric.bounds[1] - first.metric.bounds[0]
    facing = value - spread.low if value > 0 else spread.high - value
    return Difference(
        value=value,
        low=max(-reach, spread.low),
        high=min(reach, spread.high),
        p=_p_at(abs(value), facing),
        n=second.n,
        clusters=second.units if second.clustered else None,
        detectable=detectable_difference(error, 1),
        method=spread.method,
    )


def _p_at(distance: float, half_width: float) -> float:
    """Two-sided p that agrees with an interval: 5 % where its end, `half_width` away, just meets 0."""
    z = NormalDist().inv_cdf((1 + intervals.CONFIDENCE) / 2)
    return 2 * NormalDist().cdf(-z * distance / half_width) if half_width > 0 else float(distance == 0)


@dataclass(frozen=True)
class _Spread:
    """A value's interval, the standard error and degrees of freedom behind it, and p that the value is 0."""

    value: float
    low: float
    high: float
    error: float
    df: float
    p: float
    method: str


def _of_items(sample: Sample, sampled: Resampled | None) -> _Spread:
    metric = sample.metric
    if metric.binary and sample.seeds == 1 and not sample.clustered:
        low, high = intervals.wilson(float(sample.scores.sum()), sample.n)
        return _Spread(sample.value, low, high, 0.0, sample.n - 1, 1.0, "Wilson")
    if metric.is_mean:
        return _mean(sample.item_scores, sample, metric.bounds)
    return _bootstrap(sampled or resample([sample])[0], sample, metric.bounds)


def _of_pairs(first: Sample, second: Sample, sampled: tuple[Resampled, Resampled] | None) -> _Spread:
    metric, reach = first.metric, first.metric.bounds[1] - first.metric.bounds[0]
    if not metric.is_mean:
        one, other = sampled or resample([first, second])
        return _bootstrap(one.minus(other), first, (-reach, reach))
    spread = _mean(first.item_scores - second.item_scores, first, (-reach, reach))
    if metric.binary and first.seeds == second.seeds == 1 and not first.clustered:
        p = intervals.mcnemar(first.item_scores, second.item_scores)
        return _Spread(*_head(spread), p, f"{spread.method}, p by exact McNemar test")
    return spread


def _mean(scores: np.ndarray, sample: Sample, bounds: tuple[float, float]) -> _Spread:
    value = float(scores.mean())
    if sample.units < 2:
        return _flat(value, sample, bounds)
    error, df = intervals.standard_error(scores, sample.clusters)
    if error < NO_SPREAD:
        return _flat(value, sample, bounds)
    half = intervals.t_multiplier(df) * error
    method = "t, clustered" if sample.clustered else "t"
    return _Spread(value, value - half, value + half, error, df, intervals.t_p(value, error, df), method)


def _bootstrap(sampled: Resampled, sample: Sample, bounds: tuple[float, float]) -> _Spread:
    if sample.units < 2 or sampled.constant:
        return _flat(sampled.value, sample, bounds)
    low, high = bca_interval(sampled)
    method = "BCa bootstrap of clusters" if sample.clustered else "BCa bootstrap"
    return _Spread(sampled.value, low, high, sampled.error, sample.units - 1, bca_p(sampled), method)


def _flat(value: float, sample: Sample, bounds: tuple[float, float]) -> _Spread:
    value = 0.0 if abs(value) < NO_SPREAD else value
    reach = 2 * abs(value) or 1.0  # of a score without bounds: a guess, as nothing says how far it can go
    bottom, top = (end if math.isfinite(end) else value + math.copysign(reach, end) for end in bounds)
    low, high = intervals.flat_interval(value, sample.units, (bottom, top))
    error = (high - low) / (2 * NormalDist().inv_cdf((1 + intervals.CONFIDENCE) / 2))
    method = "one cluster: limits for a single observation" if sample.units < 2 else "no spread: Wilson's limit"
    p = intervals.flat_p(value, sample.units, top)
    return _Spread(value, low, high, error, max(1, sample.units - 1), p, method)


def _with_seeds(spread: _Spread, by_seed: list[np.ndarray]) -> _Spread:
    """Add the variance between seeds, σ²_seed / S a system, with Satterthwaite's degrees of freedom.

    Each side of the interval is stretched by the same factor, so that an asymmetric one stays so.
    """
    seeds = [(float(values.var(ddof=1)) / len(values), len(values) - 1) for values in by_seed if len(values) > 1]
    if not seeds or sum(variance for variance, _ in seeds) < NO_SPREAD**2:
        return spread
    parts = [(spread.error**2, spread.df), *seeds]
    error = math.sqrt(sum(variance for variance, _ in parts))
    df = error**4 / sum(variance**2 / own for variance, own in parts)
    factor = intervals.t_multiplier(df) * error / ((spread.high - spread.low) / 2)
    value, low, high = spread.value, spread.low, spread.high
    method = f"{spread.method}, with the variance between seeds"
    p = intervals.t_p(value, error, df)
    return _Spread(value, value - (value - low) * factor, value + (high - value) * factor, error, df, p, method)


def _head(spread: _Spread) -> tuple[float, float, float, float, float]:
    return spread.value, spread.low, spread.high, spread.error, spread.df
