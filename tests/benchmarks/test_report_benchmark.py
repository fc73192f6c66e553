"""Seconds of a report of 2,000 stored trials, and of its bootstrap: pytest --benchmark-only.

Processor seconds, so that other processes don't count; on an idle machine they are the wall clock's.
The report is above its target of 3 s: 4.5 to 5.0 s on a slow day, where it was 10.4 before it read only the columns
that it needs. The remaining time has many parts: imports take a fifth of it, opening 2,000 files of rows a seventh,
resampling the macro-F1 of 800 trials and printing a ninth each; the rest is scoring, intervals and records.
"""

import json
import os
import resource
import subprocess
import sys
from pathlib import Path

import pytest
import side_by_side
from test_statistics_benchmark import classified

from harness.compare.stats.bootstrap import resample
from tests.many import write_many

REPORT_S, BOOTSTRAP_S = 3.0, 2.0
ONE_THREAD = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1")


@pytest.fixture(scope="module")
def many(tmp_path_factory):
    return write_many(tmp_path_factory.mktemp("many") / "results")


def report(root):
    """Print the report in a process of its own; return its processor seconds, imports included."""
    command = Path(sys.executable).with_name("harness")
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    call = [command, "report", "many", "--results", root]
    process = subprocess.run(call, check=True, capture_output=True, text=True, env=os.environ | ONE_THREAD)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    assert "sentiment" in process.stdout
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


@pytest.mark.xfail(reason="4.5 to 5.0 s on a slow day: 1.5 s too long (see above)")
def test_a_report_of_two_thousand_trials(benchmark, many):
    seconds = [benchmark.pedantic(report, (many,), rounds=1, iterations=1), report(many), report(many)]
    measured = {"trials": 2_000, "target_s": REPORT_S, "taken_s": [round(run_s, 2) for run_s in seconds]}
    side_by_side.write("report", measured, (), "test_report_benchmark.py")
    assert min(seconds) <= REPORT_S, json.dumps(measured)


def test_ten_thousand_paired_resamples_of_a_thousand_items_for_twenty_strategies(benchmark):
    samples = [classified(seed) for seed in range(20)]
    benchmark.pedantic(resample, args=(samples,), rounds=5, iterations=1)
    assert benchmark.stats.stats.min <= BOOTSTRAP_S
