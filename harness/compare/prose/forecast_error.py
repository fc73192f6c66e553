"""How far forecasts were off: what was predicted of each strategy over what was measured."""

from __future__ import annotations

from collections.abc import Sequence
from statistics import median

from harness.compare.cost.resource_types import Cost
from harness.compare.prose.names import Names
from harness.compare.prose.numbers import count
from harness.compare.table.result import StrategyResult
from harness.records.measurements import StoredModel


class ForecastRatio(StoredModel):
    """Predicted over measured; 1 is right, above it too much was predicted.

    Attributes:
        memory: of the highest resident memory; time: of the seconds of those phases that both know. None: not known.
        time_s: seconds that were predicted of those phases; measured_s: that they took.
    """

    memory: float | None = None
    time: float | None = None
    time_s: float | None = None
    measured_s: float | None = None


def ratio(cost: Cost) -> ForecastRatio | None:
    """Compare what was forecast of a strategy with what it took; None where nothing was forecast."""
    forecast = cost.forecast
    if forecast is None:
        return None
    phases = [name for name in forecast.phases_s if name in cost.phases]
    predicted, measured = (
        sum(forecast.phases_s[name] for name in phases),
        sum(cost.phases[name].wall_s for name in phases),
    )
    peak, peak_was = forecast.host_peak_bytes, cost.host_peak_bytes
    return ForecastRatio(
        memory=peak / peak_was if peak and peak_was else None,
        time=predicted / measured if measured > 0 else None,
        time_s=predicted,
        measured_s=measured,
    )


def sentence(rows: Sequence[StrategyResult], name: Names) -> str:
    """Say in one line how far the forecasts of a table were off; an empty text where there were none.

    The worst one is that whose ratio is furthest from 1, as many times above as below.
    """
    ratios = [(row, row_ratio) for row in rows if row.cost and (row_ratio := ratio(row.cost))]
    parts: list[str] = []
    for quantity in ("memory", "time"):
        values = [(row, value) for row, row_ratio in ratios if (value := getattr(row_ratio, quantity))]
        if values:
            worst, value = max(values, key=lambda pair: max(pair[1], 1 / pair[1]))
            middle = median(value for _, value in values)
            parts.append(f"{quantity} {middle:.2f}, furthest off {value:.2f} ({name(worst)})")
    if not parts:
        return ""
    return (
        f"Forecast over measured, median of {count(len(ratios), 'row')}: {'; '.join(parts)}. Each was measured once a "
        "seed, so these have no interval."
    )


def figures(cost: Cost) -> dict[str, float | None]:
    """Give what a table of raw numbers holds of a forecast."""
    cost_ratio = ratio(cost)
    if cost_ratio is None or cost.forecast is None:
        return {}
    return {
        "forecast_host_peak_bytes": cost.forecast.host_peak_bytes,
        "forecast_s": cost_ratio.time_s,
        "forecast_measured_s": cost_ratio.measured_s,
        "forecast_memory_ratio": cost_ratio.memory,
        "forecast_time_ratio": cost_ratio.time,
    }
