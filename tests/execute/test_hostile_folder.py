"""Files of the working folder are data: none of them runs, whatever it is called."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from harness.measure.child_process import run_python
from harness.measure.environment import current_environment

ROOT = Path(__file__).parents[2]
MODULES = ("random", "json", "pip", "torch", "numpy", "psutil", "harness", "sitecustomize", "usercustomize")


@pytest.fixture
def hostile(tmp_path, monkeypatch):
    """A working folder whose modules and git settings leave a mark when they run."""
    folder = tmp_path / "work"
    folder.mkdir()
    mark = tmp_path / "mark"
    for name in MODULES:
        (folder / f"{name}.py").write_text(f"open({str(mark)!r}, 'a').write({name!r} + chr(10))\n")
    identity = ("-c", "user.name=a", "-c", "user.email=a@b")
    for command in (("init", "-q"), ("add", "."), ("commit", "-qm", "a")):
        subprocess.run(["git", *identity, *command], cwd=folder, check=True, capture_output=True)
    script = folder / "monitor.sh"
    script.write_text(f"#!/bin/sh\necho git >> {mark}\n")
    script.chmod(0o755)
    (folder / ".gitattributes").write_text("* filter=hostile diff=hostile\n")
    for key in ("core.fsmonitor", "filter.hostile.clean", "diff.hostile.command", "core.sshCommand", "core.pager"):
        subprocess.run(["git", "config", key, str(script)], cwd=folder, check=True)
    for hook in ("post-index-change", "post-checkout", "reference-transaction"):
        target = folder / ".git" / "hooks" / hook
        target.write_bytes(script.read_bytes())
        target.chmod(0o755)
    monkeypatch.chdir(folder)
    return mark


def test_the_stand_ins_would_leave_a_mark(hostile):
    subprocess.run([sys.executable, "-m", "pip", "--version"], check=False, capture_output=True)
    subprocess.run(["git", "status"], check=True, capture_output=True)
    assert {"pip", "git"} <= set(hostile.read_text().split())


def test_child_processes_of_python_import_nothing_from_it(hostile):
    process = run_python("pip", ["--version"])
    assert process.stdout.startswith("pip ")
    assert not hostile.exists()


def test_trials_import_nothing_from_it(hostile, tmp_path):
    script = ROOT / "tests" / "execute" / "run_doubles.py"
    paths = [str(ROOT), *os.environ.get("PYTHONPATH", "").split(os.pathsep)]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, paths))}
    subprocess.run([sys.executable, str(script), str(tmp_path), "1", "0.01"], check=True, env=environment)
    assert len(list((tmp_path / "results").rglob("examples.parquet"))) == 1
    assert not hostile.exists()


def test_the_commit_is_read_without_its_monitors_filters_and_hooks(hostile):
    (Path.cwd() / "random.py").write_text("changed")
    assert current_environment().git_commit.endswith("-dirty")
    assert not hostile.exists()
