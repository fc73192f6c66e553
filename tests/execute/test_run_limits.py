"""Limits: a trial that takes too much costs one row with its phase; a run that dies is explained by the next."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest
from run_doubles import RUNNER, plan

from harness.execute import trial_watch
from harness.execute.events import Interrupted
from harness.execute.local_executor import RunCounts, execute
from harness.records.measurements import Forecast
from harness.records.run_limits import NO_LIMITS, RunLimits
from harness.store.results_store import Store

DOUBLES = Path(__file__).with_name("run_doubles.py")


@pytest.fixture
def store(tmp_path):
    return Store(tmp_path / "results")


def run(planned, store, observe=lambda event: None, limits=NO_LIMITS, **options):
    return execute(planned, store, cache=store.root.parent, observe=observe, runner=RUNNER, limits=limits, **options)


def failure(store):
    (record,) = [stored.record for stored in store.load() if stored.record.status == "failed"]
    return record


@pytest.mark.parametrize(
    ("strategy", "limits", "reason"),
    [
        ("silent", {"max_trial_seconds": 3}, "stopped in phase adapt after --max-trial-seconds 3 (peak so far"),
        ("silent", {"stall_minutes": 0.05}, "stopped: no progress for 3 s in phase adapt"),
        ("heavy", {"max_trial_memory_gb": 0.3}, "of memory in phase adapt, more than --max-trial-memory 0.3"),
        ("heavy_child", {"max_trial_memory_gb": 0.3}, "of memory in phase adapt, more than --max-trial-memory 0.3"),
    ],
)
def test_a_trial_that_takes_too_much_is_one_failed_row_with_its_phase(store, strategy, limits, reason):
    first, second = plan("one", strategy)
    run([first], store)  # starts the fork server, whose time counts too
    assert run([second], store, limits=RunLimits(**limits)) == RunCounts(failed=1)
    record = failure(store)
    assert reason in record.reason
    assert record.phase == "adapt"
    assert record.run_limits == RunLimits(**limits)


def test_limits_are_in_the_record_of_a_finished_trial_and_defaults_are_not(store):
    run(plan("one"), store)
    run(plan("one", "two"), store, limits=RunLimits(max_trial_seconds=60))
    limits = {stored.record.trial.strategy: stored.record.run_limits for stored in store.load()}
    assert limits == {"one": None, "two": RunLimits(max_trial_seconds=60)}


def test_children_of_a_trial_end_with_it(store):
    run(plan("parent"), store, limits=RunLimits(max_trial_seconds=3))
    child = int((store.root.parent / "child").read_text())
    assert not psutil.pid_exists(child) or psutil.Process(child).status() == psutil.STATUS_ZOMBIE


def test_a_malformed_progress_event_costs_one_row(store):
    assert run(plan("malformed", "after"), store) == RunCounts(completed=1, failed=1)
    assert "malformed progress event" in failure(store).reason


def test_a_log_is_cut_and_its_end_is_kept(store, monkeypatch):
    monkeypatch.setattr(trial_watch, "MAX_LOG_BYTES", 2**20)
    run(plan("talkative"), store)
    assert failure(store).details.endswith("the last words")


def test_trials_that_are_not_reached_in_time_are_left_for_the_next_run(store):
    planned = plan("one", "silent", "two")
    assert run(planned, store, limits=RunLimits(max_minutes=0.03)) == RunCounts(completed=1, postponed=2)
    assert [stored.record.trial.strategy for stored in store.load()] == ["one"]
    assert run([planned[0], planned[2]], store) == RunCounts(completed=1, stored_before=1)


def test_in_a_run_with_little_time_first_seeds_and_quick_trials_come_first(store):
    def timed(trial, seconds, **changes):
        forecast = Forecast(phases_s={"predict": seconds}, host_peak_bytes=1)
        return trial.model_copy(update={"forecast": forecast, "trial": trial.trial.model_copy(update=changes)})

    slow, second_seed, quick, smaller, too_long = plan("one", "two", "three", "four", "five")
    planned = [
        timed(slow, 2),
        timed(second_seed, 1, seed=1),
        timed(quick, 1),
        timed(smaller, 1, train_items=8),
        timed(too_long, 9_999),
    ]
    started = []
    counts = run(
        planned,
        store,
        lambda event: started.append(event.planned.trial.strategy) if type(event).__name__ == "Started" else None,
        limits=RunLimits(max_minutes=60),
    )
    assert started == ["three", "one", "two", "four"]
    assert counts == RunCounts(completed=4, postponed=1)


def test_a_trial_that_was_running_when_the_run_died_is_named_and_can_be_left_out(store):
    root = store.root.parent
    process = subprocess.Popen([sys.executable, str(DOUBLES), str(root), "2", "60"], env=environment())
    deadline = time.monotonic() + 60
    while not list(root.glob("0000*")) and time.monotonic() < deadline:
        time.sleep(0.05)
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    folder = Path(json.loads((store.root / ".running.json").read_text())["folder"])
    assert folder.exists()
    events = []
    time.sleep(1)  # the worker notices that its parent is gone
    planned = plan("slow(k=0)", "one")
    assert run(planned, store, events.append, skip_interrupted=True) == RunCounts(completed=1, failed=1)
    (event,) = [event for event in events if isinstance(event, Interrupted)]
    assert (event.running.trial.strategy, event.running.phase, event.skipped) == ("slow(k=0)", "adapt", True)
    assert "was running when an earlier run died" in failure(store).reason
    assert not folder.exists()
    assert not (store.root / ".running.json").exists()


def environment():
    root = DOUBLES.parents[2]
    return {**os.environ, "PYTHONPATH": os.pathsep.join([str(root), str(DOUBLES.parent)])}
