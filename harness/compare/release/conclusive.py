"""What would settle a check that the data leave open: how many items, requests or repeats, at 80 % power."""

from __future__ import annotations

import math
from statistics import NormalDist

from harness.compare.prose.numbers import count
from harness.compare.release.quality_change import Quality
from harness.compare.release.resource_ratios import ResourceRatio
from harness.compare.stats.intervals import CONFIDENCE

MANY = 100
"""Times as many as there are: beyond it, more of them is no advice."""
POWER = 0.8


def items_needed(quality: Quality) -> str:
    """Say how many items would settle it if the change stays what it is."""
    change = quality.change
    if change is None:
        return "the same items in both"
    worse = -change.value if quality.higher_is_better else change.value
    distance = abs(quality.margin - worse)
    if change.method.startswith("no spread"):  # Wilson's limit falls with 1/n, not with its root
        z = _deviate((1 + CONFIDENCE) / 2)
        share = distance / quality.reach if math.isfinite(quality.reach) else 0.0
        wanted = (
            math.inf if share * MANY * change.n < 1 else (z * z * (1 / share - 1)) * change.n / max(1, quality.units)
        )
    else:
        near = distance * math.sqrt(MANY) <= change.detectable
        wanted = math.inf if near else change.n * (change.detectable / distance) ** 2
    if wanted > MANY * change.n:
        return "the change lies at the margin, where no number of items helps: look at the items, or move the margin"
    return f"about {count(max(change.n + 1, math.ceil(wanted)), 'item')} if the change stays as it is"


def more_needed(ratio: ResourceRatio, limit: float) -> str:
    """Say how many requests, items or runs would settle a ratio."""
    distance = abs(math.log(ratio.value) - math.log1p(limit))
    reach = (_deviate((1 + CONFIDENCE) / 2) + _deviate(POWER)) * (ratio.error or 0.0)
    if distance * math.sqrt(MANY) <= reach:
        return f"the change lies at the limit, where no number of {ratio.per}s helps: move the limit"
    wanted = ratio.n * (reach / distance) ** 2
    of = " of each" if ratio.per == "run" else ""
    return f"about {count(max(ratio.n + 1, math.ceil(wanted)), ratio.per)}{of} if the change stays as it is"


def _deviate(share: float) -> float:
    return NormalDist().inv_cdf(share)
