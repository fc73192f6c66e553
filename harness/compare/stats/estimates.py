"""Estimates and differences of scores: the interval that fits the metric, and a paired test.

All are about new items of the same kind: they include the variance of items always, and that of seeds where several
ran. `Estimate.seed_sd` is the spread over seeds on the same items.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from statistics import NormalDist
from typing import Any

from harness.compare.stats import intervals
from harness.compare.stats.bootstrap import BootstrapEstimate, resample
from harness.compare.stats.effect_size import Effect, effect_size
from harness.compare.stats.sample import Sample, SeedBasis, SeedPart, seed_part
from harness.compare.stats.uncertainty import (
    Uncertainty,
    add_seed_variance,
    bootstrap_uncertainty,
    combine_seed_parts,
    difference_uncertainty,
    mean_uncertainty,
    score_uncertainty,
)
from harness.metrics.statistical_power import ALPHA, items_for, smallest_difference
from harness.records.measurements import StoredModel


class Estimate(StoredModel):
    """A score with its 95 % interval.

    Attributes:
        n: items; clusters: groups of items that are not independent, None where each is.
        seeds: runs that were averaged; seed_sd: standard deviation between them, None for one.
        seed_low: the lowest score of a seed; seed_high: the highest; None for one.
        seed_share: share of the seeds in the variance of the mean, σ²_seed / S + σ²_item / n: more seeds lower it, more
            items raise it. None for one seed.
        seed_basis: where the spread over seeds in the interval comes from; None: nothing is random, or it is about this
            run alone.
        seed_noise: standard deviation of one seed's score that went into it, pooled or assumed; None: its own seeds'.
        best_of: strategies that it was the best of; its interval is corrected for that. None: not corrected.
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
    seed_basis: SeedBasis | None = None
    seed_noise: float | None = None
    best_of: int | None = None
    method: str


class ErrorParts(StoredModel):
    """Standard error of a difference by its source, which more items or more seeds lower.

    Attributes:
        items: of the items that there are; seeds: of the seeds that there are, which more items do not lower.
        items_df, seeds_df: degrees of freedom of each estimate; None: taken as known.
        exact: whether the test is McNemar's exact one.
    """

    items: float
    items_df: float | None = None
    seeds: float = 0.0
    seeds_df: float | None = None
    exact: bool = False

    def smallest(self, tests: int = 1, *, times: float = 1.0, n: int = 1) -> float:
        """Smallest true difference that is found with 80 % power.

        Args:
            tests: comparisons of the family: the level is `ALPHA` over them.
            times: as many times the items.
            n: items that there are, for an exact test.
        """
        items = (self.items**2 / times, (self.items_df or math.inf) * times)
        parts = [items, (self.seeds**2, self.seeds_df or math.inf)]
        return smallest_difference(parts, alpha=ALPHA / tests) + (1 / (n * times) if self.exact else 0)


class Difference(StoredModel):
    """How much higher the first of two systems scores on the same items, with its 95 % interval.

    Attributes:
        p: two-sided, that there is no true difference; not adjusted.
        p_holm: adjusted for all comparisons of the same family; None for a single one.
        tests: comparisons of that family.
        detectable: smallest true difference that such a comparison finds with 80 % power, at the level adjusted for
            them.
        error: standard error by source.
        seed_basis: where the spread over seeds comes from, the least certain of both; None: nothing is random.
        effect: its size, independent of the number of items; None where no single item wins or loses.
    """

    value: float
    low: float
    high: float
    p: float
    p_holm: float | None = None
    tests: int = 1
    n: int
    clusters: int | None = None
    detectable: float
    error: ErrorParts = ErrorParts(items=0.0)
    seed_basis: SeedBasis | None = None
    effect: Effect | None = None
    method: str

    @property
    def adjusted_p(self) -> float:
        """`p_holm`, or `p` for a single comparison."""
        return self.p if self.p_holm is None else self.p_holm

    @property
    def sure(self) -> bool:
        """Whether the spread over seeds was measured, so that a small p makes the difference clear, not probable."""
        return self.seed_basis in (None, "measured")

    def adjusted(self, p: float, tests: int) -> Difference:
        """Return the difference as one of several comparisons, with its adjusted p."""
        smallest = self.error.smallest(tests, n=self.n)
        return self.model_copy(update={"p_holm": p, "tests": tests, "detectable": smallest})

    def items_needed(self) -> float | None:
        """Items with which a true difference of this size is found with 80 % power; None: no number is enough.

        The seeds stay as they are. Not rounded; `n` where the items that there are suffice.
        """
        return items_for(lambda times: self.error.smallest(self.tests, times=times, n=self.n), abs(self.value), self.n)


