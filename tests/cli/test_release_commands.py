"""Commands about releases: exit codes, files, refusals; and that the shell lines of the documentation work."""

import json
import os
import re
import subprocess
import sys
import xml.etree.ElementTree as ET
from pathlib import Path

import pytest
import yaml

from harness.compare.release.run_noise import write_noise
from tests.compare.release_builders import noise_of, share, store_of, trial_rows

ROOT = Path(__file__).parents[2]
LATER = "2026-02-01"


@pytest.fixture
def released(tmp_path, command):
    """Have a baseline v1 in the default results folder."""
    store_of(tmp_path / "results", trial_rows())
    code, out, _ = command("baseline", "set", "v1")
    assert code == 0
    assert "1 trial" in out
    return tmp_path


@pytest.mark.parametrize(
    ("changes", "code", "word"),
    [({}, 0, "PASS"), ({"right": share(0.4)}, 1, "FAIL"), ({"requests": 0}, 3, "INCONCLUSIVE")],
)
def test_a_gate_ends_with_what_it_found(released, command, changes, code, word):
    store_of(released / "new", trial_rows(at=LATER, **changes))
    write_noise(released / "new", noise_of("latency", 0.01))
    exit_code, out, _ = command(
        "gate", "quick", "--baseline", "v1", "--results", "new", "--junit", "out/g.xml", "--summary", "s.md"
    )
    assert exit_code == code
    assert word in out
    assert ET.parse(released / "out" / "g.xml").getroot().tag == "testsuites"  # noqa: S314 - our own text
    assert word in (released / "s.md").read_text()
    exit_code, out, _ = command("gate", "quick", "--baseline", "v1", "--results", "new", "--format", "json")
    assert (exit_code, json.loads(out)["exit_code"]) == (code, code)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["gate", "quick", "--baseline", "v9"], "unknown baseline 'v9'"),
        (["gate", "quack", "--baseline", "v1"], "is of quick, not of quack"),
        (["gate", "quick", "--baseline", "v1", "--max-slowdown", "fast"], "--max-slowdown 'fast' is no share"),
        (["gate", "quick", "--baseline", "v1", "--max-cost", "-3%"], "is no share"),
        (["gate", "quick", "--baseline", "v1", "--margin", "mood"], "is no TASK.METRIC=NUMBER"),
        (["gate", "quick", "--baseline", "v1", "--against", "x"], "name the candidate's too"),
        (["gate", "quick", "--baseline", "v1", "--results", "empty"], "no results of quick"),
        (["gate", "quick"], "--baseline"),
        (["baseline", "set", "v1"], "never changes"),
        (["baseline", "set", "v2", "--strategy", "lora"], "unknown strategy 'lora'"),
        (["baseline", "show", "v2"], "did you mean 'v1'"),
        (["baseline", "remove", "v1"], "no terminal to ask for confirmation"),
        (["explain", "v1", "nothing"], "is no suite"),
        (["history", "quick", "--metric", "acuracy"], "did you mean 'accuracy'"),
    ],
)
def test_misuse_ends_with_2_and_a_sentence(released, command, arguments, message):
    code, _, error = command(*arguments)
    assert code == 2
    assert message in error


@pytest.mark.parametrize(("policy", "code"), [("pass", 0), ("warn", 0), ("fail", 1)])
def test_an_inconclusive_gate_ends_as_it_is_told_to(released, command, policy, code):
    store_of(released / "new", trial_rows(at=LATER))
    gate = ("gate", "quick", "--baseline", "v1", "--results", "new", "--inconclusive", policy)
    exit_code, out, error = command(*gate)
    assert (exit_code, "INCONCLUSIVE" in out) == (code, True)
    assert "run 'harness repeat quick --against v1 --results new'" in " ".join(out.split())
    assert ("Warning: the gate of quick against v1 is inconclusive" in error) == (policy == "warn")


def test_what_ships_alone_is_gated(released, command):
    store_of(released / "results", trial_rows("know"))
    command("baseline", "set", "v2")
    store_of(released / "new", trial_rows(at=LATER), trial_rows("know", share(0.2), at=LATER))
    gate = ("gate", "quick", "--baseline", "v2", "--results", "new", "--max-slowdown", "off")
    assert command(*gate)[0] == 1
    code, out, _ = command(*gate, "--system", "mood.zero_shot")
    assert (code, "know" in out) == (0, False)
    assert "unknown system 'mood.lora'" in command(*gate, "--system", "mood.lora")[2]


def test_off_leaves_a_check_out(released, command):
    store_of(released / "new", trial_rows(at=LATER, requests=0))
    code, out, _ = command("gate", "quick", "--baseline", "v1", "--results", "new", "--max-slowdown", "off")
    assert code == 0
    assert "answering time" not in out


def test_a_baseline_can_be_named_by_its_folder(released, command):
    store_of(released / "new", trial_rows(at=LATER))
    write_noise(released / "new", noise_of("latency", 0.01))
    (released / "results" / "baselines" / "v1").rename(released / "moved")
    assert command("gate", "quick", "--baseline", "moved", "--results", "new")[0] == 0


