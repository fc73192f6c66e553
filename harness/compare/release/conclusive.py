"""Sample size that would conclude an inconclusive check: items, requests or runs, at 80 % power."""

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
    """Say how many items would conclude a check of quality if the change stays what it is."""
    change = quality.change
    if change is None:
        return "the same items in both"
    loss = -change.value if quality.higher_is_better else change.value
    distance = abs(quality.margin - loss)
    unchanged = change.effect is not None and not change.effect.wins + change.effect.losses
    if quality.kind == "flat" or (quality.kind == "tango" and unchanged):
        needed = _items_without_change(quality, change, distance)
    else:
        needed = items_for(lambda times: change.error.smallest(times=times, n=change.n), distance, change.n)
        needed = math.inf if needed is None else needed
    if needed >= MANY * change.n:
        return "the change lies at the margin, where no number of items helps: look at the items, or move the margin"
    return f"about {count(max(change.n + 1, math.ceil(needed)), 'item')} if the change stays as it is"


def runs_to_conclude(ratio: ResourceRatio, limit: float) -> str:
    """Say how many requests, items or runs would conclude a check of a ratio."""
    distance = abs(math.log(ratio.value) - math.log1p(limit))
    detectable = detectable_difference(ratio.error or 0.0, 1)
    needed = items_to_detect(distance, detectable, ratio.n)
    if needed >= MANY * ratio.n:
        return f"the change lies at the limit, where no number of {ratio.per}s helps: move the limit"
    of = " of each" if ratio.per == "run" else ""
    return f"about {count(max(ratio.n + 1, math.ceil(needed)), ratio.per)}{of} if the change stays as it is"


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
