"""What every figure and every "better" in a report stands on: an interval that fits the metric, a paired test.

All are for new items of the same kind: the items' spread is always in, and the seeds' spread where several
seeds ran. `Estimate.seed_sd` tells what would change on the same items.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from statistics import NormalDist

from harness.compare.stats import intervals
from harness.compare.stats.bootstrap import BootstrapEstimate, resample
from harness.compare.stats.effect_size import Effect, effect
from harness.compare.stats.sample import Sample, variance
from harness.compare.stats.uncertainty import Uncertainty, of_draws, of_items, of_pairs, of_scores, with_seeds
from harness.metrics.statistical_power import detectable_difference
from harness.records.measurements import StoredModel


class Estimate(StoredModel):
    """A score with its 95 % interval.

    Attributes:
        n: items; clusters: groups of items that are not independent, None where each is.
        seeds: runs that were averaged; seed_sd: standard deviation between them, None for one.
        seed_low: the lowest score of a seed; seed_high: the highest; None for one.
        seed_share: of the variance of the mean, σ²_seed / S + σ²_item / n, the part that the seeds bring: more seeds
            lower it, more items raise it. None for one seed.
        method: how the interval was made.
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
        p: two-sided, that there is no true difference; for one test alone.
        p_holm: adjusted for all the comparisons that were made with it; None where it stands alone.
        detectable: smallest true difference that such a comparison finds with 80 % power.
        effect: how large it is, whatever the number of items; None where no single item wins or loses.
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


def estimate(sample: Sample, sampled: BootstrapEstimate | None = None) -> Estimate:
    """Estimate a metric from a strategy's answers.

    Shares of independent items get Wilson's interval, other means a t interval with clustered errors, anything
    else a BCa bootstrap over clusters. Several seeds add their own variance.

    Args:
        sample: the answers.
        sampled: `bootstrap.resample` of the sample, where it was made with others'; else it is made here.
    """
    item = of_items(sample, sampled)
    spread = with_seeds(item, [sample.seed_variance])
    low, high = sample.metric.bounds
    return Estimate(
        value=item.value,
        low=max(low, min(spread.low, item.value)),
        high=min(high, max(spread.high, item.value)),
        n=sample.n,
        clusters=sample.units if sample.clustered else None,
        seeds=sample.seeds,
        **(_over_seeds(sample, item) if sample.seeds > 1 else {}),
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
        second: another's on the same items (`TrainingSample.paired_with`).
        sampled: both, resampled together; else that is done here.
    """
    spread = with_seeds(of_pairs(first, second, sampled), [first.seed_variance, second.seed_variance])
    found = _difference(spread, first, first.metric.bounds[1] - first.metric.bounds[0])
    return found.model_copy(update={"effect": effect(first, second)})


def unpaired(first: Sample, second: Sample) -> Difference:
    """Compare a system's scores on two sets of items that have none in common: positive where the first is higher.

    Each set's own interval (Wilson, t or BCa, clusters kept together) gives its share of the width, so that it fits
    shares near 0 and 1 (MOVER: Zou & Donner 2008; of proportions, Newcombe 1998, method 10). Seeds that both sets
    have in common add the variance of their differences.

    Args:
        first: answers to some items.
        second: of the same system and seeds, to others.
    """
    one, other = of_items(first, None), of_items(second, None)
    value = one.value - other.value
    below = math.hypot(one.value - one.low, other.high - other.value)
    above = math.hypot(one.high - one.value, other.value - other.low)
    error = (below + above) / (2 * NormalDist().inv_cdf((1 + intervals.CONFIDENCE) / 2))
    method = f"of two independent sets of items: {one.method}; {other.method}"
    spread = Uncertainty(value, value - below, value + above, error, min(one.df, other.df), 1.0, method)
    if first.seeds == second.seeds:
        spread = with_seeds(spread, [variance(first.by_seed - second.by_seed)])
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
    """Compare sums of systems' scores on the same items: what the first ones add up to, less the others.

    Args:
        plus: systems on the same items in the same order (`TrainingSample.at`), as many as `minus`.
        minus: systems on these items too.
    """
    every, metric = [*plus, *minus], plus[0].metric
    reach = len(plus) * (metric.bounds[1] - metric.bounds[0])
    signs = [1.0] * len(plus) + [-1.0] * len(minus)
    if metric.is_mean:
        scores = sum(
            (sign * one.item_scores for sign, one in zip(signs, every, strict=True)), 0.0 * plus[0].item_scores
        )
        item = of_scores(scores, plus[0], (-reach, reach))
    else:
        drawn = resample(every)
        total = drawn[0]
        for one in drawn[1 : len(plus)]:
            total = total.plus(one)
        for one in drawn[len(plus) :]:
            total = total.minus(one)
        item = of_draws(total, plus[0], (-reach, reach))
    return _difference(with_seeds(item, [one.seed_variance for one in every]), plus[0], reach)


def _over_seeds(sample: Sample, item: Uncertainty) -> dict[str, float]:
    """Give the spread of a metric over seeds, and its share of the variance of their mean."""
    values = sample.by_seed
    between = sample.seed_variance[0] / len(values)
    whole = between + item.error**2
    spread = {"seed_low": float(values.min()), "seed_high": float(values.max())}
    return spread | {"seed_sd": float(values.std(ddof=1)), "seed_share": between / whole if whole > 0 else 0.0}


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
