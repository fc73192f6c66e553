"""What the commands print: help by task, the end of a run, forms for machines, lines as wide as the screen."""

import json
import re
import webbrowser
from pathlib import Path

import pytest
from pydantic import BaseModel

from harness.cli.application import PANELS
from harness.execute import local_executor
from harness.render.plan import listing_json, plan_json
from tests.plan.test_planner import model, suite

__all__ = ["model", "suite"]  # fixtures

ROOT = Path(__file__).parents[2]


@pytest.fixture
def doubles(monkeypatch):
    """Let trials be run by stand-ins instead of models."""
    monkeypatch.syspath_prepend(str(ROOT / "tests" / "execute"))
    import run_doubles

    monkeypatch.setattr(local_executor, "Runner", lambda: run_doubles.RUNNER)


@pytest.fixture
def paths(suite, model):
    """Folders of the suite and the model."""
    return suite, model


@pytest.fixture
def stored(command, suite, model, doubles):
    """Run one trial of the suite; gives (exit code, stdout, stderr)."""
    return command("run", suite, "--model", model, "--task", "sentiment", "--strategy", "zero_shot")


def test_help_lists_the_commands_by_task_in_whole_sentences(command):
    code, out, _ = command("-h")
    assert code == 0
    headings = [line.rstrip(":") for line in out.splitlines() if line.endswith(":") and not line.startswith(" ")]
    assert headings == ["Options", *PANELS]
    assert "..." not in out.partition("Measure:")[2]


@pytest.mark.parametrize("arguments", [("plan", "-h"), ("baseline", "-h"), ("baseline", "set", "-h")])
def test_every_command_has_short_help_and_verbosity(command, arguments):
    code, out, _ = command(*arguments)
    assert code == 0
    assert "-h, --help" in out
    assert ("-q, --quiet" in out and "-v, --verbose" in out) == (arguments != ("baseline", "-h"))


def test_commands_and_flags_ignore_case(command):
    code, out, _ = command("Strategies", "--Format", "JSON")
    assert code == 0
    assert "lora" in [strategy["name"] for strategy in json.loads(out)["strategies"]]


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_a_shell_gets_its_completion(command, shell):
    code, out, _ = command("completion", shell)
    assert (code, "_HARNESS_COMPLETE" in out) == (0, True)


def test_a_shell_is_told_suites_and_strategies(command, monkeypatch):
    monkeypatch.setenv("_HARNESS_COMPLETE", "complete_bash")
    for words, expected in (("harness plan quick", "quickstart"), ("harness plan --strategy maj", "majority")):
        monkeypatch.setenv("COMP_WORDS", words)
        monkeypatch.setenv("COMP_CWORD", str(len(words.split()) - 1))
        assert expected in command()[1].split()


def test_a_run_ends_with_the_verdict_and_the_next_command(stored):
    code, out, _ = stored
    assert code == 0
    *_, heading, verdict, following = out.splitlines()
    assert (heading, following) == ("Verdict on mine", "  Next: harness report mine --open")
    assert verdict.strip()


def test_quiet_is_the_verdict_alone_and_verbose_explains(command, stored):
    quiet = command("report", "mine", "-q")[1].splitlines()
    assert quiet[0] == "Verdict on mine"
    assert len(quiet) <= 4
    assert "95 % interval for new items" in command("report", "mine", "-v")[1]
    assert "95 % interval for new items" in command("report", "mine", "--legend")[1]


def test_an_error_has_a_traceback_on_request(command):
    assert "Traceback" not in command("report", "nowhere")[2]
    assert "Traceback" in command("report", "nowhere", "-v")[2]


def test_without_a_suite_those_that_have_results_are_listed(command, stored):
    code, out, _ = command("report")
    assert code == 0
    assert re.search(r"mine +sentiment +1 +\d{4}-\d\d-\d\d +0\.90 +token F1 +zero_shot", out)
    assert "Next: harness report mine" in out
    assert "harness run SUITE" in command("report", "--results", "empty")[1]


