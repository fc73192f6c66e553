"""Formats of numbers and names in sentences and cells; the same in every report."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from harness.compare.stats.estimates import Difference, Estimate


def score(estimate: Estimate, digits: int | None = None) -> str:
    """Write ``0.52 [0.45, 0.59]``, with so many decimals, or as many as `places` counts."""
    digits = places(estimate) if digits is None else digits
    return f"{estimate.value:.{digits}f} [{estimate.low:.{digits}f}, {estimate.high:.{digits}f}]"


def change(difference: Difference, digits: int | None = None) -> str:
    """Write ``+0.21 [+0.14, +0.28]``, with so many decimals, or as many as `places` counts."""
    digits = places(difference) if digits is None else digits
    value, low, high = (_signed(end, digits) for end in (difference.value, difference.low, difference.high))
    return f"{value} [{low}, {high}]"


def places(estimate: Estimate | Difference) -> int:
    """Count the decimals of a score: two, or three where the interval is narrower than 0.02."""
    return 3 if estimate.high - estimate.low < 0.02 else 2


def surely(differences: Sequence[Difference]) -> str:
    """Write ``clearly``, or ``probably`` where the spread over seeds behind one of them is assumed or not known."""
    return "clearly" if all(difference.sure for difference in differences) else "probably"


def metric_title(name: str) -> str:
    """Write a metric's name for reading: ``token_f1`` as ``token F1``."""
    return name.replace("_", " ").replace("f1", "F1").replace("mrr", "MRR")


def rate(value: float) -> str:
    """Write a number per second with as many digits as can matter: ``1,240``, ``35``, ``2.1``."""
    return f"{value:,.0f}" if value >= 9.95 else f"{value:.2g}"


def usd(value: float) -> str:
    """Write US dollars with as many digits as can matter: ``1,240``, ``35``, ``2.31``, ``0.0048``; 0 is ``0``."""
    if value == 0:
        return "0"
    return f"{value:,.0f}" if abs(value) >= 99.5 else f"{value:.3g}" if abs(value) >= 0.995 else _small(value)


def listing(names: Sequence[str]) -> str:
    """Write ``a``, ``a and b`` or ``a, b and c``."""
    return " and ".join(filter(None, [", ".join(names[:-1]), names[-1]])) if names else ""


def count(number: int, noun: str) -> str:
    """Write ``1 item`` or ``1,200 items``."""
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def _small(value: float) -> str:
    """Write a number below 1 with two digits, never with an exponent; below a millionth it is said to be so."""
    if abs(value) < 1e-6:
        return "<0.000001"
    rounded = float(f"{value:.1e}")
    return f"{rounded:.{1 - math.floor(math.log10(abs(rounded)))}f}"


def _signed(value: float, places: int) -> str:
    text = f"{value:+.{places}f}"
    return text.replace("+", "").replace("-", "") if float(text) == 0 else text
