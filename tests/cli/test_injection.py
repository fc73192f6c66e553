"""Foreign text in every output: names, labels, answers, reasons and prompts steer nothing and are no markup."""

import csv
import json
import re
import sys
from xml.etree import ElementTree as ET

import pytest

from harness.cli import _main
from harness.records.record import Failed
from harness.store.baselines import set_baseline
from harness.store.results_store import Store
from tests.compare.builders import HERE
from tests.compare.release_builders import record, rows, share, trial
from tests.render.pages import Scan

PAYLOADS = (
    "\x1b]0;owned\x07\x1b[2J\x9b31m",
    "a\r\n::set-env name=PATH::/tmp",
    "##[error]stop",
    "##vso[task.setvariable variable=x]y",
    "##teamcity[buildStatus status='FAILURE']",
    "\u202etxt.exe\u2066\u200f",
    "=cmd|'/c calc'!A1",
    "@SUM(1)",
    "<script>window.hurt = 1</script><img src=x onerror=alert(1)>",
    "](http://evil.example)[x](javascript:alert(1)) `|a|b|` ![y](z)",
    "]]></failure><x/>",
    "[bold red]$(id) `id`; rm -rf / #",
    "half of an emoji \ud83d",
)
EVERYTHING = " ".join(PAYLOADS)
STEERING = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069\ud800-\udfff]")
CI_COMMANDS = re.compile(r"(?m)^\s*::|##\w*\[")

CODE = re.compile(r"`[^`\n]*`|<summary>[^<\n]*</summary>")
MARKUP = re.compile(r"(?<!\\)<(?:script|img)|(?<!\\)\]\((?:http|javascript)")


def hostile_trial(text, at, right, **changes):
    """A finished trial whose every text is a payload."""
    made = record("mood", at=at, environment=HERE.model_copy(update={"processor": text, "command": text}), **changes)
    plan = trial("mood", text, steps=({"step": text, "size": text},)).model_copy(
        update={"task": text, "model": text, "fresh": text}
    )
    tasks = tuple(
        task.model_copy(update={"name": text, "labels": ("no", text), "instruction": text, "warnings": (text,)})
        for task in made.tasks
    )
    answers = [
        row.model_copy(
            update={
                "task": text,
                "input": text,
                "prompt": text,
                "output": text,
                "cluster": None,
                "answer": text if row.answer == "yes" else row.answer,
                "references": tuple(text if name == "yes" else name for name in row.references),
            }
        )
        for row in rows("mood", right)
    ]
    return made.model_copy(update={"trial": plan, "tasks": tasks, "notes": (text,)}), answers


@pytest.fixture(scope="module")
def results(tmp_path_factory):
    """A results folder with two releases, of which every text is hostile."""
    root = tmp_path_factory.mktemp("hostile") / "results"
    text = EVERYTHING.replace("\ud83d", "")  # the store is UTF-8: half a character cannot be in it
    for name, at, right in (("v1", "2026-01-01", share(0.7)), ("v2", "2026-02-01", share(0.4))):
        if (root / "quick").exists():
            (root / "quick").rename(root / f".before-{name}")
        store = Store(root)
        for index, payload in enumerate([text, *PAYLOADS[:-1]]):
            finished, answers = hostile_trial(payload, at, right)
            key = f"{index:08d}".ljust(64, "0")
            finished = finished.model_copy(update={"trial": finished.trial.model_copy(update={"key": key})})
            store.write(finished, answers)
            other = finished.trial.model_copy(update={"key": f"{index:08d}e".ljust(64, "0"), "strategy": "zero_shot"})
            store.write(finished.model_copy(update={"trial": other}), answers)
            broken = finished.trial.model_copy(
                update={"key": f"{index:08d}f".ljust(64, "0"), "strategy": payload + "f"}
            )
            store.write(Failed(trial=broken, started_at=f"{at}T10:00:00+00:00", reason=payload, details=payload))
        set_baseline(store, name, store.load(), note=text)
    return root


