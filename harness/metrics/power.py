"""How small a difference a test set can show, and how large it must be: asked before anything is spent.

Source: Miller 2024, *Adding Error Bars to Evals* (arXiv:2411.00640), section 5.
"""

from __future__ import annotations

import math
from statistics import NormalDist

from harness.errors import HarnessError


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


def _deviates(alpha: float, power: float) -> float:
    normal = NormalDist()
    return normal.inv_cdf(1 - alpha / 2) + normal.inv_cdf(power)
