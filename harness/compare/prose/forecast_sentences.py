"""A sentence about forecast errors."""

from __future__ import annotations

from collections.abc import Sequence

from harness.compare.prose.names import Names
from harness.compare.prose.numbers import count
from harness.compare.table.forecast_ratios import forecast_errors
from harness.compare.table.result import StrategyResult


def sentence(rows: Sequence[StrategyResult], name: Names) -> str:
    """Give the median and the worst forecast ratio of a table; empty without forecasts."""
    forecasts, errors = forecast_errors(rows)
    if not errors:
        return ""
    parts = [f"{error.quantity} {error.median:.2f} (worst {error.worst:.2f}, {name(error.row)})" for error in errors]
    return f"Forecast over measured, median of {count(forecasts, 'row')}: {'; '.join(parts)}."
