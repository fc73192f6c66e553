"""Measure one phase at a time: seconds, peak memory of this process and of a GPU, tokens, joules.

On Linux the kernel's own high-water mark is used (``VmHWM`` in ``/proc/self/status``), reset to the present size at
the start of each span by writing 5 to ``/proc/self/clear_refs`` (proc_pid_clear_refs(5)), so a phase's peak is its own.
"""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable, Generator
from contextlib import contextmanager
from pathlib import Path
from time import perf_counter
from typing import Any

import psutil

from harness.measure import allocator
from harness.measure.energy import EnergyMeter
from harness.measure.gpu import open_device
from harness.records.measurements import Phase, Span

_STATUS, _CLEAR = Path("/proc/self/status"), Path("/proc/self/clear_refs")
_SAMPLE_S = 0.05
_LIGHT_PHASES: frozenset[Phase] = frozenset({"score"})
"""Phases so short that returning freed memory before them would take longer than they do."""


class Meter:
    """Collects the spans of one trial. Spans follow one another; they don't nest.

    Attributes:
        energy_source: of the spans' joules (`EnergyMeter.source`); None: energy is not measured.
    """

    def __init__(self, *, energy: bool = False, nvml: Any = None) -> None:
        """Prepare the measurement.

        Args:
            energy: whether to measure joules.
            nvml: for the whole GPU's memory; None: `pynvml`, or torch where there is none.

        Raises:
            HarnessError: energy cannot be measured here.
        """
        self._nvml = nvml
        self._energy = EnergyMeter() if energy else None
        self.energy_source = self._energy.source if self._energy else None
        self._spans: list[Span] = []
        self._running: Phase | None = None
        self._tokens_in: int | None = None
        self._tokens_out: int | None = None
        self._timing: dict[str, Any] = {}

    @property
    def spans(self) -> tuple[Span, ...]:
        """The finished spans, in their order; one that raised is not among them."""
        return tuple(self._spans)

    @contextmanager
    def span(self, phase: Phase, step: str | None = None) -> Generator[None]:
        """Measure what happens inside the ``with`` block.

        Args:
            phase: what is measured.
            step: name of the step, where the phase belongs to one.

        Raises:
            RuntimeError: another span is running.
        """
        if self._running:
            raise RuntimeError(f"span {phase!r} began inside span {self._running!r}: spans do not nest")
        self._running, self._tokens_in, self._tokens_out = phase, None, None
        self._timing = {}
        try:
            if phase not in _LIGHT_PHASES:
                allocator.trim()
            host, gpu = _HostPeak(), _GpuPeak(self._nvml)
            with gpu.sampling(), self._joules() as joules:
                start = perf_counter()
                yield
                gpu.synchronize()
                wall_s = perf_counter() - start
            self._spans.append(
                Span(
                    phase=phase,
                    step=step,
                    wall_s=wall_s,
                    host_start_bytes=host.start_bytes,
                    host_peak_bytes=host.peak_bytes(),
                    gpu_allocated_peak_bytes=gpu.allocated_bytes(),
                    gpu_reserved_peak_bytes=gpu.reserved_bytes(),
                    gpu_device_peak_bytes=gpu.device_bytes,
                    tokens_in=self._tokens_in,
                    tokens_out=self._tokens_out,
                    energy_j=joules[0] if joules else None,
                    **self._timing,
                )
            )
        finally:
            self._running = None

    def count_tokens(self, *, tokens_in: int | None = None, tokens_out: int | None = None) -> None:
        """Add to the tokens of the running span; a direction that is never counted stays None.

        Args:
            tokens_in: real tokens read, padding excluded.
            tokens_out: tokens generated.

        Raises:
            RuntimeError: no span is running.
        """
        if not self._running:
            raise RuntimeError("tokens were counted outside a span")
        if tokens_in is not None:
            self._tokens_in = (self._tokens_in or 0) + tokens_in
        if tokens_out is not None:
            self._tokens_out = (self._tokens_out or 0) + tokens_out

    def set_timing(self, *, prefill_s: float | None, decode_s: float | None, decode_tokens: int | None) -> None:
        """Set the model's own times in the running span (`Span`); of several calls, the last counts."""
        self._timing = {"prefill_s": prefill_s, "decode_s": decode_s, "decode_tokens": decode_tokens}

    @contextmanager
    def _joules(self) -> Generator[list[float]]:
        """Yield a list that holds the joules once the ``with`` block has ended; empty where energy is not measured."""
        joules: list[float] = []
        if self._energy:
            self._energy.start()
        try:
            yield joules
        finally:
            if self._energy:
                joules.append(self._energy.stop())


