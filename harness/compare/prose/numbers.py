"""How numbers and names read in a sentence or a cell; the same in every report."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from harness.compare.stats.estimates import Difference, Estimate


def score(found: Estimate) -> str:
    """Write ``0.52 [0.45, 0.59]``, with a third decimal where the interval is narrower than 0.02."""
    places = _places(found)
    return f"{found.value:.{places}f} [{found.low:.{places}f}, {found.high:.{places}f}]"


def change(found: Difference) -> str:
    """Write ``+0.21 [+0.14, +0.28]``."""
    places = _places(found)
    return f"{_signed(found.value, places)} [{_signed(found.low, places)}, {_signed(found.high, places)}]"


def metric_title(name: str) -> str:
    """Write a metric's name for reading: ``token_f1`` as ``token F1``."""
    return name.replace("_", " ").replace("f1", "F1").replace("mrr", "MRR")


def seconds(value: float) -> str:
    """Write a duration: ``0.42 s``, ``34 s``, ``4 min 10 s``, ``2 h 5 min``."""
    if value < 9.95:
        return f"{value:.2g} s" if value < 0.095 else f"{value:.1f} s"
    whole = round(value)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60} s"
    return f"{whole // 3600} h {whole % 3600 // 60} min"


def size(value: int) -> str:
    """Write bytes in binary units: ``1.7 GiB``, ``512 MiB``."""
    amount = float(value)
    for unit in ("B", "KiB", "MiB", "GiB"):
        if amount < 1023.5:
            return f"{amount:.0f} {unit}" if unit == "B" or amount >= 9.95 else f"{amount:.1f} {unit}"
        amount /= 1024
    return f"{amount:.1f} TiB"


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


def _places(found: Estimate | Difference) -> int:
    return 3 if found.high - found.low < 0.02 else 2


def _small(value: float) -> str:
    """Write a number below 1 with two digits, never with an exponent; below a millionth it is said to be so."""
    if abs(value) < 1e-6:
        return "<0.000001"
    rounded = float(f"{value:.1e}")
    return f"{rounded:.{1 - math.floor(math.log10(abs(rounded)))}f}"


def _signed(value: float, places: int) -> str:
    text = f"{value:+.{places}f}"
    return text.replace("+", "").replace("-", "") if float(text) == 0 else text
