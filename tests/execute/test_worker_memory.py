"""What a trial's process does with memory that is no longer used."""

import subprocess
import sys

import pytest

_CHURN = """
import pathlib
import re

import numpy as np

from harness.execute import worker

{prepare}
first = np.ones(24 * 2**20, np.uint8)
del first  # glibc takes this as a hint to keep blocks of up to 24 MiB
blocks = [np.ones(4 * 2**20, np.uint8) for _ in range(40)]
last = np.ones(2**19, np.uint8)  # stays at the top of the heap
del blocks
print(int(re.search(r"VmRSS:\\s+(\\d+)", pathlib.Path("/proc/self/status").read_text())[1]) // 1024)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="the setting is glibc's")
def test_freed_tensors_do_not_stay_in_a_trials_process() -> None:
    kept, given_back = _resident_mib(""), _resident_mib("worker._return_freed_memory()")
    assert given_back < kept - 100


def _resident_mib(prepare: str) -> int:
    script = _CHURN.format(prepare=prepare)
    return int(subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True).stdout)