@pytest.fixture
def call(results, monkeypatch, capsys):
    def call(*arguments):
        monkeypatch.setattr(sys, "argv", ["harness", *arguments, "--results", str(results)])
        code = _main()
        out, err = capsys.readouterr()
        assert code in (0, 1, 3), err
        for text in (out, err):
            assert not STEERING.findall(text)
            assert not CI_COMMANDS.findall(text)
        return out

    return call


@pytest.mark.parametrize(
    "command",
    [
        ("report",),
        ("report", "--format", "markdown"),
        ("report", "--format", "csv"),
        ("report", "--format", "json"),
        ("decide", "quick"),
        ("decide", "quick", "--format", "markdown"),
        ("decide", "quick", "--format", "json"),
        ("gate", "quick", "--baseline", "v1"),
        ("gate", "quick", "--baseline", "v1", "--format", "json"),
        ("explain", "v1", "v2"),
        ("explain", "v1", "v2", "--format", "json"),
        ("history", "quick"),
        ("history", "quick", "--format", "json"),
        ("baseline", "list"),
        ("baseline", "show", "v1"),
    ],
)
def test_no_output_steers_a_terminal_or_continuous_integration(call, command):
    text = call(*command)
    assert text
    if command[-1] == "json":
        json.loads(text)
    elif command[-1] == "markdown":
        assert not MARKUP.findall(CODE.sub("", text))
    elif command[-1] == "csv":
        for row in csv.DictReader(text.splitlines()):
            assert not [cell for cell in row.values() if _is_formula(cell)]


def test_pages_hold_it_as_text(call, tmp_path):
    for command in (("report",), ("history", "quick")):
        call(*command, "--html", str(tmp_path / "page.html"))
        page = (tmp_path / "page.html").read_text(encoding="utf-8")
        assert not [page[m.start() - 200 : m.end() + 20] for m in STEERING.finditer(page)]
        tags = Scan(page).tags
        assert "window.hurt" not in "".join(re.findall(r"<script(?![^>]*json)[^>]*>(.*?)</script>", page, re.DOTALL))
        assert not [attributes for _, attributes in tags if any(name.startswith("on") for name in attributes)]
        links = [attributes["href"] for tag, attributes in tags if tag == "a"]
        assert not [link for link in links if "evil" in link or link.startswith("javascript")]


def test_continuous_integration_reads_it_as_text(call, tmp_path):
    call("gate", "quick", "--baseline", "v1", "--junit", str(tmp_path / "j.xml"), "--summary", str(tmp_path / "s.md"))
    root = ET.fromstring((tmp_path / "j.xml").read_text(encoding="utf-8"))  # noqa: S314 - it is ours
    assert {element.tag for element in root.iter()} <= {
        "testsuites",
        "testsuite",
        "testcase",
        "failure",
        "error",
        "skipped",
        "system-out",
    }
    summary = (tmp_path / "s.md").read_text(encoding="utf-8")
    assert not STEERING.findall(summary)
    assert not MARKUP.findall(CODE.sub("", summary))


def test_exported_tables_hold_no_formula(call, tmp_path):
    call("export", "--to", "csv", "--out", str(tmp_path))
    for path in tmp_path.glob("*.csv"):
        with path.open(encoding="utf-8", newline="") as file:
            cells = [cell for row in csv.reader(file) for cell in row]
        assert cells
        assert not [cell for cell in cells if _is_formula(cell)]


def test_errors_name_it_in_one_harmless_line(monkeypatch, capsys):
    for payload in PAYLOADS:
        monkeypatch.setattr(sys, "argv", ["harness", "data", payload])
        assert _main() == 2
        error = capsys.readouterr().err
        assert error.count("\n") == 1
        assert not STEERING.findall(error)
        assert not CI_COMMANDS.findall(error)


def _is_formula(cell):
    try:
        float(cell)
    except ValueError:
        return cell[:1] in ("=", "+", "-", "@", "\t", "\r")
    return False
