"""What measuring costs is bounded where a trial runs: after the libraries are there, and on the way to the parent."""

import json
import os
import subprocess
import sys
import threading
from multiprocessing import Pipe
from pathlib import Path
from time import perf_counter

import pytest

from harness.execute.worker import ProgressSender

TRIAL_S, SHARE, SPANS = 15.0, 0.01, 8
"""A short trial, the share of it that measuring may take, and the phases that one has with all its checks."""

MEASURE = """
import gc, json, harness.execute.preload
from time import perf_counter
from harness.measure.meter import Meter
meter, took = Meter(), []
for _ in range(9):
    began = perf_counter()
    with meter.span("predict"):
        pass
    took.append(perf_counter() - began)
print(json.dumps({"frozen": gc.get_freeze_count(), "took": took}))
"""


@pytest.mark.skipif(os.name != "posix", reason="libraries are loaded once where processes fork")
def test_a_span_costs_milliseconds_beside_all_that_the_libraries_hold():
    done = subprocess.run(
        [sys.executable, "-c", MEASURE], cwd=Path(__file__).parents[2], capture_output=True, text=True, check=True
    )
    found = json.loads(done.stdout.splitlines()[-1])
    assert found["frozen"] > 100_000
    assert SPANS * min(found["took"]) <= SHARE * TRIAL_S


def test_telling_the_progress_costs_little_however_often_it_is_told():
    ours, theirs = Pipe()

    def drain():
        while ours.recv():
            pass

    reader = threading.Thread(target=drain)
    reader.start()
    emit, told = ProgressSender(theirs), 20_000
    began = perf_counter()
    for done in range(told):
        emit({"phase": "adapt", "step": "lora", "done": done, "total": told})
    took = perf_counter() - began
    theirs.send(None)
    reader.join()
    assert took <= SHARE * TRIAL_S
