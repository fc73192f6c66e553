"""A busy GPU is refused, with the processes by name; memory of the whole device comes from NVML, here a double."""

import os
import subprocess
import sys
from types import SimpleNamespace

import pytest
from nvml_double import Nvml

from harness.errors import HarnessError
from harness.measure import gpu
from harness.measure.gpu import GpuProcess, open_device, refuse_busy

MIB = 1 << 20


@pytest.fixture(autouse=True)
def _all_devices_are_visible(monkeypatch):
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)


@pytest.fixture
def other_pid():
    """The id of another process: the test's parent."""
    return os.getppid()


def test_a_gpu_that_others_use_is_refused_with_their_names_and_what_to_do(other_pid):
    name = gpu._process_name(other_pid)
    with pytest.raises(HarnessError) as caught:
        refuse_busy(Nvml(compute=[(other_pid, 600 * MIB)], graphics=[(2**22 + 1, 20 * MIB)]))
    message = str(caught.value)
    processes = f"{name}, pid {other_pid}: 600 MiB; unknown process, pid {2**22 + 1}: 20 MiB"
    assert f"others hold 620 MiB of it ({processes})" in message
    assert "CUDA_VISIBLE_DEVICES" in message
    assert "--share-gpu" in message


@pytest.mark.parametrize(("used", "busy"), [(499_000_000, False), (501_000_000, True)])
def test_half_a_gigabyte_is_the_limit(other_pid, used, busy):
    nvml = Nvml(compute=[(other_pid, used)])
    if busy:
        with pytest.raises(HarnessError, match="busy"):
            refuse_busy(nvml)
    else:
        refuse_busy(nvml)


def test_ones_own_processes_are_no_others():
    child = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    try:
        refuse_busy(Nvml(compute=[(os.getpid(), 900 * MIB), (child.pid, 900 * MIB)]))
    finally:
        child.communicate(b"\n")


def test_memory_of_processes_that_are_hidden_counts_too():
    with pytest.raises(HarnessError, match=r"700 MiB of it \(700 MiB by processes that cannot be seen from here"):
        refuse_busy(Nvml(used=700 * MIB))


def test_a_process_whose_share_is_not_told_is_named(other_pid):
    with pytest.raises(HarnessError, match=rf"others hold 800 MiB of it \(.*, pid {other_pid}: unknown\)"):
        refuse_busy(Nvml(compute=[(other_pid, None)], used=800 * MIB))


def test_where_the_device_is_not_told_apart_from_the_driver_only_processes_count(other_pid):
    refuse_busy(Nvml(compute=[(other_pid, 100 * MIB)], used="unknown"))
    with pytest.raises(HarnessError, match="600 MiB"):
        refuse_busy(Nvml(compute=[(other_pid, 600 * MIB)], used="unknown"))


@pytest.mark.parametrize(
    ("visible", "opened"), [(None, [0]), ("2,1", [2]), ("GPU-ab12", ["GPU-ab12"]), ("", []), ("-1", []), ("7", [])]
)
def test_the_device_is_the_first_that_cuda_is_shown(monkeypatch, visible, opened):
    if visible is not None:
        monkeypatch.setenv("CUDA_VISIBLE_DEVICES", visible)
    nvml = Nvml(devices=3)
    assert (open_device(nvml) is not None) == bool(opened)
    assert nvml.opened == opened


def test_without_a_driver_there_is_nothing_to_refuse():
    refuse_busy(Nvml(devices=0))


def test_processes_are_listed_by_memory(other_pid):
    device = open_device(Nvml(compute=[(os.getpid(), 5)], graphics=[(other_pid, 9)]))
    assert [(process.pid, process.used_bytes) for process in device.processes()] == [(other_pid, 9), (os.getpid(), 5)]
    assert device.used_bytes() == 14
    assert device.processes()[1] == GpuProcess(os.getpid(), gpu._process_name(os.getpid()), 5)


def test_a_torch_without_cuda_uses_no_gpu(monkeypatch, tmp_path):
    (tmp_path / "torch").mkdir()
    (tmp_path / "torch" / "__init__.py").write_text("")
    monkeypatch.setattr(gpu, "find_spec", lambda name: SimpleNamespace(origin=str(tmp_path / name / "__init__.py")))
    for text, has in (("cuda = None\n", False), ("cuda = '12.8'\n", True)):
        (tmp_path / "torch" / "version.py").write_text(text)
        assert gpu._torch_has_cuda() is has


def test_a_gpu_is_named_without_cuda(monkeypatch):
    assert gpu.device_name(Nvml()) == "NVIDIA H100"
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "1")
    assert gpu.device_name(Nvml(devices=2)) == "NVIDIA L4"
    assert gpu.device_name(Nvml(devices=0)) is None
