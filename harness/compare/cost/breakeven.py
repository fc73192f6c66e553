"""Break-even volume of two strategies, N* = (S_A - S_B) / (v_B - v_A), with its interval.

S is the standing cost (fixed, storage, updates), v the cost of a request. The interval is Fieller's for a ratio of two
independent figures (Fieller 1954), from the spread of runs in one sitting. There is none, and nobody is called cheaper,
where hours were measured once or either difference is smaller than that spread.
"""

from __future__ import annotations

import math

from harness.compare.cost.money import Money, Usage, combine_halves, half_usd
from harness.records.measurements import StoredModel

ONCE = "hours were measured once, and the same run takes longer in another hour"


class BreakEven(StoredModel):
    """Volume at which two totals are equal.

    Attributes:
        requests: over the whole horizon; None: one strategy is cheaper at any volume, or nothing can be said.
        low, high: its 95 % bounds, by the spread of runs in one sitting.
        per_month: `requests` spread evenly over the months.
        cheaper_below: 0 if the first, 1 if the second costs less at fewer requests; None if they cost the same, or
            nothing can be said.
        cheaper_above: likewise at more requests; equal to `cheaper_below` where they never cross.
        note: why nothing can be said; None where something is.
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
    standing_half = combine_halves([money.standing_half_usd(usage) for money in (first, second)])
    saved_half = combine_halves([half_usd(money.per_request, 1) for money in (first, second)])
    if standing_half is None or saved_half is None:
        return BreakEven(note=ONCE)
    standing_side, saved_side = _side(standing, standing_half), _side(saved, saved_half)
    if standing_side is None or saved_side is None:
        part = "what a request costs" if saved_side is None else "what is paid at any volume"
        return BreakEven(note=f"{part} differs by less than runs in one sitting do")
    below = None if standing == 0 == saved else 0 if standing < 0 or (standing == 0 and saved > 0) else 1
    above = below if saved == 0 else 0 if saved > 0 else 1
    ends = fieller(standing, saved, standing_half, saved_half) if saved and standing / saved > 0 else None
    if ends is None:
        return BreakEven(cheaper_below=below, cheaper_above=above)
    return BreakEven(
        requests=standing / saved,
        low=max(0.0, ends[0]),
        high=ends[1],
        per_month=standing / saved / usage.months,
        cheaper_below=below,
        cheaper_above=above,
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


def _side(difference: float, half: float) -> int | None:
    """Sign of a difference; None where it is within the bounds of 0, unless nothing of it was timed."""
    if abs(difference) <= half and half > 0:
        return None
    return (difference > 0) - (difference < 0)
