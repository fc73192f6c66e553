"""Ctrl-C and a closed pipe."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from harness.store.results_store import Store
from tests.plan.test_planner import model, suite

__all__ = ["model", "suite"]  # fixtures

ROOT = Path(__file__).parents[2]


@pytest.mark.skipif(os.name != "posix", reason="signals of POSIX")
def test_ctrl_c_keeps_what_is_finished_and_says_how_to_go_on(suite, model, tmp_path):
    code = (
        "import sys, run_doubles; from harness import cli; from harness.plan import planner as plan; "
        "from harness.execute import local_executor as local; "
        "from tests.plan.test_planner import ZeroShot; plan.find_step = lambda name: ZeroShot; "
        "local.Runner = lambda: run_doubles.RUNNER; cli.main()"
    )
    flags = ["--model", str(model), "--task", "sentiment", "--strategy", "one", "--strategy", "forever"]
    running = subprocess.Popen(
        [sys.executable, "-c", code, "run", str(suite), *flags],
        env={
            **os.environ,
            "PYTHONPATH": os.pathsep.join([str(ROOT), str(ROOT / "tests" / "execute")]),
            "HARNESS_CACHE": str(tmp_path),
        },
        cwd=tmp_path,
        stderr=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    until = time.monotonic() + 30
    while not ((tmp_path / "started").exists() or running.poll() is not None):
        assert time.monotonic() < until
        time.sleep(0.05)
    os.killpg(running.pid, signal.SIGINT)  # as a terminal does: every process of the group hears it
    out, err = running.communicate(timeout=20)
    assert running.returncode == 130
    assert err.strip() == "Stopped; finished trials are stored. The same command continues the run."
    assert "one" in out
    assert [stored.record.trial.strategy for stored in Store(tmp_path / "results").load()] == ["one"]


@pytest.mark.skipif(os.name != "posix", reason="pipes of POSIX")
def test_a_reader_that_goes_away_is_no_error():
    code = "from harness.cli import main; import sys; sys.argv = ['harness', 'suites']; main()"
    reading, writing = os.pipe()
    os.close(reading)
    process = subprocess.run(
        [sys.executable, "-c", code], stdout=writing, stderr=subprocess.PIPE, text=True, check=False, cwd=ROOT
    )
    os.close(writing)
    assert process.stderr == ""
    assert process.returncode in {1, 141}
