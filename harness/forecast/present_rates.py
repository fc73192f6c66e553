"""A calibration brought to the present: compared with the machine's speed now, and with what others take of it.

A calibration taken under load is not one of the quiet machine: its load is kept with it, and it is measured again once
the machine is quieter.
"""

from __future__ import annotations

from harness.forecast.calibration import MachineCalibration
from harness.forecast.machine_load import QuickRates

TOLERANCE = 1.2
"""Ratio of speeds within which two moments count as alike: measurements of half a second differ so much by chance."""


def is_outdated(calibration: MachineCalibration, now: QuickRates) -> bool:
    """Tell whether the machine should be measured again: it is quiet now, and was not, or was slower."""
    earlier = calibration.quick
    if earlier is None or now.busy:
        return False
    computing, copying = _slowdowns(earlier, now)
    return earlier.busy or min(computing, copying) < 1 / TOLERANCE


def brought_to_present(calibration: MachineCalibration, now: QuickRates) -> MachineCalibration:
    """Scale the seconds of a calibration to the machine's present speed."""
    if calibration.quick is None:
        return calibration
    return calibration.slowed(*_slowdowns(calibration.quick, now))


def load_note(calibration: MachineCalibration, now: QuickRates) -> str | None:
    """Say that the machine is busy, or slower than when it was calibrated; None: neither."""
    computing, copying = _slowdowns(calibration.quick, now) if calibration.quick else (1.0, 1.0)
    slowdown = max(computing, copying)
    slower = f"takes up to {slowdown:.1f} times as long as when it was calibrated" if slowdown > 1 else ""
    if now.busy:
        busy = f"This machine is busy: other processes use {now.other_cores:.1f} of {now.cores} cores"
        remedy = "Forecasts allow for that; measured seconds hold it too, so run when it is idle to compare them."
        return f"{busy}{f', and work {slower}' if slower else ''}. {remedy}"
    return f"Work on this machine {slower}: forecasts allow for that." if slower else None


def _slowdowns(earlier: QuickRates, now: QuickRates) -> tuple[float, float]:
    """Return how many times as long products and copies take as earlier; 1 within the tolerance."""
    ratios = earlier.matrix_flops / now.matrix_flops, earlier.bandwidth / now.bandwidth
    computing, copying = (1.0 if 1 / TOLERANCE <= ratio <= TOLERANCE else ratio for ratio in ratios)
    return computing, copying
