"""Cost of measuring is bounded where a trial runs: a span beside the loaded libraries, progress sent to the parent."""

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
"""Seconds of a short trial, the share of them that measuring may take, and the phases of a trial with all checks."""

MEASURE = """
import gc, json, harness.execute.preload
from time import perf_counter
from harness.measure.meter import Meter
meter, seconds = Meter(), []
for _ in range(9):
    start = perf_counter()
    with meter.span("predict"):
        pass
    seconds.append(perf_counter() - start)
print(json.dumps({"frozen": gc.get_freeze_count(), "seconds": seconds}))
"""


@pytest.mark.skipif(os.name != "posix", reason="libraries are loaded once where processes fork")
def test_a_span_costs_milliseconds_beside_all_that_the_libraries_hold():
    process = subprocess.run(
        [sys.executable, "-c", MEASURE], cwd=Path(__file__).parents[2], capture_output=True, text=True, check=True
    )
    measured = json.loads(process.stdout.splitlines()[-1])
    assert measured["frozen"] > 100_000
    assert SPANS * min(measured["seconds"]) <= SHARE * TRIAL_S


def test_sending_progress_costs_little_however_often_it_is_sent():
    receiver, sender = Pipe()

    def drain():
        while receiver.recv():
            pass

    reader = threading.Thread(target=drain)
    reader.start()
    emit, events = ProgressSender(sender), 20_000
    start = perf_counter()
    for index in range(events):
        emit({"phase": "adapt", "step": "lora", "done": index, "total": events})
    seconds = perf_counter() - start
    sender.send(None)
    reader.join()
    assert seconds <= SHARE * TRIAL_S
