"""How fast this machine is right now, and what other processes take of it: half a second, without torch."""

from __future__ import annotations

from collections.abc import Callable
from time import perf_counter
from typing import Any

import psutil

from harness.measure.environment import usable_cores
from harness.records.measurements import StoredModel

BUSY_SHARE = 0.2
"""Share of the cores from which on other processes make a machine busy; a desktop at rest takes less."""
_MEASURE_S = 0.25
_SIZE = 1024
"""Of the product: about as many operations as one of a trial's passes, which waits for slow cores as often."""
_COPIED_BYTES = 2**25


class QuickRates(StoredModel):
    """Speed of this machine at one moment, to compare with that of another moment.

    Attributes:
        matrix_flops: operations a second of products of float32 matrices, by numpy on the processor.
        bandwidth: bytes a second of a copy, read and written.
        other_cores: cores that other processes kept busy meanwhile; cores: that this process may use.
    """

    matrix_flops: float
    bandwidth: float
    other_cores: float
    cores: int

    @property
    def busy(self) -> bool:
        """Whether other processes take enough to slow a trial down."""
        return self.other_cores > BUSY_SHARE * self.cores

    def combined(self, other: QuickRates) -> QuickRates:
        """Return the mean speed of two moments, and the larger load."""
        return QuickRates(
            matrix_flops=(self.matrix_flops + other.matrix_flops) / 2,
            bandwidth=(self.bandwidth + other.bandwidth) / 2,
            other_cores=max(self.other_cores, other.other_cores),
            cores=self.cores,
        )


class LoadWatch:
    """Processor time that other processes take on the cores of this one, from construction on."""

    def __init__(self) -> None:
        self._start = perf_counter(), _busy_s(), _own_s()

    def other_cores(self) -> float:
        """Return the mean number of cores that others have kept busy; time stolen by other machines counts."""
        start, busy_s, own_s = self._start
        elapsed_s = max(perf_counter() - start, 1e-9)
        return max(0.0, (_busy_s() - busy_s) - (_own_s() - own_s)) / elapsed_s


def quick_rates(threads: int | None = None) -> QuickRates:
    """Measure in half a second.

    Args:
        threads: of the product; None: numpy's choice.
    """
    import numpy as np  # noqa: PLC0415 - planning without forecasts does not need it
    from threadpoolctl import threadpool_limits  # noqa: PLC0415

    watch = LoadWatch()
    matrix: Any = np.ones((_SIZE, _SIZE), np.float32)
    product: Any = np.empty_like(matrix)
    source: Any = np.ones(_COPIED_BYTES, np.uint8)
    target: Any = np.ones_like(source)
    with threadpool_limits(threads):
        matrix_flops = 2 * _SIZE**3 * _calls_per_s(lambda: np.dot(matrix, matrix, out=product))
    bandwidth = 2 * _COPIED_BYTES * _calls_per_s(lambda: np.copyto(target, source))
    return QuickRates(
        matrix_flops=matrix_flops, bandwidth=bandwidth, other_cores=watch.other_cores(), cores=usable_cores()
    )


def _calls_per_s(call: Callable[[], object]) -> float:
    """Repeat a call for a while; the mean, as trials meet the same pauses."""
    call()
    start, calls = perf_counter(), 0
    while True:
        call()
        calls += 1
        elapsed_s = perf_counter() - start
        if elapsed_s >= _MEASURE_S:
            return calls / elapsed_s


def _busy_s() -> float:
    """Return the seconds in which this process's cores were busy since the machine started."""
    cores: list[Any] = psutil.cpu_times(percpu=True)
    process = psutil.Process()
    allowed: list[int] = process.cpu_affinity() if hasattr(process, "cpu_affinity") else list(range(len(cores)))
    names = "user", "nice", "system", "irq", "softirq", "steal"
    return sum(getattr(cores[core], name, 0.0) for core in allowed if core < len(cores) for name in names)


def _own_s() -> float:
    """Return the processor seconds of this process and of the children that it has waited for."""
    times: Any = psutil.Process().cpu_times()
    return sum(getattr(times, name, 0.0) for name in ("user", "system", "children_user", "children_system"))
