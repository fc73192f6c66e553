"""Stand-ins for a trial, chosen by the name of its strategy: small, deterministic, and real in how they end.

Run as a program, it is the parent of a run: ``python run_doubles.py RESULTS COUNT SLEEP_S``.
"""

import faulthandler
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

from harness.api import ModelInfo
from harness.errors import HarnessError
from harness.execute.local_executor import Runner, execute
from harness.records.measurements import Span
from harness.records.planned_trial import PlannedTrial
from harness.records.record import Completed, Environment, Row, TaskInfo, Trial
from harness.store.results_store import Store

RUNNER = Runner(function="run_doubles:run_trial", preload=("harness.execute.worker",), preload_retrieval=())


def plan(*strategies, skip=None, threads=None):
    return [
        PlannedTrial(
            trial=Trial(suite="s", task="t", strategy=name, model="m", key=f"{index:08x}".ljust(64, "0")),
            suite_folder="s",
            model_reference="m",
            limits={},
            skip=skip,
            threads=threads,
        )
        for index, name in enumerate(strategies)
    ]


def run_trial(planned, *, cache, emit):
    name = planned.trial.strategy.partition("(")[0]
    emit({"phase": "adapt", "step": name, "done": 1, "total": 4})
    if name == "error":
        raise HarnessError("the prompt does not fit: shorten it.")
    if name == "bug":
        raise KeyError("lost")
    if name == "memory":
        raise MemoryError
    if name == "segfault":
        faulthandler._sigsegv()
    if name == "killed":
        time.sleep(0.6)
        os.kill(os.getpid(), signal.SIGKILL)
    if name == "exits":
        os.write(1, b"a library's last words")
        os._exit(3)
    _take_too_much(name, Path(cache), emit)
    _leave_a_note(name, Path(cache), planned.trial.key)
    for done in range(1000):
        emit({"phase": "predict", "done": done, "total": 1000})
    return record(planned.trial).model_copy(update={"forecast": planned.forecast}), [
        Row(task=planned.trial.task, id=str(i), references=("a",), answer="a" * i) for i in range(3)
    ]


def measure(folder, imported):
    """Stand-in for a calibration: tells how its process came to be."""
    return {"folder": folder, "forked": "harness.execute.preload" in sys.modules, "imported": len(imported)}


def _take_too_much(name, cache, emit):
    """Do what a limit is there for, then wait to be stopped."""
    if name == "malformed":
        emit({"phase": "predict", "step": None, "done": "half of them"})
    elif name == "parent":
        child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
        (cache / "child").write_text(str(child.pid))
    elif name == "heavy_child":
        subprocess.Popen([sys.executable, "-c", "import time; block = bytes(1) * 400 * 2**20; time.sleep(600)"])
    elif name == "heavy":
        block = bytes(1) * 400 * 2**20
        time.sleep(len(block))
    elif name == "talkative":
        for _ in range(40):
            os.write(1, b"a warning\n" * 100_000)
        os.write(1, b"the last words\n")
        time.sleep(1)
        os._exit(3)
    if name in ("parent", "heavy_child", "silent", "malformed"):
        time.sleep(600)


def _leave_a_note(name, cache, key):
    if name == "forever":
        (cache / "started").write_text(str(os.getpid()))
        time.sleep(600)
    if name == "slow":
        (cache / f"{key}.{time.time_ns()}").write_text(str(os.getpid()))
        time.sleep(float(os.environ["SLEEP_S"]))
    if name == "settings":
        (cache / "codes_kept").write_text(os.environ.get("ONEDNN_PRIMITIVE_CACHE_CAPACITY", ""))


def record(trial):
    return Completed(
        trial=trial,
        started_at="2026-01-01T00:00:00+00:00",
        suite_version=1,
        suite_hash="h",
        model=ModelInfo(name="m"),
        tasks=(TaskInfo(name=trial.task, kind="qa", metrics=("token_f1",), data_hash="d", sizes={"test": 3}),),
        spans=(Span(phase="predict", wall_s=1.0),),
        scores={f"{trial.task}/token_f1": len(trial.strategy) / 10},
        environment=Environment(
            python="3", packages={}, platform="p", processor="c", cores=1, threads=1, memory_bytes=1
        ),
    )


if __name__ == "__main__":
    root, count, os.environ["SLEEP_S"] = Path(sys.argv[1]), int(sys.argv[2]), sys.argv[3]
    names = [f"slow(k={index})" for index in range(count)]
    execute(plan(*names), Store(root / "results"), cache=root, observe=lambda event: None, runner=RUNNER)
