"""A run on a busy GPU is refused before its first trial, unless it is told to share; joules are no part of a key."""

import os
import sys

import pytest
from rich.console import Console

from harness.cli import commands
from harness.errors import HarnessError
from harness.execute.local_executor import RunCounts
from harness.measure import energy, gpu
from harness.plan.config import RunConfig, load_config
from harness.plan.planner import Plan, make_plan
from harness.records.measurements import Forecast
from harness.records.planned_trial import MeasurementOptions, PlannedTrial
from harness.records.record import Trial
from harness.store.results_store import Store
from tests.measure.nvml_double import Nvml

BUSY = Nvml(compute=[(os.getppid(), 900 << 20)])


@pytest.fixture
def run(monkeypatch, tmp_path):
    """Run a plan of one trial on a machine with a busy GPU; the trials go to `run.executed` and are not run."""
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    monkeypatch.setitem(sys.modules, "pynvml", BUSY)
    monkeypatch.setattr(gpu, "_torch_has_cuda", lambda: True)
    monkeypatch.setattr(commands, "_fetch", lambda reference, console, backend: None)

    def execute(trials, store, **_):
        call.executed += trials
        return RunCounts(completed=len(trials))

    def call(*, is_pending=True, energy=False, **options):
        planned = PlannedTrial(
            trial=Trial(suite="s", task="t", strategy="full", model="m"),
            suite_folder="s",
            model_reference="m",
            limits={},
            measurement=MeasurementOptions(energy=energy),
            forecast=Forecast(phases_s={}),
        )
        plan = Plan("s", 1, (), (planned,))
        run = commands.PlannedRun(plan, Store(tmp_path), [planned] if is_pending else [])
        return commands.run(run, Console(quiet=True), **options)

    call.executed = []
    monkeypatch.setattr(commands, "execute", execute)
    return call


def test_a_busy_gpu_is_refused_before_any_trial(run):
    with pytest.raises(HarnessError, match=r"the GPU is busy: others hold 900 MiB .* --share-gpu"):
        run()
    assert run.executed == []


def test_told_to_share_the_run_goes_on(run):
    assert run(share_gpu=True).failed == 0
    assert len(run.executed) == 1


def test_where_everything_is_finished_the_gpu_does_not_matter(run):
    assert run(is_pending=False).failed == 0


def test_joules_without_codecarbon_are_refused_before_any_trial(run, monkeypatch):
    monkeypatch.setattr(energy, "find_spec", lambda name: None)
    with pytest.raises(HarnessError, match="codecarbon"):
        run(energy=True, share_gpu=True)
    assert run.executed == []


def test_neither_is_part_of_a_trials_key(tiny_suite, tiny_folders):
    options = {"suite": str(tiny_suite), "models": (str(tiny_folders()),), "tasks": ("moods",), "strategies": ("lora",)}
    plain, measured = (
        make_plan(RunConfig(**options, **changes)).trials[0] for changes in ({}, {"energy": True, "share_gpu": True})
    )
    assert plain.trial == measured.trial
    assert (plain.measurement.energy, measured.measurement.energy) == (False, True)


def test_both_can_stand_in_a_file(tmp_path):
    file = tmp_path / "run.toml"
    file.write_text('suite = "quickstart"\nenergy = true\nshare_gpu = true\n')
    config = load_config({"energy": None, "share_gpu": None}, file)
    assert (config.measurement.energy, config.share_gpu) == (True, True)