def test_a_removed_baseline_is_gone(released, command):
    assert command("baseline", "remove", "v1", "--yes")[0] == 0
    assert "No baseline yet" in command("baseline", "list")[1]


def test_baselines_are_listed_and_shown(released, command):
    assert re.search(r"v1 +quick +2026-01-01T10:00", command("baseline", "list")[1])
    code, out, _ = command("baseline", "show", "v1")
    assert code == 0
    assert "mood" in out


def test_explain_takes_records_of_other_strategies(released, command):
    store_of(released / "results", trial_rows(strategy="rag(k=1)", steps=({"step": "rag", "k": 1},), key="c0ffee11"))
    code, out, _ = command("explain", "v1", "c0ffee11")
    assert code == 0
    assert "method: strategy" in out


def test_shell_lines_of_the_documentation_work(shell):
    lines = [line for block in blocks("docs/releases.md") for line in block.splitlines()]
    assert len(lines) >= 7
    for line in lines:
        process = shell(line)
        assert process.returncode == 0, (line, process.stdout, process.stderr)


def test_the_workflow_stops_what_is_worse_and_nothing_else(shell):
    workflow = yaml.safe_load((ROOT / "docs" / "github-actions.yml").read_text())
    steps = {step["name"]: step["run"] for step in workflow["jobs"]["gate"]["steps"] if "run" in step}
    assert (
        shell("harness run quickstart --results results && harness baseline set main --results results").returncode == 0
    )
    install, measure, gate, explain = steps.values()
    environment = workflow["jobs"]["gate"]["env"]
    assert install.startswith("pip install ")
    assert shell(measure, **environment).returncode == 0
    passed = shell(gate, **environment)
    assert passed.returncode == 0, passed.stdout + passed.stderr
    assert "PASS" in (shell.folder / "summary.md").read_text()
    assert "testsuites" in (shell.folder / "build" / "gate.xml").read_text()
    assert shell(f"rm -r build && {measure}", RIGHT="0.68", **environment).returncode == 0
    undecided = shell(gate, **environment)
    assert (undecided.returncode, "INCONCLUSIVE" in undecided.stdout) == (0, True)
    assert "is inconclusive" in undecided.stderr
    assert shell(f"rm -r build && {measure}", RIGHT="0.4", **environment).returncode == 0
    assert shell(gate, **environment).returncode == 1
    assert "Nothing that is recorded differs" in shell(explain).stdout


RUN = """
import os, sys
from pathlib import Path
from tests.compare.release_builders import trial_rows, share, store_of
results = Path(sys.argv[sys.argv.index("--results") + 1])
at = "2026-01-01" if results.name == "results" and results.parent.name != "build" else "2026-02-01"
made = []
for task, strategy in (("mood", "zero_shot"), ("mood", "lora"), ("know", "zero_shot")):
    record, rows = trial_rows(task, share(float(os.environ.get("RIGHT", "0.7"))), strategy=strategy, at=at)
    names = {"mood": "sentiment", "know": "knowledge"}
    info = record.tasks[0].model_copy(update={"name": names[task]})
    trial = record.trial.model_copy(update={"suite": "quickstart", "task": names[task]})
    record = record.model_copy(update={"trial": trial, "tasks": (info,)})
    made.append((record, [row.model_copy(update={"task": names[task]}) for row in rows]))
store_of(results, *made)
"""


@pytest.fixture
def shell(tmp_path):
    """Run a shell line with the real commands, but for `harness run`, which writes results without a model."""
    bin_folder = tmp_path / "bin"
    bin_folder.mkdir()
    (tmp_path / "run.py").write_text(RUN)
    real = f'exec "{sys.executable}" -c "from harness.cli import main; main()" "$@"'
    (bin_folder / "harness").write_text(
        f'#!/bin/sh\nif [ "$1" = run ]; then exec "{sys.executable}" "{tmp_path}/run.py" "$@"; fi\n{real}\n'
    )
    (bin_folder / "harness").chmod(0o755)
    work = tmp_path / "work"
    work.mkdir()

    def call(line, **variables):
        path = f"{bin_folder}{os.pathsep}{os.environ['PATH']}"
        environment = {
            "PATH": path,
            "PYTHONPATH": str(ROOT),
            "PYTHONHASHSEED": "0",
            "GITHUB_STEP_SUMMARY": "summary.md",
        }
        return subprocess.run(
            ["bash", "-euo", "pipefail", "-c", line],
            capture_output=True,
            text=True,
            check=False,
            cwd=work,
            env={**os.environ, **environment, **variables},
        )

    call.folder = work
    return call


def blocks(path):
    """Give the shell blocks of a page."""
    return re.findall(r"```sh\n(.*?)```", (ROOT / path).read_text(), flags=re.DOTALL)
