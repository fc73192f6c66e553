"""Memory of a trial's process: large blocks are returned when they are freed, pages of small ones are reused."""

import os
import subprocess
import sys

import pytest
import torch

from harness.errors import HarnessError
from harness.forecast import calibration
from harness.measure import child_process

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="the settings are glibc's")

_SCRIPT = """
import pathlib
import re
import resource

import numpy as np

from harness.measure import allocator

def resident_mib():
    return int(re.search(r"VmRSS:\\s+(\\d+)", pathlib.Path("/proc/self/status").read_text())[1]) // 1024

{steps}
"""
_CHURN = """
first = np.ones(24 * 2**20, np.uint8)
del first  # glibc takes this as a hint to keep blocks of up to 24 MiB
blocks = [np.ones({mib} * 2**20, np.uint8) for _ in range(40)]
last = np.ones(2**19, np.uint8)  # stays at the top of the heap
del blocks
"""
_PASSES = """
for _ in range(50):
    blocks = [np.ones(size * 2**18, np.uint8) for size in (8, 12, 20, 10)]
    del blocks
print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt)
"""

_LENGTHS = """
import torch
weights = torch.ones(576, 1536, dtype=torch.bfloat16)
for length in range(64, 464):
    torch.ones(length, 576, dtype=torch.bfloat16) @ weights
print(resident_mib())
"""

_MEASURE = """
import sys
from types import SimpleNamespace

from harness.forecast import calibration
from harness.measure import child_process

def churned(folder, imported):
{churn}
    return resident_mib()

sys.modules["harness.training.rates"] = SimpleNamespace(measure=churned)
calibration._child(SimpleNamespace(send=print), "")
"""


def test_large_blocks_that_are_freed_do_not_stay():
    churn = _CHURN.format(mib=12) + "print(resident_mib())"
    assert _print("allocator.configure()" + churn) < _print(churn) - 300


def test_memory_that_a_phase_freed_is_returned_before_the_next():
    churn = "allocator.configure()" + _CHURN.format(mib=4)
    untrimmed = _print(churn + "print(resident_mib())")
    assert _print(churn + "allocator.trim()\nprint(resident_mib())") < untrimmed - 100


def test_pages_of_activations_are_reused():
    mapped = "import ctypes\nctypes.CDLL(None).mallopt(-3, 2**20)\n"
    assert _print("allocator.configure()\n" + _PASSES) < _print(mapped + _PASSES) / 2


def test_only_the_newest_generated_code_is_cached():
    if not torch.ops.mkldnn._is_mkldnn_bf16_supported():
        pytest.skip("oneDNN generates no code for bfloat16 on this processor")
    assert _print("allocator.configure()\n" + _LENGTHS) < _print(_LENGTHS) - 60


def test_a_machine_is_calibrated_with_the_settings_of_a_trial(monkeypatch, tmp_path):
    environments, start = [], subprocess.Popen

    def fail(call, *, env, **options):
        environments.append(env)
        return start([sys.executable, "-c", "import sys; sys.exit('no more')"], env=env, **options)

    monkeypatch.setattr(child_process.subprocess, "Popen", fail)
    monkeypatch.setattr(calibration, "read_architecture", lambda folder: None)
    with pytest.raises(HarnessError, match="no more"):
        calibration.calibrate(tmp_path, 2, tmp_path)
    monkeypatch.undo()
    (environ,) = environments
    churn = _CHURN.format(mib=12)
    measured = _MEASURE.format(churn="\n".join(f"    {line}" for line in churn.splitlines()))
    assert _print(measured, environ) < _print(churn + "print(resident_mib())", environ) - 300


def _print(steps, environ=os.environ):
    script = _SCRIPT.format(steps=steps)
    env = {name: setting for name, setting in environ.items() if not name.endswith("CACHE_CAPACITY")}
    call = [sys.executable, "-c", script]
    return int(subprocess.run(call, capture_output=True, text=True, check=True, env=env).stdout)
