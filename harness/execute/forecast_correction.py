"""Forecasts of a run's later trials, corrected by what its finished ones took."""

from __future__ import annotations

from harness.records.measurements import Forecast
from harness.records.record import Completed

_PRIOR_S = 1.0
"""Forecast seconds of a phase at which its own trials count as much as those of all phases."""


class ForecastCorrection:
    """Ratio of measured to forecast seconds, by phase, and the seconds that no phase has, such as a process's start.

    A phase that few seconds were forecast for is corrected as all phases together.

    Attributes:
        trials: that it is based on.
    """

    def __init__(self) -> None:
        self.trials = 0
        self._forecast_s: dict[str, float] = {}
        self._measured_s: dict[str, float] = {}
        self._other_s = 0.0

    def add(self, forecast: Forecast, wall_s: float, record: Completed | None = None) -> None:
        """Add a completed trial.

        Args:
            forecast: made before the run.
            wall_s: from the start of its process to its end.
            record: with its spans; None, or one whose phases were not forecast: the ratio is that of the whole.
        """
        measured: dict[str, float] = {}
        for span in record.spans if record else ():
            if span.phase in forecast.phases_s:
                measured[span.phase] = measured.get(span.phase, 0.0) + span.wall_s
        if not measured:
            measured = {name: wall_s * s / (forecast.total_s or 1.0) for name, s in forecast.phases_s.items()}
        self.trials += 1
        self._other_s += max(0.0, wall_s - sum(measured.values()))
        for name, seconds in forecast.phases_s.items():
            self._forecast_s[name] = self._forecast_s.get(name, 0.0) + seconds
            self._measured_s[name] = self._measured_s.get(name, 0.0) + measured.get(name, 0.0)

    def total_s(self, forecast: Forecast) -> float:
        """Return the seconds that a trial should take from the start of its process to its end."""
        return self.apply(forecast).total_s + self._other_s / max(1, self.trials)

    def apply(self, forecast: Forecast) -> Forecast:
        """Return the corrected forecast; the same one as long as no trial is completed."""
        if not self.trials:
            return forecast
        phases_s = {name: seconds * self._ratio(name) for name, seconds in forecast.phases_s.items()}
        floor_phases_s = {
            name: min(phases_s.get(name, 0.0), seconds * self._overall)
            for name, seconds in forecast.floor_phases_s.items()
        }
        changes = {"phases_s": phases_s, "floor_phases_s": floor_phases_s, "corrected_by": self.trials}
        return forecast.model_copy(update=changes)

    @property
    def _overall(self) -> float:
        forecast_s = sum(self._forecast_s.values())
        return sum(self._measured_s.values()) / forecast_s if forecast_s else 1.0

    def _ratio(self, phase: str) -> float:
        measured_s, forecast_s = self._measured_s.get(phase, 0.0), self._forecast_s.get(phase, 0.0)
        return (measured_s + _PRIOR_S * self._overall) / (forecast_s + _PRIOR_S)
