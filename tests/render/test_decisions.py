"""Decisions as they are printed: the same sentences in each form, no line too wide, foreign text is no markup."""

import io
import json

import pytest
from rich.cells import cell_len
from rich.console import Console

from harness.compare.cost.money import make_usage
from harness.compare.cost.pricing import make_economics
from harness.compare.decide.constraints import Constraints
from harness.compare.decide.decision import decide
from harness.render import decision_report
from tests.compare.decision_builders import served, suite, trial


@pytest.fixture(scope="module")
def decision():
    limits = Constraints(max_memory_gb=2, must_cite=True, max_latency_p95_ms=800)
    stored = [served(each, 0.3, count=20) if each.record.trial.strategy == "rag" else each for each in suite()]
    return decide(stored, limits, make_economics(make_usage(update_every="7d")))


def printed(decision, width):
    console = Console(width=width, file=io.StringIO())
    for part in decision_report.as_terminal(decision):
        console.print(part)
    return console.file.getvalue()


@pytest.mark.parametrize("width", [60, 80, 120, 200])
def test_no_line_is_wider_than_the_terminal(decision, width):
    text = printed(decision, width)
    assert max(map(cell_len, text.splitlines())) <= width
    assert "0.50 [0.44, 0.56]" in text


def test_the_verdict_comes_first_and_the_prices_last(decision):
    lines = printed(decision, 600).splitlines()
    assert lines[0].startswith(
        "On qa choose rag: token F1 0.50 [0.44, 0.56], up from 0.10 today (200 test items, small). It is"
    )
    assert lines[-1].startswith("Ranked by quality")
    assert "2026-06-17" in lines[-1]


def test_every_form_says_why_the_others_are_left_out(decision):
    for text in (printed(decision, 400), decision_report.as_markdown(decision).replace("\\", "").replace("`", "")):
        assert "Not rag+lora: 2.44 GiB of memory, 0.44 over --max-memory-gb 2; p95 latency was not measured." in text
        assert (
            "Not lora, few_shot and zero_shot: p95 latency was not measured; breaks --must-cite (rule cite-passages)."
            in text
        )
        assert "https://arxiv.org/abs/2305.14627" in text
        assert (
            "--max-latency-p95-ms 800 is open for 1 option (measured by too few requests): 'harness run quick" in text
        )


def test_a_machine_reads_what_a_reader_sees(decision):
    read = json.loads(decision_report.as_json(decision))
    (task,) = read["tasks"]
    assert task["chosen"] == ["rag", "small"]
    assert task["options"][0]["place"] == 1
    assert task["options"][0]["findings"][0]["limit"] == 2
    assert read["assumed"]["usage"]["requests_per_month"] == 100_000
    assert read["constraints"]["must_cite"] is True


def test_foreign_names_are_no_markup():
    stored = [trial("zero_shot", 0.1), trial("[red]x|y<b>", 0.5)]
    decision = decide(stored, Constraints())
    assert "[red]x|y<b>" in printed(decision, 200)
    assert "<b>" not in decision_report.as_markdown(decision).replace("\\<b\\>", "").replace("`[red]x|y<b>`", "")