def estimate(sample: Sample, sampled: BootstrapEstimate | None = None) -> Estimate:
    """Estimate a metric from a strategy's scores.

    Shares of independent items get Wilson's interval, other means a t interval with clustered errors, other metrics
    a BCa bootstrap over clusters. Several seeds add their own variance.

    Args:
        sample: the scores.
        sampled: `bootstrap.resample` of the sample together with others'; None: the sample is resampled here.
    """
    item = score_uncertainty(sample, sampled)
    spread = add_seed_variance(item, [sample.seed_part])
    low, high = sample.metric.bounds
    return Estimate(
        value=item.value,
        low=max(low, min(spread.low, item.value)),
        high=min(high, max(spread.high, item.value)),
        n=sample.n,
        clusters=sample.units if sample.clustered else None,
        seeds=sample.seeds,
        **(_seed_spread(sample, item) if sample.seeds > 1 else {}),
        seed_basis=seed_basis([sample]),
        seed_noise=sample.noise.sd if sample.noise else None,
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
    return add_seed_variance(difference_uncertainty(first, second, sampled), [first.seed_part, second.seed_part])


def paired_difference(spread: Uncertainty, first: Sample, second: Sample) -> Difference:
    """Write a difference of two systems from its `paired_uncertainty`."""
    parts = [first.seed_part, second.seed_part]
    paired = _difference(spread, first, first.metric.bounds[1] - first.metric.bounds[0], parts)
    return paired.model_copy(update={"effect": effect_size(first, second), "seed_basis": seed_basis([first, second])})


def same_runs_difference(first: Sample, second: Sample) -> Difference:
    """Compare two readings or prompts of the same runs: the seeds of both are paired, like the items.

    Args:
        first: scores of some runs.
        second: of the same runs in the same order, on the same items.
    """
    parts = [seed_part(first.seed_scores - second.seed_scores)]
    spread = add_seed_variance(difference_uncertainty(first, second, None), parts)
    paired = _difference(spread, first, first.metric.bounds[1] - first.metric.bounds[0], parts)
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
    parts = [seed_part(first.seed_scores - second.seed_scores)] if first.seeds == second.seeds else []
    spread = add_seed_variance(spread, parts)
    reach = first.metric.bounds[1] - first.metric.bounds[0]
    facing = value - spread.low if value > 0 else spread.high - value
    unpaired = _difference(spread, second, reach, parts)
    return unpaired.model_copy(update={"p": _p_at(abs(value), facing)})


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
    parts = [sample.seed_part for sample in samples]
    combined = _difference(add_seed_variance(item, parts), plus[0], reach, parts)
    return combined.model_copy(update={"seed_basis": seed_basis(samples)})


def seed_basis(samples: Sequence[Sample]) -> SeedBasis | None:
    """Say where the spread over seeds of several systems comes from: the least certain of them."""
    noises = [sample.noise for sample in samples if sample.noise]
    bases = {noise.basis for noise in noises} | ({"measured"} if any(s.seeds > 1 for s in samples) else set[str]())
    return next((basis for basis in ("unknown", "assumed", "measured") if basis in bases), None)


def _seed_spread(sample: Sample, item: Uncertainty) -> dict[str, Any]:
    """Compute the spread of a metric over seeds, and its share of the variance of their mean."""
    scores = sample.seed_scores
    between = sample.seed_part.variance if sample.seed_part else 0.0
    total = between + item.error**2
    spread = {"seed_low": float(scores.min()), "seed_high": float(scores.max())}
    return spread | {"seed_sd": float(scores.std(ddof=1)), "seed_share": between / total if total > 0 else 0.0}


def _difference(spread: Uncertainty, sample: Sample, reach: float, parts: Sequence[SeedPart | None]) -> Difference:
    seeds, seeds_df = combine_seed_parts(parts)
    error = ErrorParts(
        items=spread.error if spread.items_error is None else spread.items_error,
        items_df=_finite(spread.df if spread.items_df is None else spread.items_df),
        seeds=math.sqrt(seeds),
        seeds_df=_finite(seeds_df),
        exact=spread.exact,
    )
    return Difference(
        value=spread.value,
        low=max(-reach, min(spread.low, spread.value)),
        high=min(reach, max(spread.high, spread.value)),
        p=spread.p,
        n=sample.n,
        clusters=sample.units if sample.clustered else None,
        detectable=error.smallest(n=sample.n),
        error=error,
        method=spread.method,
    )


def _finite(df: float) -> float | None:
    return df if math.isfinite(df) else None


def _p_at(distance: float, half_width: float) -> float:
    """Two-sided p that agrees with an interval: 5 % where its end, `half_width` away, just meets 0."""
    z = NormalDist().inv_cdf((1 + intervals.CONFIDENCE) / 2)
    return 2 * NormalDist().cdf(-z * distance / half_width) if half_width > 0 else float(distance == 0)
