"""Numbers of one column, all with as many decimals as the one that needs most, so that they can be compared."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import NamedTuple

from harness.compare.cost.resource_types import Quantile
from harness.compare.prose.numbers import change, places, score
from harness.compare.stats.estimates import Difference, Estimate
from harness.measure.units import UNITS, size

UNBOUNDED = "–"  # noqa: RUF001 - an en dash is the usual sign for a value that is not known
MOST_RATIO = 100
"""Sizes that differ by a larger factor have units of their own."""
LARGE = 99.5
"""From this on, more than two decimals are noise."""


class Amount(NamedTuple):
    """US dollars, and the half of their 95 % interval as a share of them; None: no interval."""

    usd: float
    half_share: float | None = None


def texts(values: Sequence[str]) -> Callable[[str], str]:
    """Write texts as they are."""
    del values
    return str


def scores(values: Sequence[Estimate]) -> Callable[[Estimate], str]:
    """Write scores with their intervals."""
    digits = max(map(places, values), default=2)
    return lambda estimate: score(estimate, digits)


def changes(values: Sequence[Difference]) -> Callable[[Difference], str]:
    """Write differences with their intervals."""
    digits = max(map(places, values), default=2)
    return lambda difference: change(difference, digits)


def sizes(values: Sequence[float]) -> Callable[[float], str]:
    """Write bytes in the unit of the largest, or each in its own where they differ by more than `MOST_RATIO`."""
    positive = [value for value in values if value]
    if not positive or max(positive) > MOST_RATIO * min(positive):
        return size
    index = min(int(math.log(max(positive), 1024)), len(UNITS) - 1)
    smallest = min(positive) / 1024**index
    digits = 0 if index == 0 or smallest >= 9.95 else 1 if smallest >= 0.995 else 2
    return lambda value: f"{value / 1024**index:,.{digits}f} {UNITS[index]}"


def seconds(values: Sequence[float]) -> Callable[[float], str]:
    """Write seconds under a title that names the unit; below 0.05: ``<0.1``."""
    digits = 0 if min(values, default=0) >= 9.95 else 1
    return lambda value: f"{value:,.{digits}f}" if value >= 0.05 else "<0.1"


def rates(values: Sequence[float]) -> Callable[[float], str]:
    """Write numbers a second, two digits of the smallest."""
    digits = decimals(values)
    return lambda value: f"{value:,.{digits}f}"


def dollars(values: Sequence[Amount]) -> Callable[[Amount], str]:
    """Write US dollars, two digits of the smallest; 0 is ``0``."""
    digits = decimals([amount.usd for amount in values])

    def write(amount: Amount) -> str:
        if amount.usd == 0:
            return "0"
        least = 10**-digits
        text = f"{amount.usd:,.{digits}f}" if abs(amount.usd) >= least / 2 else f"<{least:.{digits}f}"
        return text if amount.half_share is None else f"{text} ±{amount.half_share:.0%}"

    return write


def quantiles(values: Sequence[Quantile]) -> Callable[[Quantile], str]:
    """Write seconds of requests with their intervals, three digits of the smallest but no more than four decimals."""
    smallest = min((quantile.value_s for quantile in values if quantile.value_s > 0), default=1.0)
    digits = min(4, max(0, 2 - math.floor(math.log10(smallest))))

    def write(quantile: Quantile) -> str:
        low, high = (UNBOUNDED if end is None else f"{end:.{digits}f}" for end in (quantile.low_s, quantile.high_s))
        return f"{quantile.value_s:.{digits}f} [{low}, {high}]"

    return write


def decimals(values: Sequence[float]) -> int:
    """Count the decimals that show two digits of the smallest number but 0; two at most where one is large."""
    sizes_of = [abs(value) for value in values if value]
    smallest = min(sizes_of, default=1.0)
    digits = 0 if smallest >= 9.95 else min(6, max(1, 1 - math.floor(math.log10(smallest))))
    return min(digits, 2) if max(sizes_of, default=0.0) >= LARGE else digits
