"""Joules of a phase, by codecarbon: of the whole machine while the phase ran, the share of an idle machine included.

What the joules are worth depends on the machine. A processor's own counters (RAPL) and an NVIDIA GPU's (NVML) are
measurements. Where a processor shows none, as in most virtual machines, codecarbon takes the power that its model is
built for, or 85 W for a model that it does not know, times how busy it is; and memory is always a figure by its size.
`EnergyMeter.source` says which it was.

codecarbon is used offline: nothing is sent, looked up or written, and carbon is not reckoned.
"""

from __future__ import annotations

import logging
from importlib.util import find_spec
from typing import Any

from harness.errors import HarnessError

_JOULES = 3.6e6
"""In a kilowatt-hour."""
_COUNTERS = ("intel_rapl", "windows_emi", "intel_power_gadget")
"""codecarbon's names for ways of reading a processor's own counters."""


class EnergyMeter:
    """Measures one stretch of time after the other.

    To make one takes a second or two, in which codecarbon looks for the hardware; a stretch then costs milliseconds,
    and one sample each second while it lasts.

    Attributes:
        source: how the joules came to be, for a reader.
    """

    def __init__(self) -> None:
        """Look for the hardware.

        Raises:
            HarnessError: codecarbon is not installed, or finds nothing to measure here.
        """
        require()
        logging.getLogger("codecarbon").setLevel(logging.CRITICAL)
        from codecarbon import OfflineEmissionsTracker  # noqa: PLC0415 - it is optional

        self._tracker: Any = OfflineEmissionsTracker(
            country_iso_code="USA",  # needed, but only for the carbon
            force_carbon_intensity_g_co2e_kwh=1.0,  # so that no table or service is asked for it
            output_methods=[],
            api_call_interval=-1,
            measure_power_secs=3600,
            allow_multiple_runs=True,
            log_level="critical",
        )
        self._count = 0
        self.start()
        self.stop()  # what is slow the first time happens here, and what is wrong shows
        self.source = _source(getattr(self._tracker, "_hardware", ()))

    def start(self) -> None:
        """Begin a stretch."""
        self._count += 1
        self._tracker.start_task(str(self._count))

    def stop(self) -> float:
        """End the stretch.

        Returns:
            Joules.

        Raises:
            HarnessError: codecarbon gives none.
        """
        found = self._tracker.stop_task(str(self._count))
        if found is None:
            raise HarnessError("codecarbon cannot measure energy on this machine: run without --energy.")
        return float(found.energy_consumed) * _JOULES


def require() -> None:
    """Make sure that codecarbon is installed.

    Raises:
        HarnessError: it is not.
    """
    if find_spec("codecarbon") is None:
        raise HarnessError("energy is measured by codecarbon, which is not here: pip install 'adaptbench[energy]'.")


def _source(hardware: Any) -> str:
    """Say how codecarbon gets at the joules of each part."""
    kinds = {type(part).__name__: part for part in hardware}
    mode = str(getattr(kinds.get("CPU"), "_mode", ""))
    measured = mode in _COUNTERS or "AppleSiliconChip" in kinds or "Raspberry" in kinds
    parts = [f"processor {'by its own counters' if measured else 'estimated from its model and load'}"]
    parts += ["GPU by its own counter"] if "GPU" in kinds else []
    parts += ["memory estimated from its size"] if "RAM" in kinds else []
    return f"codecarbon, whole machine: {', '.join(parts)}"
