"""Forecasts of a whole run: what is here is measured once and used, what is not here yet is left without one."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path

from harness.data.prepare import PreparedTask
from harness.errors import HarnessError
from harness.forecast.architecture_lookup import read
from harness.forecast.calibration import Calibration, calibrate, kept
from harness.forecast.forecast_trial import Forecaster
from harness.forecast.token_lengths import TokenLengths, lengths
from harness.models import registry
from harness.records.planned_trial import PlannedTrial

SWITCH = "HARNESS_FORECAST"
"""Environment variable: ``off`` leaves forecasts out, and measures nothing for them."""

Busy = Callable[[str], AbstractContextManager[None]]


@dataclass(frozen=True)
class ForecastMachine:
    """This machine, for forecasts.

    Attributes:
        cache: where calibrations and counts are kept.
        busy: says that something goes on, while its ``with`` block lasts.
        note: says in a line why there are no forecasts.
        again: whether the machine is measured even where it was before.
    """

    cache: Path
    busy: Busy
    note: Callable[[str], None]
    again: bool = False


def forecasted(
    trials: Sequence[PlannedTrial], prepared: Mapping[str, PreparedTask], here: ForecastMachine
) -> list[PlannedTrial]:
    """Return the trials with what is predicted of each; those whose model is not on this machine stay as they are.

    With `HARNESS_FORECAST=off` in the environment all of them do.

    Where a model is of a kind that no formula is for, or the machine cannot be measured, that is said, and they do too.
    """
    if os.environ.get(SWITCH) == "off":
        return list(trials)
    retrieves = any(one.sources and not one.skip for one in trials)
    forecasters: dict[tuple[str, int | None], Forecaster | None] = {}
    found: list[PlannedTrial] = []
    for one in trials:
        known = one.model_reference, one.threads
        if not one.skip and known not in forecasters:
            forecasters[known] = _forecaster(one, here, retrieves=retrieves)
        by = None if one.skip else forecasters[known]
        found.append(one.model_copy(update={"forecast": by.forecast(one, prepared)}) if by else one)
    return found


def _forecaster(planned: PlannedTrial, here: ForecastMachine, *, retrieves: bool) -> Forecaster | None:
    folder = registry.present(planned.model_reference, here.cache, by=planned.backend)
    if folder is None:
        return None
    try:
        shape = read(folder)
        machine = _machine(folder, planned.threads, here)
    except HarnessError as error:  # the run itself needs no forecast
        here.note(f"No forecasts for {planned.trial.model}: {error}")
        return None

    counted: dict[str, TokenLengths] = {}

    def counts(task: PreparedTask) -> TokenLengths:
        if task.info.name not in counted:
            counted[task.info.name] = lengths(task, folder, planned.model_reference, here.cache)
        return counted[task.info.name]

    return Forecaster(shape, machine, counts, lambda reference: registry.present(reference, here.cache), retrieves)


def _machine(folder: Path, threads: int | None, here: ForecastMachine) -> Calibration:
    found = None if here.again else kept(folder, threads, here.cache)
    if found is None:
        with here.busy("measuring this machine for forecasts (once, some ten seconds)"):
            found = calibrate(folder, threads, here.cache)
    return found