class _HostPeak:
    """The highest resident memory of this process since construction."""

    def __init__(self) -> None:
        self._exact = _reset_high_water_mark()
        self._earlier_bytes = None if self._exact else _lifetime_peak_bytes()
        self.start_bytes = _status_bytes("VmRSS") or psutil.Process().memory_info().rss

    def peak_bytes(self) -> int | None:
        """Return the peak; None where the system knows only an earlier, higher one."""
        if self._exact:
            return _status_bytes("VmHWM")
        peak_bytes = _lifetime_peak_bytes()
        if peak_bytes is None or self._earlier_bytes is None or peak_bytes <= self._earlier_bytes:
            return None
        return peak_bytes


class _GpuPeak:
    """Peaks of the CUDA devices that this process uses, added up, by an already imported torch; None without one.

    What the allocator has cached is returned first, or each phase would have the reserved bytes of the largest before.
    """

    def __init__(self, nvml: Any) -> None:
        self.device_bytes: int | None = None
        self._cuda = _cuda()
        self._device = open_device(nvml) if self._cuda else None
        if self._cuda:
            self.synchronize()
            self._cuda.empty_cache()
            for index in range(self._cuda.device_count()):
                self._cuda.reset_peak_memory_stats(index)

    @contextmanager
    def sampling(self) -> Generator[None]:
        """Sample the whole device's memory in a thread, other processes' share included."""
        if not self._cuda:
            yield
            return
        stop = threading.Event()
        thread = threading.Thread(target=self._sample, args=(stop,), daemon=True)
        thread.start()
        try:
            yield
        finally:
            stop.set()
            thread.join()

    def synchronize(self) -> None:
        """Wait for queued work, so that it counts into this span; torch may have been imported in it."""
        self._cuda = self._cuda or _cuda()
        if self._cuda:
            self._cuda.synchronize()
            for index in self._used_devices():
                self._cuda.synchronize(index)

    def allocated_bytes(self) -> int | None:
        return self._sum(self._cuda.max_memory_allocated) if self._cuda else None

    def reserved_bytes(self) -> int | None:
        return self._sum(self._cuda.max_memory_reserved) if self._cuda else None

    def _sum(self, peak: Callable[[int], int]) -> int:
        return sum(int(peak(index)) for index in range(self._cuda.device_count()))

    def _used_devices(self) -> list[int]:
        """Return the devices besides the first whose allocator holds memory; asking others would start CUDA there."""
        return [index for index in range(1, self._cuda.device_count()) if self._cuda.max_memory_reserved(index)]

    def _sample(self, stop: threading.Event) -> None:
        while True:
            self.device_bytes = max(self.device_bytes or 0, self._device_bytes())
            if stop.wait(_SAMPLE_S):
                return

    def _device_bytes(self) -> int:
        """Read the memory of all processes from NVML, or else from CUDA, which includes the driver's own."""
        used_bytes = self._device.used_bytes() if self._device else None
        if used_bytes is not None:
            return used_bytes
        free, total = self._cuda.mem_get_info()
        return int(total - free)


def _cuda() -> Any:
    """Return torch.cuda where torch is imported and has a device, else None."""
    torch = sys.modules.get("torch")
    cuda = getattr(torch, "cuda", None)
    return cuda if cuda is not None and cuda.is_available() else None


def _reset_high_water_mark() -> bool:
    """Reset VmHWM to the present size; False where the system cannot."""
    try:
        _CLEAR.write_text("5", encoding="ascii")
    except OSError:
        return False
    return _status_bytes("VmHWM") is not None


def _status_bytes(field: str) -> int | None:
    """Read a size of this process from the Linux kernel (its kB are KiB)."""
    try:
        lines = _STATUS.read_text(encoding="ascii", errors="replace").splitlines()
    except OSError:
        return None
    return next((int(line.split()[1]) * 1024 for line in lines if line.startswith(f"{field}:")), None)


def _lifetime_peak_bytes() -> int | None:
    """Read the peak since the process began, for systems where it cannot be reset."""
    windows: int | None = getattr(psutil.Process().memory_info(), "peak_wset", None)
    if windows is not None:
        return windows
    if sys.platform == "darwin":
        import resource  # noqa: PLC0415 - not there on Windows

        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return None
