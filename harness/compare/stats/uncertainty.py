"""The interval that fits a metric, its items, clusters and seeds, with the standard error and p behind it."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from statistics import NormalDist
from typing import Literal

from scipy.special import expit, logit

from harness.compare.stats import intervals
from harness.compare.stats.bootstrap import BootstrapEstimate, bca_interval, bca_p, resample
from harness.compare.stats.sample import Sample, SeedPart
from harness.metrics.metric import FloatArray, mean
from harness.metrics.statistical_power import satterthwaite

NO_SPREAD = 1e-12
NORMAL = NormalDist().inv_cdf((1 + intervals.CONFIDENCE) / 2)
"""Standard errors from the value to the end of a normal 95 % interval."""

IntervalKind = Literal["wilson", "t", "logit", "bca", "flat", "one unit", "mover", "tango"]
"""Formula of an interval over items.

``flat``: all units gave the same value, so its width falls with 1/n; ``one unit``: a single item or cluster; ``mover``:
from the intervals of two independent sets of items; ``tango``: score interval of paired shares (`paired_shares`).
"""


@dataclass(frozen=True)
class Uncertainty:
    """A value with its 95 % interval.

    Attributes:
        error: standard error; df: its degrees of freedom.
        p: two-sided, that the true value is 0.
        kind: the formula over items; method: all that went into the interval, in words.
        exact: whether p is McNemar's exact one.
        items_error, items_df: of the items alone; None: `error` and `df` are.
    """

    value: float
    low: float
    high: float
    error: float
    df: float
    p: float
    kind: IntervalKind
    method: str
    exact: bool = False
    items_error: float | None = None
    items_df: float | None = None


def score_uncertainty(sample: Sample, sampled: BootstrapEstimate | None) -> Uncertainty:
    """Interval of one system's score over items: Wilson's, on the logit scale, folded, or BCa."""
    metric = sample.metric
    if metric.binary and sample.seeds == 1 and not sample.clustered:
        low, high = intervals.wilson(float(sample.scores.sum()), sample.n)
        error = (high - low) / (2 * NORMAL)
        return Uncertainty(sample.value, low, high, error, math.inf, 1.0, "wilson", "Wilson")
    if metric.folded_at is not None:
        return _folded(sample, metric.folded_at)
    if metric.is_mean:
        return _on_logit_scale(mean_uncertainty(sample.item_scores, sample, metric.bounds), metric.bounds)
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
        return replace(spread, p=p, method=f"{spread.method}, p by exact McNemar test", exact=True)
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


def _on_logit_scale(spread: Uncertainty, bounds: tuple[float, float]) -> Uncertainty:
    """Turn a t interval of a score with finite bounds into one on the logit scale, which keeps to them.

    Near a bound scores are skewed, and the plain interval covers in 87 to 94 %: it does not reach far enough inwards.

    Source: the delta method, as for a proportion (Agresti 2013, section 3.1.3).
    """
    bottom, reach = bounds[0], bounds[1] - bounds[0]
    if spread.kind != "t" or not math.isfinite(reach):
        return spread
    share = (spread.value - bottom) / reach
    half = intervals.t_multiplier(spread.df) * spread.error / reach / (share * (1 - share))
    low, high = (bottom + reach * expit(float(logit(share)) + side * half) for side in (-1, 1))
    return replace(spread, low=float(low), high=float(high), kind="logit", method=f"{spread.method} on the logit scale")


def _folded(sample: Sample, centre: float) -> Uncertainty:
    """Interval of the distance of a share from a centre: that of the share, folded at it."""
    share = replace(sample, metric=replace(sample.metric, combine=mean, bounds=(0.0, 1.0), folded_at=None), noise=None)
    spread = score_uncertainty(share, None)
    ends = sorted((abs(spread.low - centre), abs(spread.high - centre)))
    low = 0.0 if spread.low <= centre <= spread.high else ends[0]
    method = f"{spread.method} of the share, folded at {centre:g}"
    return replace(
        spread, value=sample.value, low=min(low, sample.value), high=max(ends[1], sample.value), method=method
    )


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
    error = (high - low) / (2 * NORMAL)
    p, df = intervals.flat_p(value, sample.units, top), max(1, sample.units - 1)
    if sample.units < 2:
        return Uncertainty(value, low, high, error, df, p, "one unit", "one cluster: limits for a single observation")
    return Uncertainty(value, low, high, error, df, p, "flat", "no spread: Wilson's limit")


def add_seed_variance(spread: Uncertainty, parts: Sequence[SeedPart | None]) -> Uncertainty:
    """Add the variance between seeds, σ²_seed / S a system, with Satterthwaite's degrees of freedom.

    Each side of the interval is stretched by the same factor, so that an asymmetric one stays so. Parts that stand on
    one pooled estimate are added before their degrees of freedom are counted.

    Args:
        spread: over items.
        parts: of each system (`Sample.seed_part`); None: it has none.
    """
    variance, df = combine_seed_parts(parts)
    if variance < NO_SPREAD**2:
        return spread
    error = math.sqrt(spread.error**2 + variance)
    total_df = satterthwaite([(spread.error**2, spread.df), (variance, df)])
    factor = intervals.t_multiplier(total_df) * error / (intervals.t_multiplier(spread.df) * spread.error)
    return replace(
        spread,
        low=spread.value - (spread.value - spread.low) * factor,
        high=spread.value + (spread.high - spread.value) * factor,
        error=error,
        df=total_df,
        p=intervals.t_p(spread.value, error, total_df),
        method=f"{spread.method}, {_seed_words(parts)}",
        exact=False,
        items_error=spread.error,
        items_df=spread.df,
    )


def combine_seed_parts(parts: Sequence[SeedPart | None]) -> tuple[float, float]:
    """Sum the variances of several systems' seeds; with degrees of freedom, infinite where nothing was estimated."""
    shared: dict[object, tuple[float, float]] = {}
    for position, part in enumerate(parts):
        if part is not None:
            key = position if part.noise is None else part.noise
            shared[key] = shared.get(key, (0.0, part.df))[0] + part.variance, part.df
    return sum(variance for variance, _ in shared.values()), satterthwaite(list(shared.values()))


def _seed_words(parts: Sequence[SeedPart | None]) -> str:
    """Say where the variance between seeds comes from."""
    assumed = {part.noise.sd for part in parts if part and part.noise and part.noise.basis == "assumed"}
    if assumed:
        return f"with an assumed SD over seeds of {max(assumed):.3g}"
    pooled = ", pooled over such strategies" if any(part and part.noise for part in parts) else ""
    return f"with the variance between seeds{pooled}"
