"""Double of NVIDIA's management library (NVML), with given answers."""

# ruff: noqa: N802, N815 - the names are NVML's own

from types import SimpleNamespace


class Nvml:
    """The functions of NVML that are called, with the given devices and processes."""

    nvmlMemory_v2 = 2

    class NVMLError(Exception):
        pass

    def __init__(self, *, compute=(), graphics=(), used=None, devices=1):
        self.compute, self.graphics, self.devices = compute, graphics, devices
        self.used = sum(size or 0 for _, size in (*compute, *graphics)) if used is None else used
        self.opened = []

    def nvmlInit(self):
        if not self.devices:
            raise self.NVMLError("Driver Not Loaded")

    def nvmlDeviceGetHandleByIndex(self, index):
        if index >= self.devices:
            raise self.NVMLError("Invalid Argument")
        self.opened.append(index)
        return f"device {index}"

    def nvmlDeviceGetHandleByUUID(self, uuid):
        self.opened.append(uuid)
        return uuid

    def nvmlDeviceGetName(self, handle):
        return b"NVIDIA H100" if handle == "device 0" else "NVIDIA L4"

    def nvmlDeviceGetMemoryInfo(self, handle, version):
        assert version == self.nvmlMemory_v2
        if self.used == "unknown":
            raise self.NVMLError("Not Supported")
        return SimpleNamespace(used=self.used)

    def nvmlDeviceGetComputeRunningProcesses(self, handle):
        return [SimpleNamespace(pid=pid, usedGpuMemory=used) for pid, used in self.compute]

    def nvmlDeviceGetGraphicsRunningProcesses(self, handle):
        return [SimpleNamespace(pid=pid, usedGpuMemory=used) for pid, used in self.graphics]
