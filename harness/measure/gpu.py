"""Who holds memory of the GPU: the whole device by NVML, each process's share, and whether it is free for a run.

NVML comes with NVIDIA's driver and is asked through nvidia-ml-py, without CUDA: who only looks holds nothing.
Its numbers are those of the PCI bus; on a machine with GPUs of several kinds, CUDA counts alike only with
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

BUSY_BYTES = 500_000_000
"""Of memory held by others, from which on a GPU counts as busy; an idle desktop's or driver's share is less."""
_MIB = 1 << 20


@dataclass(frozen=True)
class GpuProcess:
    """A process and its memory of the GPU; None: the driver does not tell how much."""

    pid: int
    name: str
    used_bytes: int | None


@dataclass(frozen=True)
class GpuDevice:
    """A GPU as NVML shows it.

    Attributes:
        nvml: the module `pynvml`, or what stands for it.
        handle: of the device, or of a slice of it (MIG).
    """

    nvml: Any
    handle: Any

    def used_bytes(self) -> int | None:
        """Give what all processes hold, what the driver keeps for itself not included; None: not told."""
        try:
            return int(self.nvml.nvmlDeviceGetMemoryInfo(self.handle, version=self.nvml.nvmlMemory_v2).used)
        except (self.nvml.NVMLError, AttributeError):  # an older driver or module counts what is reserved as used
            return None

    def holders(self) -> list[GpuProcess]:
        """List the processes that hold memory, most of it first; in a container they may be hidden."""
        found: dict[int, int | None] = {}
        for ask in ("nvmlDeviceGetComputeRunningProcesses", "nvmlDeviceGetGraphicsRunningProcesses"):
            try:
                found |= {one.pid: one.usedGpuMemory for one in getattr(self.nvml, ask)(self.handle)}
            except self.nvml.NVMLError:
                continue
        holders = [GpuProcess(pid, _name(pid), used) for pid, used in found.items()]
        return sorted(holders, key=lambda one: -(one.used_bytes or 0))


def open_device(nvml: Any = None) -> GpuDevice | None:
    """Open the GPU that trials run on: the first that CUDA is shown.

    Args:
        nvml: the module to ask; None: `pynvml`.

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


def refuse_busy(nvml: Any = None) -> None:
    """Make sure that nobody else holds much of the GPU: bytes and seconds would be theirs too, and memory run out.

    Raises:
        HarnessError: others hold more than 500 MB of it.
    """
    if nvml is None and not _torch_has_cuda():
        return
    device = open_device(nvml)
    if device is None:
        return
    own = _own_pids()
    holders = device.holders()
    others = [one for one in holders if one.pid not in own]
    seen = sum(one.used_bytes or 0 for one in others)
    used = device.used_bytes()
    mine = sum(one.used_bytes or 0 for one in holders if one.pid in own)
    held = max(seen, (used or 0) - mine)
    if held > BUSY_BYTES:
        raise HarnessError(
            f"the GPU is busy: others hold {held / _MIB:,.0f} MiB of it ({_listed(others, held - seen)}). End them, "
            "choose another GPU by CUDA_VISIBLE_DEVICES, or pass --share-gpu: bytes and seconds then hold theirs too."
        )


def _listed(others: Sequence[GpuProcess], unseen: int) -> str:
    parts = [
        f"{one.name}, pid {one.pid}: {'unknown' if one.used_bytes is None else f'{one.used_bytes / _MIB:,.0f} MiB'}"
        for one in others
    ]
    if unseen > _MIB and not any(one.used_bytes is None for one in others):
        parts.append(f"{unseen / _MIB:,.0f} MiB by processes that cannot be seen from here, as of another container")
    return "; ".join(parts)


def _own_pids() -> set[int]:
    process = psutil.Process()
    return {process.pid, *(child.pid for child in process.children(recursive=True))}


def _name(pid: int) -> str:
    try:
        return psutil.Process(pid).name()
    except psutil.Error:  # another user's, or of another container
        return "unknown process"


def _torch_has_cuda() -> bool:
    """Tell whether the torch that is installed was built for CUDA, without importing it."""
    spec = find_spec("torch")
    version = Path(spec.origin).with_name("version.py") if spec and spec.origin else None
    return bool(version and version.is_file() and run_path(str(version)).get("cuda"))
