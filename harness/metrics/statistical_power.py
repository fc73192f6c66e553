"""Power of a paired comparison: the smallest difference that a test set detects, and the items that a difference needs.

Source: Miller 2024, *Adding Error Bars to Evals* (arXiv:2411.00640), section 5.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from statistics import NormalDist

from harness.errors import HarnessError

ALPHA = 0.05
"""Level of every test: a difference is clear where its (adjusted) p is at most this."""
POWER = 0.8
"""Share of true differences of the planned size that are found."""
UNSEEN = 0.5
"""Share of a metric's range below which some difference has to be detectable."""
MOST_ITEMS = 10_000_000
"""More test items than anybody collects."""
MOST_SEEDS = 50


def too_few_items(detectable: float, bounds: tuple[float, float]) -> bool:
    """Whether differences up to half of a metric's range (`UNSEEN`) go undetected, so that nothing can be compared."""
    return detectable >= UNSEEN * (bounds[1] - bounds[0])


def paired_sd(share: float = 0.5, correlation: float = 0.5) -> float:
    """Standard deviation of the difference of two 0/1 scores on one item, where there is no pilot.

    Args:
        share: expected share of right answers, in [0, 1]; 0.5 is the worst case.
        correlation: of the two systems' scores over items, in [-1, 1].
    """
    return math.sqrt(2 * share * (1 - share) * (1 - correlation))


def detectable_difference(sd: float, n: int, *, alpha: float = ALPHA, power: float = POWER) -> float:
    """Smallest true difference that a paired two-sided test shows with the given power.

    It is (z(1 - alpha/2) + z(power)) · sd / √n, z being quantiles of the normal distribution.

    Args:
        sd: standard deviation of the per-item differences.
        n: items (or clusters, with the standard deviation of their means).
        alpha: share of false alarms.
        power: share of true differences of that size that are found.

    Raises:
        HarnessError: n is not positive.
    """
    if n < 1:
        raise HarnessError(f"no difference can be seen on {n} test items: give the task a larger test split")
    return _deviates(alpha, power) * sd / math.sqrt(n)


def items_to_detect(difference: float, detectable: float, n: int) -> float:
    """Items on which a difference becomes detectable: n · (detectable / difference)², as the error falls with √n.

    ``items_to_detect(0.05, detectable=0.1, n=100)`` is 400.

    Args:
        difference: to be detected, of either sign.
        detectable: the smallest difference that is detected on n items (`detectable_difference`).
        n: items, or other independent observations.

    Returns:
        Not rounded; infinite where there is no difference.
    """
    if not difference:
        return math.inf
    ratio = detectable / difference
    return n * (ratio * ratio)


def items_for(smallest: Callable[[float], float], difference: float, n: int) -> float | None:
    """Items with which a difference of that size becomes detectable; None: `MOST_ITEMS` are not enough.

    Args:
        smallest: the smallest detectable difference by how many times the items there are, falling.
        difference: to be detected, positive.
        n: items that there are.

    Returns:
        Not rounded; `n` or fewer where these are enough.
    """
    low, high = 0.0, math.log(MOST_ITEMS / n)
    if smallest(math.exp(high)) > difference:
        return None
    if smallest(1.0) <= difference:
        return float(n)
    for _ in range(60):
        middle = (low + high) / 2
        low, high = (low, middle) if smallest(math.exp(middle)) <= difference else (middle, high)
    return n * math.exp(high)


def two_digits(count: int) -> int:
    """Round to two significant digits, to the nearest: more are not in an estimate of a sample size."""
    step = 10 ** max(0, math.floor(math.log10(count)) - 1)
    return round(count / step) * step


def design_effect(cluster_sizes: Sequence[int], correlation: float) -> float:
    """How many times larger a mean's variance is because items come in clusters: 1 + (Σm² / Σm - 1) · correlation.

    Args:
        cluster_sizes: m, the items of each cluster.
        correlation: of two items of one cluster (intra-cluster correlation), in [0, 1].

    Source: Kish 1965; for unlike sizes Eldridge, Ashby & Kerry 2006, equation 1.
    """
    return 1 + (sum(m * m for m in cluster_sizes) / sum(cluster_sizes) - 1) * correlation


