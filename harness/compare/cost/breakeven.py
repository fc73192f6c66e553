"""From how many requests on one strategy is cheaper than another: N* = (S_A - S_B) / (v_B - v_A), with its interval.

S is what is paid whatever is asked (made once, kept, made again), v what a request costs. The interval is Fieller's for
a ratio of two independent figures (Fieller 1954), from the spread over seeds of the measured hours.
"""

from __future__ import annotations

import math

from harness.compare.cost.money import CostPart, Money, Usage
from harness.records.measurements import StoredModel


class BreakEven(StoredModel):
    """Where two totals are equal.

    Attributes:
        requests: over the whole horizon; None: one of them is cheaper at any volume.
        low, high: 95 % interval; None where a figure was measured once, or where the data can't bound it.
        per_month: the same spread evenly over the months.
        cheaper_below: whether the first or the second costs less at fewer requests, None if they cost the same.
        cheaper_above: at more requests; equal to `cheaper_below` where they never cross.
        note: why there is no interval.
    """

    requests: float | None = None
    low: float | None = None
    high: float | None = None
    per_month: float | None = None
    cheaper_below: int | None = None
    cheaper_above: int | None = None
    note: str | None = None


def break_even(first: Money, second: Money, usage: Usage | None = None) -> BreakEven:
    """Find the volume at which two strategies cost the same over the horizon.

    Args:
        first: one strategy's money; `cheaper_below` and `cheaper_above` call it 0.
        second: the other's, 1 there.
        usage: horizon and updates; None: the first one's own.
    """
    usage = usage or first.usage
    standing = first.standing_usd(usage) - second.standing_usd(usage)
    saved = (second.per_1000_usd - first.per_1000_usd) / 1000
    below = None if standing == 0 == saved else 0 if standing < 0 or (standing == 0 and saved > 0) else 1
    above = below if saved == 0 else 0 if saved > 0 else 1
    if saved == 0 or standing / saved <= 0:
        return BreakEven(cheaper_below=below, cheaper_above=above)
    requests = standing / saved
    low, high, note = _interval(first, second, usage, (standing, saved))
    return BreakEven(
        requests=requests,
        low=low,
        high=high,
        per_month=requests / usage.months,
        cheaper_below=below,
        cheaper_above=above,
        note=note,
    )


def fieller(top: float, bottom: float, top_half: float, bottom_half: float) -> tuple[float, float] | None:
    """Interval of a ratio of two independent figures, of the same confidence as their own.

    Args:
        top: numerator.
        bottom: denominator.
        top_half: half of the numerator's interval.
        bottom_half: half of the denominator's.

    Returns:
        Both ends; None where the denominator may be 0, so that the ratio has no bounds.
    """
    spare = bottom**2 - bottom_half**2
    if spare <= 0:
        return None
    middle = top * bottom / spare
    reach = math.sqrt(max(0.0, (top * bottom) ** 2 - spare * (top**2 - top_half**2))) / spare
    return middle - reach, middle + reach


def _interval(
    first: Money, second: Money, usage: Usage, ratio: tuple[float, float]
) -> tuple[float | None, float | None, str | None]:
    halves = [_standing_half(one, usage) for one in (first, second)]
    used = [_half(one.per_request, 1) for one in (first, second)]
    if None in halves or None in used:
        return None, None, "no interval: hours were measured once, with a single seed"
    found = fieller(
        *ratio, math.hypot(*[half for half in halves if half]), math.hypot(*[half for half in used if half])
    )
    if found is None:
        return None, None, "no interval: what a request costs is not clearly different"
    return max(0.0, found[0]), found[1], None


def _standing_half(money: Money, usage: Usage) -> float | None:
    """Half of the interval of what is paid whatever is asked; what is made again counts with its first time."""
    again = {part.what for part in money.per_update}
    times = 1 + usage.months * usage.updates_per_month
    halves = [_half([part], times if part.what in again else 1) for part in money.fixed]
    return None if None in halves else math.hypot(*[half for half in halves if half])


def _half(parts: tuple[CostPart, ...] | list[CostPart], times: float) -> float | None:
    ends = [part.bounds_usd for part in parts if part.spreads]
    if None in ends:
        return None
    return times * math.hypot(*[(end[1] - end[0]) / 2 for end in ends if end])
