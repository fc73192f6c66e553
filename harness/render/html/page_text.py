"""Format sentences, amounts of money and counts for the page."""

from __future__ import annotations

import math

from markupsafe import Markup, escape

from harness.render.text.escape import plain


def mark_code(text: str) -> Markup:
    """Turn text between backticks into code elements; everything else is escaped."""
    parts = plain(text).split("`")
    if len(parts) % 2 == 0:
        return escape(plain(text))
    pieces = [Markup("<code>{}</code>").format(p) if index % 2 else escape(p) for index, p in enumerate(parts)]
    return Markup("").join(pieces)


def dollars(value: float) -> str:
    """Write an amount of money: two digits below a dollar, cents from there, none from a hundred."""
    if value == 0:
        return "$0"
    sign, amount = ("-" if value < 0 else ""), abs(value)
    if amount >= 99.995:
        return f"{sign}${amount:,.0f}"
    if amount >= 0.995:
        return f"{sign}${amount:.2f}"
    if amount < 0.00001:
        return f"<{sign}$0.00001"
    places = min(12, 1 - math.floor(math.log10(amount)))
    return f"{sign}${amount:.{places}f}"


def number(value: float) -> str:
    """Round a count to two significant digits: ``52,000``."""
    if value < 100:
        return f"{value:,.0f}"
    step = 10 ** (len(str(round(value))) - 2)
    return f"{round(value / step) * step:,}"
