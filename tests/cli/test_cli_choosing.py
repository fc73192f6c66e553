"""The command that chooses: its flags reach the decision, and what is wrong is said in one line."""

import json
from pathlib import Path

import pytest

RESULTS = Path(__file__).parents[2] / "results" / "reference"
pytestmark = pytest.mark.skipif(not (RESULTS / "quickstart").is_dir(), reason="reference results are not here")


@pytest.fixture
def command(command, monkeypatch):
    """Call the command line on the reference results."""
    monkeypatch.setenv("COLUMNS", "100")
    return lambda *arguments: command(*arguments, "--results", RESULTS)


def test_flags_reach_the_decision(command, tmp_path):
    prices = tmp_path / "prices.toml"
    prices.write_text('[[price]]\nname = "vcpu"\nusd = 1.0\n')
    flags = ("--task", "questions", "--max-usd-month", "500", "--min-metric", "questions.token_f1=0.1", "--must-cite")
    usage = ("--volume", "2e5", "--months", "6", "--update-every", "2w", "--prices", prices)
    code, out, _ = command("decide", "quickstart", *flags, *usage, "--objective", "cost", "--format", "json")
    assert code == 0
    read = json.loads(out)
    assert read["constraints"]["objective"] == "cost"
    assert read["constraints"]["min_metrics"] == [{"task": "questions", "metric": "token_f1", "value": 0.1}]
    assert read["assumed"]["usage"]["requests_per_month"] == 2e5
    assert read["assumed"]["usage"]["months"] == 6
    assert next(price for price in read["assumed"]["prices"] if price["name"] == "vcpu")["usd"] == 1
    (task,) = read["tasks"]
    assert task["chosen"]
    excluded = {option["strategy"] for option in task["options"] if option["excluded"]}
    assert "zero_shot" in excluded


def test_the_terminal_and_markdown_open_with_the_verdict(command):
    code, out, _ = command("decide", "quickstart", "--no-training-data", "--task", "questions")
    assert code == 0
    assert out.startswith("On questions choose ")
    _, out, _ = command("decide", "quickstart", "--no-training-data", "--task", "questions", "--format", "markdown")
    assert out.startswith("**On `questions` choose ")


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        (("--task", "question"), "did you mean 'questions'"),
        (("--model", "smol"), "unknown model 'smol'"),
        (("--min-metric", "questions.f1"), "TASK.METRIC=X"),
        (("--min-metric", "knowledge.token_f1=0.5"), "unknown metric 'token_f1'"),
        (("--hardware", "l5"), "unknown hardware 'l5'"),
        (("--update-every", "weekly"), "such as 7d"),
        (("--prices", "none.toml"), "cannot be read"),
        (("--months", "0"), "longer than 0 months"),
        (("--labels", "5", "--no-training-data"), "contradict each other"),
        (("--max-memory-gb", "-1"), "max-memory-gb"),
    ],
)
def test_what_is_wrong_is_said_in_a_line(command, flags, message):
    code, _, error = command("decide", "quickstart", *flags)
    assert code == 2
    assert message in error
    assert len(error.strip().splitlines()) == 1


def test_an_unknown_suite_names_what_is_there(command):
    code, _, error = command("decide", "quickstrt")
    assert code == 2
    assert "did you mean 'quickstart'" in error


def test_a_report_is_priced_by_the_same_flags(command):
    code, out, error = command("report", "quickstart", "--format", "json", "--hardware", "l4")
    assert (code, out) == (2, "")
    assert "these seconds were measured on" in error
    _, out, _ = command("report", "quickstart", "--format", "json", "--no-labels")
    read = json.loads(out)
    money = [row["money"] for task in read["tasks"] for row in task["strategies"] if row["money"]]
    parts = [part["what"] for prices in money for part in prices["fixed"]]
    assert "training" in parts
    assert "labels" not in parts
