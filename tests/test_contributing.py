"""CONTRIBUTING is true: the package that it shows can be installed, and every dependency has its line."""

import os
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
TEXT = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")


def block(language):
    """The only code block of a language."""
    (found,) = re.findall(rf"```{language}\n(.*?)```", TEXT, flags=re.DOTALL)
    return found


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    """A folder with the package that CONTRIBUTING shows, installed by pip from its two files."""
    source, site = tmp_path_factory.mktemp("terse"), tmp_path_factory.mktemp("site")
    (source / "adaptbench_terse.py").write_text(block("python"), encoding="utf-8")
    (source / "pyproject.toml").write_text(block("toml"), encoding="utf-8")
    pip = [sys.executable, "-m", "pip", "install", "--quiet", "--no-index", "--no-deps", "--no-build-isolation"]
    done = subprocess.run([*pip, "--target", site, source], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return site


def python(site, code):
    there = {**os.environ, "PYTHONPATH": os.pathsep.join([str(site), str(ROOT)]), "COLUMNS": "120"}
    return subprocess.run([sys.executable, "-c", code], env=there, capture_output=True, text=True, check=True).stdout


def test_the_strategy_of_contributing_is_listed_with_its_parameter(site):
    listed = python(site, "import sys; sys.argv = ['harness', 'strategies']; from harness.cli import main; main()")
    assert re.search(r"^terse +Add a sentence to the instruction\. *$", listed, flags=re.MULTILINE)
    shown = python(
        site, "import sys; sys.argv = ['harness', 'strategies', 'terse']; from harness.cli import main; main()"
    )
    assert re.search(r"sentence +.*Answer in one word\.", shown)


def test_the_strategy_of_contributing_changes_what_is_asked_and_chains(site):
    code = (
        "from harness.plan import chain; from harness.plan.discover import find_step\n"
        "from harness.api import Context, Query, System, Task, TaskData\n"
        "first, second = chain.build('terse(sentence=\"Short.\")+zero_shot', find_step)\n"
        "task = Task('t', 'qa', 'Answer.')\n"
        "system = first.step.adapt(System(None, task), TaskData(task), Context())\n"
        "print(system.prompts([Query('1', 'Who?')])[0].task.instruction, '|', second.name)"
    )
    assert python(site, code).strip() == "Answer. Short. | zero_shot"


def test_every_dependency_says_what_it_is_for_and_no_other_is_named():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    extras = [name for group in project["optional-dependencies"].values() for name in group]
    named = {re.match(r"[\w-]+", text)[0] for text in (*project["dependencies"], *extras)} - {"adaptbench"}
    table = TEXT[TEXT.index("## Why each dependency") :]
    first_cells = " ".join(re.findall(r"^\| (.*?) \|", table, flags=re.MULTILINE)[2:])
    shown = set(re.findall(r"[a-z][\w-]*", re.sub(r"\*\w+:\*|\(.*?\)", "", first_cells)))
    assert shown == named


def test_every_dependency_is_pinned_to_a_version_that_the_project_allows():
    from packaging.requirements import Requirement

    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    extras = [name for group in project["optional-dependencies"].values() for name in group]
    lines = (ROOT / "constraints.txt").read_text(encoding="utf-8").splitlines()
    pins = dict(line.split("==") for line in lines if "==" in line)
    for text in (*project["dependencies"], *extras):
        wanted = Requirement(text)
        if wanted.name != "adaptbench":
            assert wanted.specifier.contains(pins[wanted.name]), text


def test_every_test_that_holds_a_promise_is_there():
    text = (ROOT / "docs" / "trust.md").read_text(encoding="utf-8")
    paths = re.findall(r"`(tests/[^`]*)`", text)
    assert len(paths) > 30
    assert [path for path in paths if not (ROOT / path).is_file()] == []
