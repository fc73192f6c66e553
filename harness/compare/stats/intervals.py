"""Formulas of intervals and tests, each with its source; `uncertainty` chooses among them."""

from __future__ import annotations

import math
from bisect import bisect_right
from collections.abc import Sequence
from functools import cache

import numpy as np
from scipy.special import bdtr, ndtr, ndtri, stdtr, stdtrit

from harness.compare.stats.sample import IntArray
from harness.metrics.metric import FloatArray
from harness.metrics.statistical_power import ALPHA

CONFIDENCE = 1 - ALPHA


def wilson(hits: float, n: float, confidence: float = CONFIDENCE) -> tuple[float, float]:
    """Score interval of a proportion, sound for small n and near 0 and 1 (Wilson 1927)."""
    z = float(ndtri((1 + confidence) / 2))
    share, wide = hits / n, 1 + z * z / n
    centre = (share + z * z / (2 * n)) / wide
    half = z / wide * math.sqrt(max(0.0, share * (1 - share) / n) + z * z / (4 * n * n))
    return max(0.0, min(centre - half, share)), min(1.0, max(centre + half, share))


def standard_error(scores: FloatArray, clusters: IntArray) -> tuple[float, float]:
    """Standard error of a mean of n scores in C clusters, and its degrees of freedom.

    sqrt(Σ_c (Σ_{i in c} (x_i - mean))² / (1 - n_c / n)) / n. For clusters of one size this is the usual error with its
    factor C / (C - 1) and C - 1 degrees of freedom, and for C = n it is sqrt(s² / n); where a few clusters hold most of
    the items there are fewer degrees, without which a true null is rejected several times too often.

    Args:
        scores: [n].
        clusters: [n], 0 ... C - 1 with C of 2 or more.

    Source: Bell & McCaffrey 2002 (bias-reduced linearisation, CR2) for a mean; the plain form is Miller 2024
    (arXiv:2411.00640), section 2.2.
    """
    n = len(scores)
    totals = np.bincount(clusters, weights=scores - scores.mean())
    sizes = np.bincount(clusters).astype(np.float64)
    weights = 1 / (1 - sizes / n)
    shared = weights * sizes**2 / n
    across = float(shared.sum() ** 2 - (shared**2).sum())
    df = n**2 / (float((sizes**2).sum()) + across)
    return math.sqrt(float((weights * totals**2).sum())) / n, df


def flat_interval(value: float, units: int, bounds: tuple[float, float]) -> tuple[float, float]:
    """Interval where every unit gave the same value, so that the data have no spread.

    Up to a share w of units may still differ, w being Wilson's upper limit for 0 out of `units`; they may lie anywhere
    within the bounds. For a proportion of 0 or 1 this is Wilson's interval.
    """
    share = wilson(0, units)[1]
    return value - share * (value - bounds[0]), value + share * (bounds[1] - value)


def flat_p(value: float, units: int, reach: float) -> float:
    """Two-sided p that a difference is 0 where it is the same in every unit: where `flat_interval` meets 0.

    Args:
        value: the difference.
        units: independent units that all showed it.
        reach: largest possible difference.
    """
    return float(2 * ndtr(-math.sqrt(units * abs(value) / reach)))


def mcnemar(first: FloatArray, second: FloatArray) -> float:
    """Exact two-sided p that two systems are right equally often on the same items (McNemar 1947).

    Args:
        first: 0/1 scores [n].
        second: the other system's, in the same order.
    """
    wins, losses = int((first > second).sum()), int((first < second).sum())
    return min(1.0, float(2 * bdtr(min(wins, losses), wins + losses, 0.5)))


def holm(p_values: Sequence[float]) -> list[float]:
    """Adjust p-values of several tests, so that the familywise error rate stays at the level of one (Holm 1979).

    Returns:
        In the order given; never smaller than the p-value itself, never above 1.
    """
    adjusted = [0.0] * len(p_values)
    largest = 0.0
    for rank, index in enumerate(sorted(range(len(p_values)), key=p_values.__getitem__)):
        largest = max(largest, min(1.0, (len(p_values) - rank) * p_values[index]))
        adjusted[index] = largest
    return adjusted


def shaffer(p_values: Sequence[float], strategies: int) -> list[float]:
    """Adjust p-values of pairwise comparisons among strategies, for the familywise error rate over all pairs.

    Whichever pairs are picked after looking, such as each strategy with the best, or with a baseline, the rate holds.
    Adjusting k - 1 comparisons with the best for k - 1 tests alone calls one of eight equally good strategies clearly
    worse in one suite of nine.

    Args:
        p_values: of all pairs that can be compared.
        strategies: k, that the pairs are of.

    Returns:
        In the order given; never smaller than the p-value itself, never above 1.

    Source: Shaffer 1986, procedure S1: after i rejections Holm's count of hypotheses falls to the largest number of
    equalities that k means can have among the pairs that are left.
    """
    possible = sorted(_equalities(strategies))
    adjusted = [0.0] * len(p_values)
    largest = 0.0
    for rank, index in enumerate(sorted(range(len(p_values)), key=p_values.__getitem__)):
        true = possible[bisect_right(possible, len(p_values) - rank) - 1]
        largest = max(largest, min(1.0, max(1, true) * p_values[index]))
        adjusted[index] = largest
    return adjusted


@cache
def _equalities(strategies: int) -> frozenset[int]:
    """Numbers of pairs that can be equal at once among k means: those within the groups of any partition of them."""
    if strategies < 2:
        return frozenset([0])
    return frozenset(
        size * (size - 1) // 2 + pairs for size in range(1, strategies + 1) for pairs in _equalities(strategies - size)
    )


def t_multiplier(df: float, confidence: float = CONFIDENCE) -> float:
    """Standard errors from the value to the end of a t interval."""
    return float(stdtrit(df, (1 + confidence) / 2))


def t_p(value: float, error: float, df: float) -> float:
    """Two-sided p that the true value is 0."""
    return float(2 * stdtr(df, -abs(value) / error))


def welch(first: FloatArray, second: FloatArray) -> tuple[float, float]:
    """Standard error of the difference of two independent means, and its degrees of freedom (Welch 1947).

    Of logarithms, they are those of a ratio of geometric means. The error is 0 where neither side varies.

    Args:
        first: [n] of 2 or more.
        second: [m] of 2 or more.
    """
    parts = [(float(numbers.var(ddof=1)) / len(numbers), len(numbers) - 1) for numbers in (first, second)]
    variance = sum(part for part, _ in parts)
    weights = sum(part**2 / part_df for part, part_df in parts)
    return math.sqrt(variance), variance**2 / weights if weights > 0 else math.inf
