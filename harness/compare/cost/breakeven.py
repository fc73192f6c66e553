"""Break-even volume of two strategies, N* = (S_A - S_B) / (v_B - v_A), with its interval.

S is the standing cost (fixed, storage, updates), v the cost of a request. The interval is Fieller's for a ratio of two
independent figures (Fieller 1954), from the spread over seeds of the measured hours.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

from harness.compare.cost.money import CostPart, Money, Usage
from harness.records.measurements import StoredModel


class BreakEven(StoredModel):
    """Volume at which two totals are equal.

    Attributes:
        requests: over the whole horizon; None: one strategy is cheaper at any volume.
        low, high: 95 % interval; None where a figure was measured once, or the data do not bound it.
        per_month: `requests` spread evenly over the months.
        cheaper_below: 0 if the first, 1 if the second costs less at fewer requests; None if they cost the same.
        cheaper_above: likewise at more requests; equal to `cheaper_below` where they never cross.
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
        usage: horizon and updates; None: those of the first.
    """
    usage = usage or first.usage
    standing = first.standing_usd(usage) - second.standing_usd(usage)
    saved = (second.per_1000_usd - first.per_1000_usd) / 1000
    below = None if standing == 0 == saved else 0 if standing < 0 or (standing == 0 and saved > 0) else 1
    above = below if saved == 0 else 0 if saved > 0 else 1
    if saved == 0 or standing / saved <= 0:
        return BreakEven(cheaper_below=below, cheaper_above=above)
    requests = standing / saved
    low, high, note = _interval(first, second, usage, standing=standing, saved=saved)
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
    """Interval of a ratio of two independent figures, at the confidence of their intervals.

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
    first: Money, second: Money, usage: Usage, *, standing: float, saved: float
) -> tuple[float | None, float | None, str | None]:
    standing_halves = [_standing_half(money, usage) for money in (first, second)]
    request_halves = [_half(money.per_request, 1) for money in (first, second)]
    if None in standing_halves or None in request_halves:
        return None, None, "no interval: hours were measured once, with a single seed"
    ends = fieller(standing, saved, _combine(standing_halves), _combine(request_halves))
    if ends is None:
        return None, None, "no interval: what a request costs is not clearly different"
    return max(0.0, ends[0]), ends[1], None


def _standing_half(money: Money, usage: Usage) -> float | None:
    """Half of the interval of the standing cost; parts that are paid per update count with their first time."""
    repeated = {part.what for part in money.per_update}
    times = 1 + usage.months * usage.updates_per_month
    halves = [_half([part], times if part.what in repeated else 1) for part in money.fixed]
    return None if None in halves else _combine(halves)


def _combine(halves: Sequence[float | None]) -> float:
    """Add up half-widths of independent parts, in quadrature."""
    return math.hypot(*[half for half in halves if half])


def _half(parts: Sequence[CostPart], times: float) -> float | None:
    """Half of the interval of a sum of parts, `times` over; None where one was measured once."""
    ends = [part.bounds_usd for part in parts if part.spreads]
    if None in ends:
        return None
    return times * math.hypot(*[(end[1] - end[0]) / 2 for end in ends if end])
