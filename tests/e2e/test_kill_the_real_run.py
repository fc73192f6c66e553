"""The real command, killed at random moments or robbed of a worker, loses nothing that was finished."""

import contextlib
import os
import random
import signal
import time

import psutil
import pytest

pytestmark = [pytest.mark.e2e, pytest.mark.skipif(os.name != "posix", reason="SIGKILL")]

RUN = (
    *("run", "quickstart", "--task", "sentiment", "--strategy", "zero_shot", "--strategy", "few_shot(k=2)"),
    *("--limit", "test=12", "--limit", "train=16", "--limit", "validation=4"),
)


@pytest.fixture(scope="module")
def expected(harness):
    """What an uninterrupted run leaves."""
    harness(*RUN)
    return scores(harness)


def scores(harness):
    return {(trial["strategy"], trial["seed"], trial["status"]): trial["scores"] for trial in harness.report()}


def records(harness):
    return {path: path.read_bytes() for path in (harness.folder / "results").rglob("record.json")}


def test_three_kills_and_a_resumption_give_what_one_run_gives(expected, another):
    harness, chance, finished = another(), random.Random(11), {}
    for _ in range(3):
        running = harness.start(*RUN)
        with contextlib.suppress(Exception):
            running.wait(timeout=chance.uniform(2, 12))
        running.send_signal(signal.SIGKILL)
        running.wait()
        assert finished.items() <= records(harness).items()
        finished = records(harness)
    harness(*RUN)
    assert scores(harness) == expected
    assert finished.items() <= records(harness).items()
    assert not list(harness.folder.rglob(".tmp-*"))


def test_a_worker_killed_for_memory_is_one_failed_row_and_the_rest_goes_on(expected, another):
    harness = another()
    running = harness.start(*RUN)
    worker(running.pid).kill()
    assert running.wait(timeout=120) == 1
    assert "Traceback" not in (harness.folder / "output.txt").read_text()
    trials = {trial["strategy"]: trial for trial in harness.report()}
    assert [trial["status"] for trial in trials.values()].count("failed") == 1
    (failed,) = (trial for trial in trials.values() if trial["status"] == "failed")
    assert "out of memory" in failed["reason"]
    assert "GiB" in failed["reason"]
    assert (failed["scores"], failed["spans"]) == ({}, {})
    harness(*RUN)
    assert scores(harness) == expected


def worker(parent, seconds=60):
    """Wait for the process of a trial: one that a child of the command has made, and that has begun its work."""
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        with contextlib.suppress(psutil.Error):
            for child in psutil.Process(parent).children():
                for process in child.children():
                    if time.time() - process.create_time() > 0.5:
                        return process
        time.sleep(0.02)
    raise AssertionError("no worker was seen")
