"""Estimates and differences of scores: the interval that fits the metric, and a paired test.

All are about new items of the same kind: they include the variance of items always, and that of seeds where several
ran. `Estimate.seed_sd` is the spread over seeds on the same items.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from statistics import NormalDist

from harness.compare.stats import intervals
from harness.compare.stats.bootstrap import BootstrapEstimate, resample
from harness.compare.stats.effect_size import Effect, effect_size
from harness.compare.stats.sample import Sample, variance
from harness.compare.stats.uncertainty import (
    Uncertainty,
    add_seed_variance,
    bootstrap_uncertainty,
    difference_uncertainty,
    mean_uncertainty,
    score_uncertainty,
)
from harness.metrics.statistical_power import detectable_difference
from harness.records.measurements import StoredModel


class Estimate(StoredModel):
    """A score with its 95 % interval.

    Attributes:
        n: items; clusters: groups of items that are not independent, None where each is.
        seeds: runs that were averaged; seed_sd: standard deviation between them, None for one.
        seed_low: the lowest score of a seed; seed_high: the highest; None for one.
        seed_share: share of the seeds in the variance of the mean, σ²_seed / S + σ²_item / n: more seeds lower it, more
            items raise it. None for one seed.
        method: of the interval, in words.
    """

    value: float
    low: float
    high: float
    n: int
    clusters: int | None = None
    seeds: int = 1
    seed_sd: float | None = None
    seed_low: float | None = None
    seed_high: float | None = None
    seed_share: float | None = None
    method: str


class Difference(StoredModel):
    """How much higher the first of two systems scores on the same items, with its 95 % interval.

    Attributes:
        p: two-sided, that there is no true difference; not adjusted.
        p_holm: adjusted for all comparisons of the same family; None for a single one.
        detectable: smallest true difference that such a comparison finds with 80 % power.
        effect: its size, independent of the number of items; None where no single item wins or loses.
    """

    value: float
    low: float
    high: float
    p: float
    p_holm: float | None = None
    n: int
    clusters: int | None = None
    detectable: float
    effect: Effect | None = None
    method: str

    @property
    def adjusted_p(self) -> float:
        """`p_holm`, or `p` for a single comparison."""
        return self.p if self.p_holm is None else self.p_holm


def estimate(sample: Sample, sampled: BootstrapEstimate | None = None) -> Estimate:
    """Estimate a metric from a strategy's scores.

    Shares of independent items get Wilson's interval, other means a t interval with clustered errors, other metrics
    a BCa bootstrap over clusters. Several seeds add their own variance.

    Args:
        sample: the scores.
        sampled: `bootstrap.resample` of the sample together with others'; None: the sample is resampled here.
    """
    item = score_uncertainty(sample, sampled)
    spread = add_seed_variance(item, [sample.seed_variance])
    low, high = sample.metric.bounds
    return Estimate(
        value=item.value,
        low=max(low, min(spread.low, item.value)),
        high=min(high, max(spread.high, item.value)),
        n=sample.n,
        clusters=sample.units if sample.clustered else None,
        seeds=sample.seeds,
        **(_seed_spread(sample, item) if sample.seeds > 1 else {}),
        method=spread.method,
    )


def difference(
    first: Sample, second: Sample, sampled: tuple[BootstrapEstimate, BootstrapEstimate] | None = None
) -> Difference:
    """Compare two systems on the same items: positive where the first scores higher.

    The interval is of the mean per-item difference (t, clustered errors), or a BCa bootstrap with the same
    resamples for both. For 0/1 scores of independent items, p is the exact McNemar test's.

    Args:
        first: a system's scores.
        second: another's on the same items (`Sample.pair_with`).
        sampled: both, resampled together; None: they are resampled here.
    """
    return paired_difference(paired_uncertainty(first, second, sampled), first, second)


def paired_uncertainty(
    first: Sample, second: Sample, sampled: tuple[BootstrapEstimate, BootstrapEstimate] | None = None
) -> Uncertainty:
    """Compute what `difference` is written from: the interval, and the formula that it was made by."""
    return add_seed_variance(
        difference_uncertainty(first, second, sampled), [first.seed_variance, second.seed_variance]
    )


def paired_difference(spread: Uncertainty, first: Sample, second: Sample) -> Difference:
    """Write a difference of two systems from its `paired_uncertainty`."""
    paired = _difference(spread, first, first.metric.bounds[1] - first.metric.bounds[0])
    return paired.model_copy(update={"effect": effect_size(first, second)})


def unpaired_difference(first: Sample, second: Sample) -> Difference:
    """Compare a system's scores on two disjoint sets of items: positive where the first is higher.

    The width comes from the interval of each set (Wilson, t or BCa, of clusters), so that it fits shares near 0 and 1
    (MOVER: Zou & Donner 2008; of proportions, Newcombe 1998, method 10). Seeds that both sets have in common add the
    variance of their differences.

    Args:
        first: scores of one set.
        second: of the same system and seeds, on the other set.
    """
    minuend, subtrahend = score_uncertainty(first, None), score_uncertainty(second, None)
    value = minuend.value - subtrahend.value
    below = math.hypot(minuend.value - minuend.low, subtrahend.high - subtrahend.value)
    above = math.hypot(minuend.high - minuend.value, subtrahend.value - subtrahend.low)
    error = (below + above) / (2 * NormalDist().inv_cdf((1 + intervals.CONFIDENCE) / 2))
    method = f"of two independent sets of items: {minuend.method}; {subtrahend.method}"
    df = min(minuend.df, subtrahend.df)
    spread = Uncertainty(value, value - below, value + above, error, df, 1.0, "mover", method)
    if first.seeds == second.seeds:
        spread = add_seed_variance(spread, [variance(first.seed_scores - second.seed_scores)])
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


def contrast(plus: Sequence[Sample], minus: Sequence[Sample]) -> Difference:
    """Compare sums of systems' scores on the same items: Σ plus - Σ minus.

    Args:
        plus: systems on the same items in the same order (`Sample.select`), as many as `minus`.
        minus: systems on these items too.
    """
    samples, metric = [*plus, *minus], plus[0].metric
    reach = len(plus) * (metric.bounds[1] - metric.bounds[0])
    signs = [1.0] * len(plus) + [-1.0] * len(minus)
    if metric.is_mean:
        scores = sum(
            (sign * sample.item_scores for sign, sample in zip(signs, samples, strict=True)), 0.0 * plus[0].item_scores
        )
        item = mean_uncertainty(scores, plus[0], (-reach, reach))
    else:
        resampled = resample(samples)
        total = resampled[0]
        for summand in resampled[1 : len(plus)]:
            total = total.plus(summand)
        for subtrahend in resampled[len(plus) :]:
            total = total.minus(subtrahend)
        item = bootstrap_uncertainty(total, plus[0], (-reach, reach))
    return _difference(add_seed_variance(item, [sample.seed_variance for sample in samples]), plus[0], reach)


def _seed_spread(sample: Sample, item: Uncertainty) -> dict[str, float]:
    """Compute the spread of a metric over seeds, and its share of the variance of their mean."""
    scores = sample.seed_scores
    between = sample.seed_variance[0] / len(scores)
    total = between + item.error**2
    spread = {"seed_low": float(scores.min()), "seed_high": float(scores.max())}
    return spread | {"seed_sd": float(scores.std(ddof=1)), "seed_share": between / total if total > 0 else 0.0}


def _difference(spread: Uncertainty, sample: Sample, reach: float) -> Difference:
    return Difference(
        value=spread.value,
        low=max(-reach, min(spread.low, spread.value)),
        high=min(reach, max(spread.high, spread.value)),
        p=spread.p,
        n=sample.n,
        clusters=sample.units if sample.clustered else None,
        detectable=detectable_difference(spread.error, 1),
        method=spread.method,
    )


def _p_at(distance: float, half_width: float) -> float:
    """Two-sided p that agrees with an interval: 5 % where its end, `half_width` away, just meets 0."""
    z = NormalDist().inv_cdf((1 + intervals.CONFIDENCE) / 2)
    return 2 * NormalDist().cdf(-z * distance / half_width) if half_width > 0 else float(distance == 0)
