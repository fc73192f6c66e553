"""A baseline and a candidate that run in turn, each in a process of its own, on a tiny real model."""

import json
import shutil
import sys

import pytest

from harness.cli.paired_repeats import require_same
from harness.compare.release.pairing import MeasuredSystem
from harness.compare.release.run_noise import read_noise
from harness.errors import HarnessError
from tests.compare.builders import HERE
from tests.compare.release_builders import measured

FLAGS = ("--task", "moods", "--strategy", "zero_shot", "--limit", "test=6", "--requests", "6")


@pytest.fixture
def released(tmp_path, tiny_suite, command, tiny_folders, monkeypatch):
    """Have a baseline v1 of a tiny model, in the default results folder; gives the suite's and the model's folder."""
    model = tmp_path / "tiny-model"
    shutil.copytree(tiny_folders("llama"), model)
    monkeypatch.setenv("HARNESS_CACHE", str(tmp_path / "cache"))
    code, out, error = command("run", tiny_suite, "--model", model, *FLAGS, "--check-items", 0, "--release", "v1")
    assert code == 0, out + error
    return tiny_suite, model


def repeat(command, suite, model, *flags):
    return command("repeat", suite, "--model", model, *FLAGS, "--against", "v1", "--times", "2", *flags)


def test_runs_in_turn_are_stored_and_the_gate_reads_them(released, command, tmp_path):
    suite, model = released
    command("run", suite, "--model", model, *FLAGS, "--results", "new")
    code, out, error = repeat(command, suite, model, "--results", "new", "--baseline-python", sys.executable)
    assert code == 0, error
    assert "rounds" in out
    (runs,) = read_noise(tmp_path / "new").pairs
    assert {len(rounds) for rounds in runs.figures.values()} == {2}
    assert not list((tmp_path / "new").glob(".repeats/pairs/*"))
    _, out, _ = command("gate", suite, "--baseline", "v1", "--results", "new", "--format", "json")
    checks = {check["figure"]: check for check in json.loads(out)["verdict"]["checks"]}
    assert (checks["latency"]["per"], checks["latency"]["n"]) == ("pair of runs", 2)


def test_a_baseline_that_cannot_be_run_again_as_it_was_measured_is_refused(released, command, tmp_path):
    """Its seconds would be those of another release."""
    suite, model = released
    code, _, error = repeat(command, suite, model, "--baseline-python", "/no/python")
    assert (code, "/no/python cannot be run" in error) == (2, True)
    other = shutil.copytree(model, tmp_path / "next-model")
    shutil.rmtree(model)
    code, _, error = repeat(command, suite, other)
    assert code == 2
    assert "the model of baseline 'v1' is gone" in error


def test_seconds_of_other_code_are_refused_with_what_differs():
    old = measured(environment=HERE.model_copy(update={"packages": {"torch": "2"}, "git_commit": "a" * 40}))
    now = measured(environment=HERE.model_copy(update={"packages": {"torch": "3"}, "git_commit": "b" * 40}))
    system = MeasuredSystem("mood", "zero_shot", "small", None, (old,))
    with pytest.raises(HarnessError, match=r"torch 2 → 3; commit aaaaaaaa → bbbbbbbb\).*--baseline-python"):
        require_same(now, system, "v1")
    require_same(old, system, "v1")
