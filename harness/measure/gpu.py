"""GPU memory by NVML: of the whole device and of each process, and whether the GPU is free for a run.

NVML comes with NVIDIA's driver and is called through nvidia-ml-py, without CUDA, which would allocate memory itself.
Its device numbers follow the PCI bus; on a machine with GPUs of several kinds, CUDA's do so only with
``CUDA_DEVICE_ORDER=PCI_BUS_ID``.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from runpy import run_path
from typing import Any

import psutil

from harness.errors import HarnessError
from harness.measure.units import MIB

BUSY_BYTES = 500_000_000
"""Memory of other processes from which on a GPU counts as busy; an idle desktop or driver takes less."""


@dataclass(frozen=True)
class GpuProcess:
    """A process and its GPU memory; None: the driver does not report it."""

    pid: int
    name: str
    used_bytes: int | None


@dataclass(frozen=True)
class GpuDevice:
    """A GPU as NVML shows it.

    Attributes:
        nvml: the module `pynvml`, or a test double.
        handle: of the device, or of a slice of it (MIG).
    """

    nvml: Any
    handle: Any

    def used_bytes(self) -> int | None:
        """Return the memory of all processes, without the driver's own; None: not reported."""
        try:
            return int(self.nvml.nvmlDeviceGetMemoryInfo(self.handle, version=self.nvml.nvmlMemory_v2).used)
        except (self.nvml.NVMLError, AttributeError):  # an older driver or module counts what is reserved as used
            return None

    def name(self) -> str | None:
        """Return the product's name; None: not reported."""
        try:
            name = self.nvml.nvmlDeviceGetName(self.handle)
        except (self.nvml.NVMLError, AttributeError):
            return None
        return name.decode() if isinstance(name, bytes) else str(name)

    def processes(self) -> list[GpuProcess]:
        """List the processes that use memory, largest first; a container may hide some."""
        used_by_pid: dict[int, int | None] = {}
        for query in ("nvmlDeviceGetComputeRunningProcesses", "nvmlDeviceGetGraphicsRunningProcesses"):
            try:
                used_by_pid |= {
                    process.pid: process.usedGpuMemory for process in getattr(self.nvml, query)(self.handle)
                }
            except self.nvml.NVMLError:
                continue
        processes = [GpuProcess(pid, _process_name(pid), used_bytes) for pid, used_bytes in used_by_pid.items()]
        return sorted(processes, key=lambda process: -(process.used_bytes or 0))


def open_device(nvml: Any = None) -> GpuDevice | None:
    """Open the GPU that trials run on: the first that is visible to CUDA.

    Args:
        nvml: the module; None: `pynvml`.

    Returns:
        None where there is no such module, driver or device.
    """
    visible = os.environ.get("CUDA_VISIBLE_DEVICES", "0").split(",")[0].strip()
    if not visible or visible.startswith("-"):
        return None
    try:
        nvml = nvml or import_module("pynvml")
    except ImportError:
        return None
    try:
        nvml.nvmlInit()
        by_index = visible.isdecimal()
        handle = nvml.nvmlDeviceGetHandleByIndex(int(visible)) if by_index else nvml.nvmlDeviceGetHandleByUUID(visible)
    except nvml.NVMLError:
        return None
    return GpuDevice(nvml, handle)


def device_name(nvml: Any = None) -> str | None:
    """Return the name of the GPU that trials run on, without CUDA; None where there is none."""
    device = open_device(nvml) if nvml is not None or _torch_has_cuda() else None
    return device.name() if device else None


def refuse_busy(nvml: Any = None) -> None:
    """Refuse a GPU that other processes use: they would add to bytes and seconds, and memory could run out.

    Raises:
        HarnessError: they hold more than 500 MB of it.
    """
    if nvml is None and not _torch_has_cuda():
        return
    device = open_device(nvml)
    if device is None:
        return
    own_pids = _own_pids()
    processes = device.processes()
    foreign = [process for process in processes if process.pid not in own_pids]
    visible_bytes = sum(process.used_bytes or 0 for process in foreign)
    own_bytes = sum(process.used_bytes or 0 for process in processes if process.pid in own_pids)
    foreign_bytes = max(visible_bytes, (device.used_bytes() or 0) - own_bytes)
    if foreign_bytes > BUSY_BYTES:
        breakdown = _breakdown(foreign, foreign_bytes - visible_bytes)
        raise HarnessError(
            f"the GPU is busy: others hold {foreign_bytes / MIB:,.0f} MiB of it ({breakdown}). End them, "
            "choose another GPU by CUDA_VISIBLE_DEVICES, or pass --share-gpu: bytes and seconds then hold theirs too."
        )


def _breakdown(processes: Sequence[GpuProcess], hidden_bytes: int) -> str:
    parts = [
        f"{process.name}, pid {process.pid}: "
        + ("unknown" if process.used_bytes is None else f"{process.used_bytes / MIB:,.0f} MiB")
        for process in processes
    ]
    if hidden_bytes > MIB and not any(process.used_bytes is None for process in processes):
        parts.append(
            f"{hidden_bytes / MIB:,.0f} MiB by processes that cannot be seen from here, as of another container"
        )
    return "; ".join(parts)


def _own_pids() -> set[int]:
    process = psutil.Process()
    return {process.pid, *(child.pid for child in process.children(recursive=True))}


def _process_name(pid: int) -> str:
    try:
        return psutil.Process(pid).name()
    except psutil.Error:  # of another user or container
        return "unknown process"


def _torch_has_cuda() -> bool:
    """Whether the installed torch was built for CUDA; it is not imported."""
    spec = find_spec("torch")
    version = Path(spec.origin).with_name("version.py") if spec and spec.origin else None
    return bool(version and version.is_file() and run_path(str(version)).get("cuda"))
