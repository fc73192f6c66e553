"""Joules of a phase, by codecarbon: of the whole machine while the phase ran, its idle power included.

How exact they are depends on the machine. A processor's counters (RAPL) and an NVIDIA GPU's (NVML) are measurements.
Without counters, as in most virtual machines, codecarbon multiplies the processor's rated power (85 W for an unknown
model) by its load; memory is always estimated from its size. `EnergyMeter.source` says which it was.

codecarbon is used offline: nothing is sent, looked up or written, and no carbon is computed.
"""

from __future__ import annotations

import logging
from importlib.util import find_spec
from typing import Any

from harness.errors import HarnessError

_JOULES_PER_KWH = 3.6e6
_COUNTERS = ("intel_rapl", "windows_emi", "intel_power_gadget")
"""codecarbon's names for reading a processor's own counters."""


class EnergyMeter:
    """Measures one interval after the other.

    Construction takes a second or two, in which codecarbon detects the hardware; an interval then costs milliseconds,
    and one sample a second while it lasts.

    Attributes:
        source: measured or estimated, by part of the machine; a sentence for reports.
    """

    def __init__(self) -> None:
        """Detect the hardware.

        Raises:
            HarnessError: codecarbon is not installed, or finds nothing to measure here.
        """
        require_codecarbon()
        logging.getLogger("codecarbon").setLevel(logging.CRITICAL)
        from codecarbon import OfflineEmissionsTracker  # noqa: PLC0415 - it is optional

        self._tracker: Any = OfflineEmissionsTracker(
            country_iso_code="USA",  # required, but only used for carbon
            force_carbon_intensity_g_co2e_kwh=1.0,  # so that no table or service is looked up
            output_methods=[],
            api_call_interval=-1,
            measure_power_secs=3600,
            allow_multiple_runs=True,
            log_level="critical",
        )
        self._count = 0
        self.start()
        self.stop()  # the slow first interval happens here, and errors show
        self.source = _source(getattr(self._tracker, "_hardware", ()))

    def start(self) -> None:
        """Begin an interval."""
        self._count += 1
        self._tracker.start_task(str(self._count))

    def stop(self) -> float:
        """End the interval.

        Returns:
            Joules.

        Raises:
            HarnessError: codecarbon gives none.
        """
        emissions = self._tracker.stop_task(str(self._count))
        if emissions is None:
            raise HarnessError("codecarbon cannot measure energy on this machine: run without --energy.")
        return float(emissions.energy_consumed) * _JOULES_PER_KWH


def require_codecarbon() -> None:
    """Check that codecarbon is installed.

    Raises:
        HarnessError: it is not.
    """
    if find_spec("codecarbon") is None:
        raise HarnessError("energy is measured by codecarbon, which is not here: pip install 'adaptbench[energy]'.")


def _source(hardware: Any) -> str:
    """Say how codecarbon gets the joules of each part."""
    kinds = {type(part).__name__: part for part in hardware}
    mode = str(getattr(kinds.get("CPU"), "_mode", ""))
    measured = mode in _COUNTERS or "AppleSiliconChip" in kinds or "Raspberry" in kinds
    parts = [f"processor {'by its own counters' if measured else 'estimated from its model and load'}"]
    parts += ["GPU by its own counter"] if "GPU" in kinds else []
    parts += ["memory estimated from its size"] if "RAM" in kinds else []
    return f"codecarbon, whole machine: {', '.join(parts)}"
