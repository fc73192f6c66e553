"""Forecasts of a run for the terminal: cells of the plan's table, totals, and trials that will not fit."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from rich.text import Text

from harness.compare.prose.numbers import usd
from harness.measure.environment import memory_bytes
from harness.measure.units import decimal_duration, size

if TYPE_CHECKING:
    from harness.compare.cost.hourly_rate import HourlyRate
    from harness.records.planned_trial import PlannedTrial


def forecast_cells(planned: PlannedTrial, rate: HourlyRate | None = None) -> tuple[str, ...]:
    """Write the memory, the time and, with a rate, the US dollars that a trial is expected to take."""
    if planned.forecast is None:
        return ("", "") if rate is None else ("", "", "")
    peak = planned.forecast.host_peak_bytes
    cells = "" if peak is None else size(peak), _duration(planned.forecast.floor_s, planned.forecast.total_s)
    return cells if rate is None else (*cells, usd(planned.forecast.total_s / 3600 * rate.usd))


def _duration(floor_s: float, ceiling_s: float) -> str:
    """Write the range of a forecast, as training may stop before its ceiling: ``2.0 min to 4.5 min``."""
    floor, ceiling = decimal_duration(floor_s), decimal_duration(ceiling_s)
    return ceiling if floor == ceiling else f"{floor} to {ceiling}"


def forecast_lines(pending: Sequence[PlannedTrial], rate: HourlyRate | None = None) -> Iterator[Text]:
    """Write the totals of the trials to run, and warn of each that needs more memory than the machine has.

    Args:
        pending: trials that have yet to be run.
        rate: price of an hour of this machine; None: no money is named.
    """
    forecasts = [(planned.trial, planned.forecast) for planned in pending if planned.forecast]
    if not forecasts:
        return
    total_s = sum(forecast.total_s for _, forecast in forecasts)
    floor_s = sum(forecast.floor_s for _, forecast in forecasts)
    peak_bytes = max(forecast.host_peak_bytes or 0 for _, forecast in forecasts)
    coverage = "" if len(forecasts) == len(pending) else f" of {len(forecasts)} of {len(pending)} trials"
    memory = memory_bytes()
    money = "" if rate is None else f", {usd(total_s / 3600 * rate.usd)} USD at {rate.explanation}"
    peak = f"at most {size(peak_bytes)} of {size(memory)} at once"
    yield Text(
        f"\nForecast{coverage}: {_duration(floor_s, total_s)} in all{money}, {peak}. These are predictions without an "
        "interval; the report says how far they were off."
    )
    for trial, forecast in forecasts:
        if forecast.host_peak_bytes and forecast.host_peak_bytes > memory:
            need = f"{trial.label} on {trial.task} is expected to need {size(forecast.host_peak_bytes)}"
            yield Text(f"Warning: {need}, more than the {size(memory)} there are.", style="yellow")