@dataclass(frozen=True)
class PowerAssumptions:
    """Variance of a comparison, which its power depends on besides the numbers of items and seeds.

    Attributes:
        sd: standard deviation of two systems' per-item differences, one seed each.
        design: effect of the clusters (`design_effect`).
        per_cluster: mean items of a cluster.
        seed_sd: standard deviation of a system's score over seeds; 0: none, or not known.
        exact: whether the test is McNemar's exact one, which is stricter by half an item on each side.
    """

    sd: float
    design: float = 1.0
    per_cluster: float = 1.0
    seed_sd: float = 0.0
    exact: bool = False


def detectable(
    assumed: PowerAssumptions, items: int, seeds: int = 1, *, alpha: float = ALPHA, power: float = POWER
) -> float:
    """Smallest true difference that a t test with these clusters and seeds finds with the given power.

    The standard error is sqrt(design · sd² / n + 2 · seed_sd² / S), its degrees of freedom Satterthwaite's, as in the
    comparison itself. With one seed, `seed_sd` is taken as known.

    Raises:
        HarnessError: there are fewer than two clusters.
    """
    units = items / assumed.per_cluster
    if units < 2:
        raise HarnessError("no difference can be seen in fewer than two clusters: give the task a larger test split")
    parts = [(assumed.design * assumed.sd**2 / items, units - 1)]
    if assumed.seed_sd:
        parts.append((2 * assumed.seed_sd**2 / seeds, 2 * (seeds - 1) if seeds > 1 else math.inf))
    exact = assumed.exact and not assumed.seed_sd
    return smallest_difference(parts, alpha=alpha, power=power) + (1 / items if exact else 0)


def smallest_difference(parts: Sequence[tuple[float, float]], *, alpha: float = ALPHA, power: float = POWER) -> float:
    """Smallest true difference that a t test finds with the given power.

    Args:
        parts: variances that add up to that of the difference, each with the degrees of freedom of its estimate.
        alpha: level of the test, adjusted where it is one of several.
        power: share of true differences of that size that are found.
    """
    from scipy.special import stdtrit  # noqa: PLC0415 - slow to import, and a plain plan does not need it

    df = satterthwaite(parts)
    deviates = float(stdtrit(df, 1 - alpha / 2) + stdtrit(df, power))
    return deviates * math.sqrt(sum(variance for variance, _ in parts))


def satterthwaite(parts: Sequence[tuple[float, float]]) -> float:
    """Degrees of freedom of a sum of variances, each with its own; infinite where none is estimated.

    Source: Satterthwaite 1946, *An approximate distribution of estimates of variance components*.
    """
    weights = sum(variance**2 / df for variance, df in parts)
    return sum(variance for variance, _ in parts) ** 2 / weights if weights > 0 else math.inf


def items_needed(
    assumed: PowerAssumptions, difference: float, seeds: int = 1, *, alpha: float = ALPHA, power: float = POWER
) -> int | None:
    """Fewest items with which a true difference of that size is found (`detectable`); None: not by `MOST_ITEMS`."""
    low, high = math.ceil(2 * assumed.per_cluster), MOST_ITEMS
    if detectable(assumed, high, seeds, alpha=alpha, power=power) > difference:
        return None
    while low < high:
        middle = (low + high) // 2
        if detectable(assumed, middle, seeds, alpha=alpha, power=power) <= difference:
            high = middle
        else:
            low = middle + 1
    return low


def seeds_needed(assumed: PowerAssumptions, difference: float, *, alpha: float = ALPHA) -> tuple[int, int] | None:
    """Fewest seeds after which one more saves less than a tenth of the items, and the items with that many seeds.

    None: `MOST_SEEDS` seeds are too few.
    """
    best: tuple[int, int] | None = None
    for seeds in range(2, MOST_SEEDS + 1):
        items = items_needed(assumed, difference, seeds, alpha=alpha)
        if items is None:
            continue
        if best and items > 0.9 * best[1]:
            return best
        best = seeds, items
    return best


def _deviates(alpha: float, power: float) -> float:
    normal = NormalDist()
    return normal.inv_cdf(1 - alpha / 2) + normal.inv_cdf(power)
