"""How small a difference a test set can show, and how large it must be: asked before anything is spent.

Source: Miller 2024, *Adding Error Bars to Evals* (arXiv:2411.00640), section 5.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import NormalDist

from harness.errors import HarnessError

MOST_ITEMS = 10_000_000
"""More test items than anybody collects."""
MOST_SEEDS = 50


def paired_sd(share: float = 0.5, correlation: float = 0.5) -> float:
    """Standard deviation of the difference of two 0/1 scores on one item, where no pilot tells it.

    Args:
        share: expected share of right answers, in [0, 1]; 0.5 is the worst case.
        correlation: of the two systems' scores over items, in [-1, 1].
    """
    return math.sqrt(2 * share * (1 - share) * (1 - correlation))


def detectable_difference(sd: float, n: int, *, alpha: float = 0.05, power: float = 0.8) -> float:
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


def required_n(sd: float, difference: float, *, alpha: float = 0.05, power: float = 0.8) -> int:
    """Fewest items on which a true difference of that size is found with the given power.

    Raises:
        HarnessError: the difference is zero.
    """
    if difference == 0:
        raise HarnessError("no test set is large enough to show a difference of 0: name the smallest that matters")
    return max(2, math.ceil((_deviates(alpha, power) * sd / difference) ** 2))


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
    """What the power of a comparison depends on, besides the numbers of items and of seeds.

    Attributes:
        sd: standard deviation of two systems' per-item differences, one seed each.
        design: effect of the clusters (`design_effect`).
        per_cluster: mean items of a cluster.
        seed_sd: standard deviation of a system's score over seeds; 0: seeds change nothing, or it is not known.
        exact: whether the test is McNemar's exact one, which is stricter by half an item on each side.
    """

    sd: float
    design: float = 1.0
    per_cluster: float = 1.0
    seed_sd: float = 0.0
    exact: bool = False


def detectable(
    assumed: PowerAssumptions, items: int, seeds: int = 1, *, alpha: float = 0.05, power: float = 0.8
) -> float:
    """Smallest true difference that is found with the given power, by a t test with clusters and seeds as they are.

    The standard error is sqrt(design · sd² / n + 2 · seed_sd² / S), its degrees of freedom Satterthwaite's, as in the
    comparison itself. A single seed's variance cannot be seen, so with one seed it does not enter.

    Raises:
        HarnessError: there are fewer than two clusters.
    """
    from scipy.special import stdtrit  # noqa: PLC0415 - a plain plan need not wait for it

    units = items / assumed.per_cluster
    if units < 2:
        raise HarnessError("no difference can be seen in fewer than two clusters: give the task a larger test split")
    parts = [(assumed.design * assumed.sd**2 / items, units - 1)]
    parts += [(assumed.seed_sd**2 / seeds, seeds - 1)] * 2 if seeds > 1 and assumed.seed_sd else []
    variance = sum(part for part, _ in parts)
    df = variance**2 / sum(part**2 / own for part, own in parts) if variance else 1.0
    deviates = float(stdtrit(df, 1 - alpha / 2) + stdtrit(df, power))
    return deviates * math.sqrt(variance) + (1 / items if assumed.exact and seeds == 1 else 0)


def items_needed(
    assumed: PowerAssumptions, difference: float, seeds: int = 1, *, alpha: float = 0.05, power: float = 0.8
) -> int | None:
    """Fewest items with which a true difference of that size is found (`detectable`); None: no number is enough."""
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


def seeds_needed(assumed: PowerAssumptions, difference: float) -> tuple[int, int] | None:
    """Fewest seeds after which one more would save less than a tenth of the items, and the items with that many.

    None: not even `MOST_SEEDS` seeds are enough.
    """
    best: tuple[int, int] | None = None
    for seeds in range(2, MOST_SEEDS + 1):
        items = items_needed(assumed, difference, seeds)
        if items is None:
            continue
        if best and items > 0.9 * best[1]:
            return best
        best = seeds, items
    return best


def _deviates(alpha: float, power: float) -> float:
    normal = NormalDist()
    return normal.inv_cdf(1 - alpha / 2) + normal.inv_cdf(power)
