"""Seconds until a command has printed, in a process of its own: pytest --benchmark-only."""

import subprocess
import sys
from pathlib import Path

import pytest

COMMAND = Path(sys.executable).with_name("harness")


@pytest.mark.parametrize(("argument", "target_s"), [("--help", 0.2), ("strategies", 0.5), ("suites", 0.5)])
def test_a_command_answers_at_once(benchmark, argument, target_s):
    call = [COMMAND, argument]
    subprocess.run(call, check=True, capture_output=True)
    benchmark.pedantic(subprocess.run, (call,), {"check": True, "capture_output": True}, rounds=10, iterations=1)
    assert benchmark.stats.stats.min <= target_s
