"""Where one strategy is a part of another: is the chain more than its parts, and is a task forgotten after others."""

import json

import numpy as np
import pytest

from harness.compare.report.comparison import compare
from harness.compare.stats.estimates import contrast, difference
from harness.records.record import Budget
from harness.render.report import json as as_json
from tests.compare.builders import completed, pattern
from tests.compare.samples import sample, two_classes


def row(stored, strategy):
    task = compare(stored).suites[0].tasks[0]
    return next(one for one in task.rows if one.strategy == strategy), task.verdict


def parts(both, *, first=0.6, second=0.6, start=0.5, name="rag+lora", task="sentiment"):
    head, tail = name.split("+")
    return [
        completed(task, "zero_shot", pattern(start)),
        completed(task, head, pattern(first)),
        completed(task, tail, pattern(second), trained=1),
        completed(task, name, pattern(both), trained=1),
    ]


def test_the_interaction_is_what_the_chain_adds_to_the_sum_of_its_parts():
    found, said = row(parts(0.9), "rag+lora")
    (one,) = found.interactions
    assert one.parts == ("rag", "lora")
    assert one.change.value == pytest.approx(0.9 - 0.6 - 0.6 + 0.5)
    assert one.change.low < 0.2 < one.change.high
    assert one.kind == "more"
    sentence = "Interaction: `rag+lora` gains probably more than `rag` and `lora` together: +0.20 ["
    assert any(sentence in text for text in said)


@pytest.mark.parametrize(("both", "kind"), [(0.6, "less"), (0.7, "unclear"), (0.85, "more")])
def test_an_interaction_is_named_by_its_interval(both, kind):
    found, said = row(parts(both), "rag+lora")
    assert found.interactions[0].kind == kind
    word = "No clear interaction" if kind == "unclear" else f"gains probably {kind} than"
    assert any(word in text for text in said)


def test_a_chain_whose_parts_are_missing_has_no_interaction():
    for missing in range(3):
        stored = [one for place, one in enumerate(parts(0.9)) if place != missing]
        assert row(stored, "rag+lora")[0].interactions == ()


def test_a_longer_chain_is_taken_apart_wherever_both_pieces_are_rows():
    stored = [
        completed("sentiment", name, pattern(share))
        for name, share in [
            ("zero_shot", 0.5),
            ("rag(k=1)", 0.55),
            ("lora+dpo", 0.7),
            ("lora", 0.6),
            ("lora+dpo+rag(k=1)", 0.75),
        ]
    ]
    assert [one.parts for one in row(stored, "lora+dpo+rag(k=1)")[0].interactions] == [("lora+dpo", "rag(k=1)")]


def test_a_chain_with_a_budget_is_set_against_parts_with_the_same():
    spent = Budget(unit="trials", amount=4)
    plain, searched = parts(0.9), parts(0.8, first=0.55)[1:]
    searched = [
        completed("sentiment", one.record.trial.strategy, hits, budget=spent, trained=1)
        for one, hits in zip(searched, (pattern(0.55), pattern(0.6), pattern(0.8)), strict=True)
    ]
    rows = compare([*plain, *searched]).suites[0].tasks[0].rows
    found = {one.label: one.interactions[0] for one in rows if one.strategy == "rag+lora"}
    assert found["rag+lora [4 trials]"].change.value == pytest.approx(0.8 - 0.55 - 0.6 + 0.5)
    assert found["rag+lora [4 trials]"].parts == ("rag [4 trials]", "lora [4 trials]")
    assert found["rag+lora"].change.value == pytest.approx(0.2)


def test_a_contrast_of_two_is_a_difference_and_clusters_count():
    rng = np.random.default_rng(0)
    scores, groups = rng.random((4, 60)), np.repeat(np.arange(20), 3)
    one, other = sample(scores[0], clusters=groups), sample(scores[1], clusters=groups)
    plain, found = difference(one, other), contrast([one], [other])
    assert (found.value, found.low, found.high, found.p) == pytest.approx((plain.value, plain.low, plain.high, plain.p))
    four = [sample(own, clusters=groups) for own in scores]
    found = contrast(four[:2], four[2:])
    sums = (scores[0] + scores[1] - scores[2] - scores[3]).reshape(20, 3).mean(axis=1)
    assert found.value == pytest.approx(sums.mean())
    half = 2.093024 * sums.std(ddof=1) / 20**0.5  # t, 19 degrees of freedom
    assert (found.low, found.high) == pytest.approx((sums.mean() - half, sums.mean() + half), abs=1e-6)


def test_a_contrast_of_a_metric_that_is_no_mean_is_bootstrapped():
    rng, truth = np.random.default_rng(1), np.arange(120) % 2
    chain, head, tail, start = (two_classes(rng.random(120) < share, truth) for share in (0.95, 0.6, 0.6, 0.5))
    found = contrast([chain, start], [head, tail])
    assert found.value == pytest.approx(chain.value + start.value - head.value - tail.value)
    assert found.low < found.value < found.high
    assert "bootstrap" in found.method


SEQUENCE = "lora(task=sentiment)+lora(task=qa)"


@pytest.mark.parametrize("alone", ["lora", "lora(task=sentiment)"])
def test_forgetting_is_the_change_against_the_chain_without_the_later_task(alone):
    stored = [
        completed("sentiment", alone, pattern(0.9), trained=1),
        completed("sentiment", SEQUENCE, pattern(0.7), trained=1),
    ]
    found, said = row(stored, SEQUENCE)
    assert (found.forgetting.after, found.forgetting.than) == (("qa",), alone)
    assert found.forgetting.change.value == pytest.approx(-0.2)
    assert any("forgets after learning `qa`: -0.20 [" in text and f"against `{alone}`" in text for text in said)
    shown = json.loads(as_json.render(compare(stored)))["tasks"][0]["strategies"]
    assert next(one for one in shown if one["strategy"] == SEQUENCE)["forgetting"]["than"] == alone


def test_steps_around_the_sequence_stay_in_the_chain_that_it_is_set_against():
    stored = [
        completed("sentiment", "lora", pattern(0.8), trained=1),
        completed("sentiment", "lora+rag", pattern(0.9), trained=1),
        completed("sentiment", f"{SEQUENCE}+rag", pattern(0.9), trained=1),
    ]
    found, said = row(stored, f"{SEQUENCE}+rag")
    assert found.forgetting.than == "lora+rag"
    assert any("does not clearly change after learning `qa`" in text for text in said)
    assert found.interactions == ()


@pytest.mark.parametrize(
    "strategy",
    ["lora(task=qa)+lora(task=sentiment)", "lora(task=qa)", "lora(task=all)", "lora(task=qa)+lora(task=all)"],
)
def test_what_learns_the_tables_task_last_or_not_at_all_forgets_nothing(strategy):
    stored = [
        completed("sentiment", "zero_shot", pattern(0.5)),
        completed("sentiment", "lora", pattern(0.9), trained=1),
        completed("sentiment", strategy, pattern(0.7), trained=1),
    ]
    assert row(stored, strategy)[0].forgetting is None


def test_a_strategy_that_cannot_be_read_is_still_compared():
    assert row([completed("sentiment", "no [chain", pattern(0.5))], "no [chain")[0].scores
