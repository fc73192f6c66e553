"""Score interval of a difference of paired 0/1 scores (Tango), also where items are clustered or scores are graded."""

from __future__ import annotations

import math
from typing import Any

from scipy.optimize import brentq
from scipy.special import ndtri

from harness.compare.stats.intervals import CONFIDENCE

CONTINUITY = 0.5
"""Items by which the statistic is drawn to 0: without it a loss at a margin passes in 3.0 % of suites of 20 items."""
_EDGE = 1e-9


def score_statistic(gains: float, losses: float, n: float, difference: float) -> float:
    """Standardised distance of an observed difference of two shares from a hypothetical one.

    Args:
        gains: items that only the first system got right; graded scores count by their size, which overstates their
            variance.
        losses: items that only the second got right.
        n: items.
        difference: hypothetical, in (-1, 1).

    Source: Tango 1998, Statistics in Medicine 17:891, equations 4 to 6.
    """
    a, c = 2 * n, -losses * difference * (1 - difference)
    b = -gains - losses + (2 * n - gains + losses) * difference
    lost = (math.sqrt(max(0.0, b * b - 4 * a * c)) - b) / (2 * a)
    variance = n * (2 * lost + difference * (1 - difference))
    distance = gains - losses - n * difference
    return distance / math.sqrt(variance) if variance > 0 else math.copysign(math.inf, distance)


def paired_interval(gains: float, losses: float, n: float) -> tuple[float, float]:
    """95 % interval of the first share minus the second on the same items; arguments as in `score_statistic`.

    One-sided errors at a margin stay at or below 2.5 % for independent 0/1 scores of 20 items or more.
    """
    return _lower(gains, losses, n), -_lower(losses, gains, n)


def _lower(gains: float, losses: float, n: float) -> float:
    z = float(ndtri((1 + CONFIDENCE) / 2))

    def excess(difference: float) -> float:
        statistic = score_statistic(gains, losses, n, difference)
        spread = (gains - losses - n * difference) / statistic if statistic else 1.0
        return statistic - (CONTINUITY / spread if spread else 0.0) - z

    value = (gains - losses) / n
    bottom, top = -1 + _EDGE, max(-1 + 2 * _EDGE, min(1 - _EDGE, value - _EDGE))
    if excess(bottom) <= 0:
        return -1.0
    root: Any = brentq(excess, bottom, top)
    return float(root)
