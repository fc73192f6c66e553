"""A run killed at any moment loses nothing that was finished, and the next run does the rest."""

import contextlib
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest
from run_doubles import RUNNER, plan, record

from harness.execute.local_executor import execute
from harness.store.results_store import Store

ROOT = Path(__file__).parents[2]
COUNT, SLEEP_S = 12, 0.03
PATIENCE_S = 600.0
"""A test waits so long for what a busy machine does late."""


def parent(folder):
    """Start a run as a program of its own; it is killed with SIGKILL, so nothing of it can clean up."""
    return subprocess.Popen(
        [sys.executable, str(Path(__file__).with_name("run_doubles.py")), str(folder), str(COUNT), str(SLEEP_S)],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )


def finished(store):
    return {one.record.trial.key: (one.record, one.rows()) for one in store.load()}


def wait_until(condition, seconds=PATIENCE_S):
    until = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < until
        time.sleep(0.02)


def workers_that_live(folder):
    """Processes that began a trial in this folder, by the marks that they left."""
    alive = []
    for mark in folder.glob("*.*"):
        with contextlib.suppress(psutil.Error, ValueError):
            process = psutil.Process(int(mark.read_text()))
            if process.status() != psutil.STATUS_ZOMBIE and process.create_time() < mark.stat().st_mtime + 1:
                alive.append(process.pid)
    return alive


def kill_and_resume(folder, kills, seed):
    chance = random.Random(seed)
    store = Store(folder / "results")
    seen, killed = {}, 0
    for _ in range(kills):
        begun = len(list(folder.glob("*.*")))
        running = parent(folder)
        wait_until(lambda: len(list(folder.glob("*.*"))) > begun or running.poll() is not None)  # noqa: B023
        time.sleep(chance.uniform(0, 2 * SLEEP_S + 0.05))
        running.send_signal(signal.SIGKILL)
        killed += running.wait() == -signal.SIGKILL
        wait_until(lambda: not workers_that_live(folder), seconds=60)
        now = finished(store)
        assert store.problems == []
        assert seen.items() <= now.items()
        seen = now
        if len(seen) == COUNT:
            break
    assert parent(folder).wait(timeout=PATIENCE_S) == 0
    return store, seen, killed


def check(tmp_path, kills, seed):
    store, before_the_end, _ = kill_and_resume(tmp_path, kills, seed)
    names = [f"slow(k={index})" for index in range(COUNT)]
    assert {key: one for key, (one, _) in finished(store).items()} == {
        one.trial.key: record(one.trial) for one in plan(*names)
    }
    assert before_the_end.items() <= finished(store).items()
    assert not list(store.root.rglob(".tmp-*"))
    assert workers_that_live(tmp_path) == []


@pytest.mark.skipif(os.name != "posix", reason="SIGKILL")
def test_killed_runs_end_with_the_records_of_an_uninterrupted_one(tmp_path):
    check(tmp_path, kills=6, seed=1)


@pytest.mark.e2e
@pytest.mark.skipif(os.name != "posix", reason="SIGKILL")
def test_twenty_kills_end_with_the_records_of_an_uninterrupted_run(tmp_path):
    check(tmp_path, kills=20, seed=2)


def test_a_worker_ends_at_once_when_its_parent_is_killed(tmp_path):
    code = (
        "import sys; from pathlib import Path; from run_doubles import RUNNER, plan; "
        "from harness.execute.local_executor import execute; "
        "from harness.store.results_store import Store; root = Path(sys.argv[1]); "
        "execute(plan('forever'), Store(root / 'results'), cache=root, observe=lambda event: None, runner=RUNNER)"
    )
    paths = os.pathsep.join([str(ROOT), str(Path(__file__).parent)])
    running = subprocess.Popen([sys.executable, "-c", code, str(tmp_path)], env={**os.environ, "PYTHONPATH": paths})
    wait_until(lambda: (tmp_path / "started").exists() and (tmp_path / "started").read_text() != "")
    worker = psutil.Process(int((tmp_path / "started").read_text()))
    running.kill()
    running.wait()
    wait_until(lambda: not worker.is_running() or worker.status() == psutil.STATUS_ZOMBIE)  # its trial has no end
    assert Store(tmp_path / "results").load() == []


def test_a_killed_run_leaves_the_results_folder_free(tmp_path):
    store, *_ = kill_and_resume(tmp_path, kills=1, seed=3)
    names = [f"slow(k={index})" for index in range(COUNT)]
    outcome = execute(plan(*names), store, cache=tmp_path, observe=lambda event: None, runner=RUNNER)
    assert outcome.stored_before == COUNT
