"""Forecast errors: predicted over measured memory and time of each strategy."""

from __future__ import annotations

from collections.abc import Sequence
from statistics import median
from typing import NamedTuple

from harness.compare.cost.resource_types import Cost
from harness.compare.table.result import StrategyResult
from harness.records.measurements import StoredModel


class ForecastRatio(StoredModel):
    """Predicted over measured; 1 is right, above 1 the forecast was too high.

    Attributes:
        memory: of the highest resident memory; time: of the seconds of those phases that both have. None: unknown.
        time_s: predicted seconds of those phases, the nearest to the measured ones of the forecast's range, which goes
            from the earliest end of training to its ceiling; measured_s: their measured seconds.
    """

    memory: float | None = None
    time: float | None = None
    time_s: float | None = None
    measured_s: float | None = None


class ForecastAccuracy(NamedTuple):
    """Forecast ratios of one quantity over the rows of a table.

    Attributes:
        quantity: ``memory`` or ``time``.
        worst: the ratio furthest from 1, as many times above as below; row: its row.
    """

    quantity: str
    median: float
    worst: float
    row: StrategyResult


def forecast_ratio(cost: Cost) -> ForecastRatio | None:
    """Compare the forecast of a strategy with its measured cost; None without a forecast."""
    forecast = cost.forecast
    if forecast is None:
        return None
    phases = [name for name in forecast.phases_s if name in cost.phases]
    ceiling_s = sum(forecast.phases_s[name] for name in phases)
    floor_s = sum(forecast.floor_phases_s.get(name, forecast.phases_s[name]) for name in phases)
    measured_s = sum(cost.phases[name].wall_s for name in phases)
    predicted_s = min(max(measured_s, floor_s), ceiling_s)
    predicted_bytes, measured_bytes = forecast.host_peak_bytes, cost.host_peak_bytes
    return ForecastRatio(
        memory=predicted_bytes / measured_bytes if predicted_bytes and measured_bytes else None,
        time=predicted_s / measured_s if measured_s > 0 else None,
        time_s=predicted_s,
        measured_s=measured_s,
    )


def forecast_errors(rows: Sequence[StrategyResult]) -> tuple[int, list[ForecastAccuracy]]:
    """Return the number of rows with a forecast, and the errors of memory and time where they are known."""
    ratios = [(row, ratio) for row in rows if row.cost and (ratio := forecast_ratio(row.cost))]
    by_quantity = {
        "memory": [(ratio.memory, row) for row, ratio in ratios if ratio.memory],
        "time": [(ratio.time, row) for row, ratio in ratios if ratio.time],
    }
    errors: list[ForecastAccuracy] = []
    for quantity, row_ratios in by_quantity.items():
        if row_ratios:
            worst, row = max(row_ratios, key=lambda pair: max(pair[0], 1 / pair[0]))
            errors.append(ForecastAccuracy(quantity, median(ratio for ratio, _ in row_ratios), worst, row))
    return len(ratios), errors


def figures(cost: Cost) -> dict[str, float | None]:
    """Return the forecast columns of a table of raw numbers; empty without a forecast."""
    ratio = forecast_ratio(cost)
    if ratio is None or cost.forecast is None:
        return {}
    return {
        "forecast_host_peak_bytes": cost.forecast.host_peak_bytes,
        "forecast_s": ratio.time_s,
        "forecast_measured_s": ratio.measured_s,
        "forecast_memory_ratio": ratio.memory,
        "forecast_time_ratio": ratio.time,
    }
