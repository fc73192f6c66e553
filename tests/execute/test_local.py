"""A trial in its own process: whatever happens to it, the run goes on and says why."""

import multiprocessing
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import psutil
import pytest
from run_doubles import RUNNER, plan

from harness.errors import HarnessError
from harness.execute import local_executor
from harness.execute.events import Finished, Progress, Started
from harness.execute.local_executor import RunCounts, execute
from harness.execute.worker import ProgressSender
from harness.measure.allocator import PRIMITIVE_CACHE_CAPACITY
from harness.store.results_store import Store

ROOT = Path(__file__).parents[2]


@pytest.fixture
def store(tmp_path):
    return Store(tmp_path / "results")


def run(planned, store, observe=lambda event: None):
    return execute(planned, store, cache=store.root.parent, observe=observe, runner=RUNNER)


def test_every_trial_is_stored_by_its_own_process(store):
    assert run(plan("one", "two"), store) == RunCounts(completed=2)
    read = store.load()
    assert [one.record.trial.strategy for one in read] == ["one", "two"]
    assert [len(one.rows()) for one in read] == [3, 3]


def test_what_is_finished_is_kept_and_what_failed_is_tried_again(store):
    assert run(plan("one", "bug"), store) == RunCounts(completed=1, failed=1)
    assert run(plan("one", "bug"), store) == RunCounts(failed=1, stored_before=1)
    assert {one.record.trial.strategy: one.record.status for one in store.load()} == {
        "one": "completed",
        "bug": "failed",
    }


def test_a_trial_runs_with_the_settings_of_memory_and_its_parent_does_not(store, monkeypatch):
    monkeypatch.delenv("ONEDNN_PRIMITIVE_CACHE_CAPACITY", raising=False)
    run(plan("settings"), store)
    assert int((store.root.parent / "codes_kept").read_text()) == PRIMITIVE_CACHE_CAPACITY
    assert "ONEDNN_PRIMITIVE_CACHE_CAPACITY" not in os.environ


def test_a_skipped_trial_is_stored_with_its_reason_and_no_process_is_started(store):
    assert run(plan("one", skip="one needs a corpus"), store) == RunCounts(skipped=1)
    assert store.load()[0].record.reason == "one needs a corpus"


@pytest.mark.parametrize(
    ("strategy", "reason", "details"),
    [
        ("error", "the prompt does not fit: shorten it.", ""),
        ("bug", "a bug: KeyError: 'lost'", "Traceback"),
        ("memory", "out of memory: try a smaller model or batch_size", "MemoryError"),
        ("segfault", "its process crashed (SIGSEGV)", "Segmentation fault"),
        ("exits", "its process ended with exit code 3", "a library's last words"),
        ("killed", "killed (SIGKILL), most likely out of memory: peak so far 0.", ""),
    ],
)
def test_a_failure_costs_one_row_and_says_why(store, strategy, reason, details):
    assert run(plan(strategy, "after"), store) == RunCounts(completed=1, failed=1)
    (failed,) = [one.record for one in store.load() if one.record.status == "failed"]
    assert reason in failed.reason
    assert "\n" not in failed.reason
    assert details in failed.details
    assert failed.phase == "adapt"


def test_what_happens_is_told_in_order(store):
    events = []
    run(plan("one"), store, events.append)
    kinds = [type(event) for event in events]
    assert kinds[0] is Started
    assert kinds[-1] is Finished
    assert set(kinds[1:-1]) == {Progress}
    assert (events[1].phase, events[1].step, events[1].done, events[1].total) == ("adapt", "one", 1, 4)
    assert events[-1].record.status == "completed"
    assert events[-1].wall_s > 0


def test_progress_is_not_sent_more_often_than_a_reader_can_follow():
    class Pipe:
        def __init__(self):
            self.sent = []

        def send(self, event):
            self.sent.append(event)

    pipe = Pipe()
    emit = ProgressSender(pipe)
    for done in range(10_000):
        emit({"phase": "predict", "done": done, "total": 10_000})
    emit({"phase": "score"})
    assert pipe.sent[0] == {"phase": "predict", "done": 0, "total": 10_000}
    assert pipe.sent[-1] == {"phase": "score"}
    assert len(pipe.sent) < 20


def test_what_a_trial_prints_does_not_reach_the_terminal(store, capfd):
    run(plan("exits"), store)
    assert capfd.readouterr().out == ""


def test_where_there_is_no_fork_server_processes_start_anew(store, monkeypatch):
    monkeypatch.setattr(local_executor, "_context", lambda runner, *, retrieval: multiprocessing.get_context("spawn"))
    assert run(plan("one", "segfault"), store) == RunCounts(completed=1, failed=1)


def test_a_second_run_is_refused(store):
    with store.lock(), pytest.raises(HarnessError, match="another run"):
        run(plan("one"), Store(store.root))


def test_ctrl_c_stops_the_trial_and_keeps_what_is_finished(store):
    def interrupt():
        started = store.root.parent / "started"
        while not started.exists() or not started.read_text():
            time.sleep(0.02)
        os.kill(os.getpid(), signal.SIGINT)

    threading.Thread(target=interrupt, daemon=True).start()
    with pytest.raises(KeyboardInterrupt):
        run(plan("one", "forever", "two"), store)
    assert [one.record.trial.strategy for one in store.load()] == ["one"]
    assert store.problems == []
    assert not psutil.pid_exists(int((store.root.parent / "started").read_text()))
    with store.lock():
        pass


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="the fork server is used on Linux")
@pytest.mark.e2e
def test_the_fork_server_has_one_thread_and_no_cuda():
    code = (
        "import harness.execute.preload, harness.execute.preload_retrieval, os, threading, torch\n"
        "print(len(os.listdir('/proc/self/task')), threading.active_count(), torch.cuda.is_initialized())"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False, cwd=ROOT)
    assert done.stdout.split() == ["1", "1", "False"], done.stderr
