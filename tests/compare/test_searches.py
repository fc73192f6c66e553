"""A hyperparameter search in the report: its row, its choice, its cost."""

import json

import pytest

from harness.compare.report.comparison import compare
from harness.records.measurements import Span
from harness.records.record import Budget, Candidate, Search
from harness.render.report import json as as_json
from harness.render.report import markdown
from tests.compare.builders import completed, pattern

BUDGET = Budget(unit="trials", amount=2)


def searched(scores=(0.5, 0.75), chosen=1):
    tried = tuple(
        Candidate(
            parameters={"lora.rank": 8 * (place + 1), "lora.learning_rate": 1e-3 / 3}, score=score, wall_s=50, tokens=9
        )
        for place, score in enumerate(scores)
    )
    return Search(metric="accuracy", items=16, candidates=tried, chosen=chosen, steps=())


def stored(**changes):
    spans = (Span(phase="search", wall_s=50), Span(phase="search", wall_s=50), Span(phase="predict", wall_s=2))
    return [
        completed("sentiment", "zero_shot", pattern(0.5)),
        completed("sentiment", "lora", pattern(0.7), trained=1),
        completed("sentiment", "lora", pattern(0.8), trained=1, budget=BUDGET, search=searched(**changes), spans=spans),
    ]


def test_what_was_searched_is_a_row_of_its_own_and_pays_for_it():
    rows = {row.label: row for row in compare(stored()).suites[0].tasks[0].rows}
    assert set(rows) == {"zero_shot", "lora", "lora [2 trials]"}
    assert rows["lora [2 trials]"].cost.phases["search"].wall_s == 100
    assert rows["lora [2 trials]"].cost.total_s == 102
    assert rows["lora [2 trials]"].to_baseline.value == pytest.approx(0.3)


def test_the_choice_is_said_with_what_the_defaults_scored():
    said = compare(stored()).suites[0].tasks[0].verdict
    assert (
        "`lora [2 trials]` chose lora.rank=16 (0.75 accuracy on 16 validation items against 0.5; 2 candidates, "
        "1 min 40 s)." in said
    )
    assert "No hyperparameters searched: `zero_shot`." in said
    kept = compare(stored(chosen=0)).suites[0].tasks[0].verdict
    assert any(text.startswith("`lora [2 trials]` kept its defaults (0.5 accuracy") for text in kept)


def test_without_a_search_nothing_is_said_of_one():
    made = compare(stored()[:2])
    assert not any("search" in text for text in made.suites[0].tasks[0].verdict)
    assert "search" not in markdown.render(made)


def test_reports_have_the_candidates_and_the_seconds():
    made = compare(stored())
    assert "search s" in markdown.render(made)
    trials = json.loads(as_json.render(made))["trials"]
    (one,) = (trial for trial in trials if trial["budget"])
    assert [tried["score"] for tried in one["search"]["candidates"]] == [0.5, 0.75]
    assert one["budget"] == {"unit": "trials", "amount": 2}
