"""Forecasts of a run's trials; those whose model is not on this machine yet have none."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from functools import cache as remembered
from pathlib import Path

from filelock import FileLock

from harness.data.prepare import PreparedTask
from harness.errors import HarnessError
from harness.forecast.architecture_lookup import read_architecture
from harness.forecast.calibration import MachineCalibration, cached_calibration, calibrate
from harness.forecast.forecast_trial import Forecaster
from harness.forecast.machine_load import QuickRates, quick_rates
from harness.forecast.present_rates import brought_to_present, is_outdated, load_note
from harness.forecast.token_lengths import TokenLengths, task_token_lengths
from harness.models import registry
from harness.records.planned_trial import PlannedTrial

SWITCH = "HARNESS_FORECAST"
"""Environment variable: ``off`` turns forecasts off, and the calibration with them."""

Busy = Callable[[str], AbstractContextManager[None]]


@dataclass(frozen=True)
class ForecastOptions:
    """Cache and user interface of forecasts.

    Attributes:
        cache: folder of calibrations and token counts.
        busy: shows a message while its ``with`` block lasts.
        warn: shows why there are no forecasts, in a line.
        recalibrate: measure the machine even where a calibration is in the cache.
    """

    cache: Path
    busy: Busy
    warn: Callable[[str], None]
    recalibrate: bool = False


def add_forecasts(
    trials: Sequence[PlannedTrial], prepared: Mapping[str, PreparedTask], options: ForecastOptions
) -> list[PlannedTrial]:
    """Return the trials with their forecasts.

    A trial stays as it is where it is skipped, its model is not on this machine, no formula fits the model's kind, or
    the machine cannot be measured (`ForecastOptions.warn`); all stay so with ``HARNESS_FORECAST=off``.
    """
    if os.environ.get(SWITCH) == "off":
        return list(trials)
    rates = _PresentRates()
    retrieves = any(planned.sources and not planned.skip for planned in trials)
    forecasters: dict[tuple[str, int | None], Forecaster | None] = {}
    forecast_trials: list[PlannedTrial] = []
    for planned in trials:
        key = planned.model_reference, planned.threads
        if not planned.skip and key not in forecasters:
            forecasters[key] = _forecaster(planned, options, rates, retrieves=retrieves)
        forecaster = None if planned.skip else forecasters[key]
        forecast = forecaster.forecast(planned, prepared) if forecaster else None
        forecast_trials.append(planned.model_copy(update={"forecast": forecast}) if forecast else planned)
    return forecast_trials


@dataclass
class _PresentRates:
    """The machine's speed, measured once a run for each number of threads; what is said of it is said once."""

    by_threads: dict[int | None, QuickRates] = field(default_factory=dict[int | None, QuickRates])
    notes: set[str] = field(default_factory=set[str])

    def measure(self, threads: int | None) -> QuickRates:
        """Return the speed with so many threads."""
        if threads not in self.by_threads:
            self.by_threads[threads] = quick_rates(threads)
        return self.by_threads[threads]


def _forecaster(
    planned: PlannedTrial, options: ForecastOptions, rates: _PresentRates, *, retrieves: bool
) -> Forecaster | None:
    folder = registry.present(planned.model_reference, options.cache, by=planned.backend)
    if folder is None:
        return None
    try:
        shape = read_architecture(folder)
        calibration = _calibration(folder, planned.threads, options, rates)
    except HarnessError as error:  # the run itself needs no forecast
        options.warn(f"No forecasts for {planned.trial.model}: {error}")
        return None

    lengths_by_task: dict[str, TokenLengths] = {}

    def token_lengths(task: PreparedTask) -> TokenLengths:
        name = task.info.name
        if name not in lengths_by_task:
            lengths_by_task[name] = task_token_lengths(task, folder, planned.model_reference, options.cache)
        return lengths_by_task[name]

    def locate(reference: str) -> Path | None:
        return registry.present(reference, options.cache)

    return Forecaster(shape, calibration, token_lengths, locate, retrieves)


def _calibration(
    folder: Path, threads: int | None, options: ForecastOptions, rates: _PresentRates
) -> MachineCalibration:
    """Return the calibration as it would be now: measured, or read and scaled to the machine's present speed."""
    calibration = None if options.recalibrate else cached_calibration(folder, threads, options.cache)
    if calibration is None or is_outdated(calibration, rates.measure(threads)):
        reason = "once, some ten seconds" if calibration is None else "again, as it is faster or quieter than it was"
        with options.busy(f"measuring this machine for forecasts ({reason})"):
            again = options.recalibrate or calibration is not None
            calibration = _measure_once(folder, threads, options.cache, again)
        if isinstance(calibration, HarnessError):
            raise calibration
    now = rates.measure(threads)
    note = load_note(calibration, now)
    if note and note not in rates.notes:
        rates.notes.add(note)
        options.warn(note)
    return brought_to_present(calibration, now)


@remembered
def _measure_once(folder: Path, threads: int | None, cache: Path, again: bool) -> MachineCalibration | HarnessError:
    """Measure the machine once in this process, whatever comes of it, and never beside another process that does."""
    try:
        (cache / "calibrations").mkdir(parents=True, exist_ok=True)
        with FileLock(cache / "calibrations" / "measuring.lock"):
            calibration = None if again else cached_calibration(folder, threads, cache)
            return calibration or calibrate(folder, threads, cache)
    except HarnessError as error:
        return error
