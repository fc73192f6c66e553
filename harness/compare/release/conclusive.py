"""Sample size that would conclude an inconclusive check: test items, requests or runs, at 80 % power."""

from __future__ import annotations

import math
from statistics import NormalDist

from harness.compare.prose.numbers import count
from harness.compare.release.quality_change import Quality
from harness.compare.release.resource_ratios import ResourceRatio
from harness.compare.stats.estimates import Difference
from harness.compare.stats.intervals import CONFIDENCE
from harness.compare.stats.paired_shares import CONTINUITY
from harness.metrics.statistical_power import detectable_difference, items_for, items_to_detect

_Z = NormalDist().inv_cdf((1 + CONFIDENCE) / 2)
MANY = 100
"""Times as many as there are: beyond it, more of them is no advice."""


def items_to_conclude(quality: Quality) -> str:
    """Say how many test items would conclude a check of quality at the observed difference."""
    change = quality.change
    if change is None:
        return "measure both on the same items"
    loss = -change.value if quality.higher_is_better else change.value
    distance = abs(quality.margin - loss)
    unchanged = change.effect is not None and not change.effect.wins + change.effect.losses
    if quality.kind == "flat" or (quality.kind == "tango" and unchanged):
        needed = _items_without_change(quality, change, distance)
    else:
        needed = items_for(lambda times: change.error.smallest(times=times, n=change.n), distance, change.n)
        needed = math.inf if needed is None else needed
    if needed >= MANY * change.n:
        return "the difference lies at the margin, where more test items do not help: look at them or change the margin"
    return _conclusive_with(count(max(change.n + 1, math.ceil(needed)), "test item"))


def runs_to_conclude(ratio: ResourceRatio, limit: float) -> str:
    """Say how many requests, items or runs would conclude a check of a ratio."""
    distance = abs(math.log(ratio.value) - math.log1p(limit))
    detectable = detectable_difference(ratio.error or 0.0, 1)
    needed = items_to_detect(distance, detectable, ratio.n)
    if needed >= MANY * ratio.n:
        return "the difference lies at the limit, where more measurements do not help: change the limit"
    sample = count(max(ratio.n + 1, math.ceil(needed)), {"pair of runs": "pair"}.get(ratio.per, ratio.per))
    of = {"run": " of each", "pair of runs": " of runs in turn"}.get(ratio.per, "")
    return _conclusive_with(sample + of)


def _conclusive_with(sample: str) -> str:
    return f"would be conclusive with about {sample} at the observed difference"


def _items_without_change(quality: Quality, change: Difference, distance: float) -> float:
    """Items at which the limit of a change of 0 lies within the margin: without spread it falls with 1/n, not 1/√n.

    Where Tango's statistic, n·m - ½ over √(n·m·(1 - m)) for a margin m, is that of the level.
    """
    share = distance / quality.reach if math.isfinite(quality.reach) else 0.0
    if share * MANY * change.n < 1:
        return math.inf
    z = _Z * math.sqrt(1 - share)
    root = (z + math.sqrt(z * z + 4 * CONTINUITY)) / 2
    return root * root / share * change.n / max(1, quality.units)