def test_the_page_is_opened(command, stored, monkeypatch):
    opened = []
    monkeypatch.setattr(webbrowser, "open", lambda address: opened.append(address) or True)
    assert command("report", "mine", "--open")[0] == 0
    assert Path(opened[0].removeprefix("file://")).read_text().lower().startswith("<!doctype html>")


def test_columns_are_chosen_or_the_nearest_is_named(command, stored):
    code, out, _ = command("report", "mine", "--columns", "Total_S")
    assert (code, "Hidden columns: " in out) == (0, True)
    code, _, error = command("report", "mine", "--columns", "totl s")
    assert (code, "did you mean 'total s'" in error) == (2, True)


def test_a_run_for_machines_is_one_document(command, suite, model, doubles):
    arguments = ["--model", model, "--task", "sentiment", "--strategy", "zero_shot", "--format", "json"]
    _, out, err = command("run", suite, *arguments)
    report = json.loads(out)
    assert report["run"] == {"completed": 1, "failed": 0, "skipped": 0, "stored_before": 0, "postponed": 0}
    assert [trial["strategy"] for trial in report["trials"]] == ["zero_shot"]
    assert "completed in" in err
    plan = json.loads(command("plan", suite, *arguments)[1])
    assert [trial["status"] for trial in plan["trials"]] == ["finished"]
    assert plan["tasks"][0]["items"]["test"] == 30


def test_memory_needs_are_a_document(command):
    need = json.loads(command("fits", "llama-3.1-8b", "--gpu", "rtx4090", "--format", "json")[1])
    assert need["total_bytes"] == pytest.approx(sum(need["parts_bytes"].values()))
    assert [gpu["name"] for gpu in need["gpus"]] == ["rtx4090"]


def test_suites_are_a_document(command):
    listed = json.loads(command("suites", "--format", "json")[1])
    assert "quickstart" in [suite["name"] for suite in listed["suites"]]


def keys(document: type[BaseModel]) -> set[str]:
    """Every key of a document, those of its parts included."""
    schema = document.model_json_schema()
    parts = [schema, *schema.get("$defs", {}).values()]
    return {key for part in parts if part.get("title") != "Pilot" for key in part.get("properties", {})}


@pytest.mark.parametrize(
    ("title", "document"),
    [
        ("plan", plan_json.PlanDocument),
        ("strategies", listing_json.StrategiesDocument),
        ("suites", listing_json.SuitesDocument),
        ("fits", listing_json.FitsDocument),
    ],
)
def test_every_key_is_explained(title, document):
    text = (ROOT / "docs" / "json.md").read_text(encoding="utf-8")
    section = text.partition(f"\n## {title}\n")[2].partition("\n## ")[0]
    named = {name.rpartition(".")[2].removesuffix("[]") for name in re.findall(r"`([^`]+)`", section)}
    assert keys(document) <= named


@pytest.mark.parametrize(
    "arguments",
    [
        ("report", "mine"),
        ("report", "mine", "-v"),
        ("report",),
        ("plan", "SUITE", "--model", "MODEL", "--detect", "0.1"),
        ("suites",),
        ("strategies",),
        ("strategies", "lora", "rag"),
        ("fits", "llama-3.1-8b"),
        ("fetch", "--list"),
        ("baseline", "show", "v1"),
        ("baseline", "list"),
        ("history", "mine"),
        ("explain", "v1", "mine"),
        ("-h",),
        ("run", "-h"),
    ],
    ids=" ".join,
)
def test_no_line_is_wider_than_80_columns_or_ends_in_blanks(command, paths, stored, monkeypatch, arguments):
    command("baseline", "set", "v1")
    monkeypatch.setenv("COLUMNS", "80")
    named = dict(zip(("SUITE", "MODEL"), paths, strict=True))
    _, out, _ = command(*[named.get(argument, argument) for argument in arguments])
    unbroken = ("Written:", "  Run", "harness ")
    lines = [line for line in out.splitlines() if not line.lstrip().startswith(unbroken)]
    assert lines
    assert not [line for line in lines if len(line) > 80 or line != line.rstrip()]
