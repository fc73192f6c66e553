"""Both readings of scored labels are shown, the default decides; rows that give one answer are marked."""

import json

import pytest

from harness.api import ModelInfo
from harness.compare.decide.constraints import Constraints
from harness.compare.decide.decision import decide
from harness.compare.pair.pair_comparison import PairQuery, compare_pair
from harness.compare.prose.reading_sentences import pair_sentence
from harness.compare.report.comparison import compare
from harness.compare.trials.stored_trials import StoredTrialItems
from harness.metrics.items import Items
from harness.records.measurements import LabelCalibration
from harness.records.record import Row
from harness.render.report import csv, markdown
from harness.render.report import json as json_report
from tests.compare.builders import completed, info

LABELS = ("neg", "pos")
CALIBRATION = LabelCalibration(
    source="validation", inputs=48, prior=(-2.1, -0.1), shares=(0.5, 0.5), share_labels=100, default=True
)
COUNT = 120


def scored(strategy, *, favour=2.0, right=0.9, calibration=CALIBRATION, seed=0, **fields):
    """A trial whose scores favour ``pos`` by some nats, and know the right answer of a share of the items."""
    rows = []
    for i in range(COUNT):
        truth = LABELS[i % 2]
        known = truth if (i * 7) % 20 < right * 20 else LABELS[1 - i % 2]
        scores = tuple(float(known == label) + favour * (label == "pos") for label in LABELS)
        shift = calibration.shift if calibration.default else (0.0, 0.0)
        shifted = [score - offset for score, offset in zip(scores, shift, strict=True)]
        answer = LABELS[shifted.index(max(shifted))]
        fields_of = {"choices": LABELS, "choice_scores": scores, "answer": answer, "parsed": "choice"}
        rows.append(Row(task="sentiment", id=f"{i:04d}", references=(truth,), **{**fields_of, **fields}))
    return stored(strategy, rows, seed, calibration=calibration)


def written(strategy, right=0.7, only=None):
    """A trial whose answers are text; `only`: one answer to all but three items."""
    rows = []
    for i in range(COUNT):
        truth = LABELS[i % 2]
        answer = truth if (i * 7) % 20 < right * 20 else LABELS[1 - i % 2]
        answer = answer if only is None else only if i > 2 else LABELS[1 - LABELS.index(only)]
        rows.append(
            Row(task="sentiment", id=f"{i:04d}", references=(truth,), choices=LABELS, output=answer, answer=answer)
        )
    return stored(strategy, rows)


def stored(strategy, rows, seed=0, **changes):
    record = completed("sentiment", strategy, [1], seed=seed).record
    steps = ({"step": strategy.partition("(")[0]},)
    record = record.model_copy(
        update={
            "tasks": (info("sentiment", **changes),),
            "trial": record.trial.model_copy(update={"steps": steps}),
            "model": ModelInfo(name="small", hash="w", parameters=1000),
        }
    )
    return StoredTrialItems(record, {"sentiment": Items.from_rows(rows, LABELS)})


def row_of(comparison, strategy):
    return next(row for row in comparison.suites[0].tasks[0].rows if row.strategy == strategy)


def test_both_readings_are_scored_from_what_is_stored_and_the_default_is_the_score():
    row = row_of(compare([scored("zero_shot"), scored("lora", right=0.95)]), "zero_shot")
    assert row.readings.calibrated.value == row.scores["accuracy"].value == pytest.approx(0.9)
    assert row.readings.raw.value == pytest.approx(0.5)  # it answers ``pos`` to all
    assert row.readings.change.value == pytest.approx(0.4)
    assert row.readings.change.low > 0
    assert (row.reading, row.readings.default, row.readings.inputs) == ("calibrated", "calibrated", 48)


def test_where_raw_scores_are_the_default_the_calibrated_ones_stand_beside_them():
    raw = CALIBRATION.model_copy(update={"default": False})
    row = row_of(compare([scored("zero_shot", calibration=raw)]), "zero_shot")
    assert row.readings.raw.value == row.scores["accuracy"].value == pytest.approx(0.5)
    assert row.readings.calibrated.value == pytest.approx(0.9)
    assert row.reading == "raw"


def test_each_seed_is_read_with_its_own_prior():
    other = CALIBRATION.model_copy(update={"prior": (-0.1, -2.1)})
    row = row_of(compare([scored("lora"), scored("lora", favour=-2.0, calibration=other, seed=1)]), "lora")
    assert row.readings.calibrated.value == row.scores["accuracy"].value == pytest.approx(0.9)


def test_records_without_a_stored_prior_and_votes_have_one_reading():
    rows = compare([completed("sentiment", "zero_shot", [1, 0] * 20)])
    assert (row_of(rows, "zero_shot").reading, row_of(rows, "zero_shot").readings) == (None, None)
    assert row_of(compare([scored("self_consistency", votes=("pos", "neg"))]), "self_consistency").readings is None


def test_the_same_scores_read_in_two_ways_are_two_systems():
    raw = CALIBRATION.model_copy(update={"default": False})
    comparison = compare([scored("zero_shot"), scored("rag", calibration=raw), scored("prompt", calibration=raw)])
    assert row_of(comparison, "rag").same_as is None
    assert row_of(comparison, "prompt").same_as == "rag"


def test_reports_show_both_readings_and_say_which_answers_are_not_calibrated():
    comparison = compare([scored("zero_shot"), written("few_shot")])
    text = markdown.render(comparison)
    assert "| uncalibrated |" in text
    assert "written" in next(line for line in text.splitlines() if line.startswith("| few"))
    assert "`zero_shot` (scored labels, calibrated); `few_shot` (generated text, not calibrated)" in " ".join(
        comparison.suites[0].tasks[0].verdict
    )
    assert "score_uncalibrated" in csv.render(comparison).splitlines()[0]
    rows = json.loads(json_report.render(comparison))["tasks"][0]["strategies"]
    assert {row["strategy"]: row["reading"] for row in rows} == {"zero_shot": "calibrated", "few_shot": "written"}


def test_a_pair_that_is_read_in_different_ways_says_so():
    trials = [scored("zero_shot"), scored("lora", right=0.95), written("few_shot")]
    different = compare_pair(trials, "zero_shot", "few_shot", PairQuery()).tasks[0].verdict
    assert any(
        "`zero_shot`: scored labels, calibrated; `few_shot`: generated text, not calibrated" in s for s in different
    )
    alike = compare_pair(trials, "zero_shot", "lora", PairQuery()).tasks[0].verdict
    assert not any("read in different ways" in sentence for sentence in alike)
    assert not pair_sentence(("`a`", None), ("`b`", "written"))


def test_a_row_that_gives_one_answer_is_marked_and_said():
    comparison = compare([written("lora", only="pos"), written("full", right=0.8)])
    single = row_of(comparison, "lora").single_answer
    assert (single.answer, single.share, single.better) == ("pos", pytest.approx(117 / 120), False)
    assert row_of(comparison, "full").single_answer is None
    verdict = " ".join(comparison.suites[0].tasks[0].verdict)
    assert "`lora` answers 'pos' to 97.5% of the items, not clearly better than that constant answer." in verdict
    assert any(line.startswith("| lora") and " ! |" in line for line in markdown.render(comparison).splitlines())


def test_a_rare_label_that_is_found_is_better_than_always_the_common_one():
    rows = [
        Row(task="sentiment", id=f"{i:04d}", references=(truth,), choices=LABELS, output=truth, answer=truth)
        for i in range(400)
        for truth in [LABELS[i % 25 != 0]]
    ]
    single = row_of(compare([stored("zero_shot", rows)]), "zero_shot").single_answer
    assert single.share == pytest.approx(0.96)
    assert single.better


def test_the_constant_answer_is_preferred_to_a_row_that_is_one_in_effect():
    trials = [written("majority", only="pos"), written("lora", only="pos"), written("zero_shot", right=0.4)]
    (task,) = decide(trials, Constraints()).tasks
    refused = next(option for option in task.options if option.strategy == "lora")
    assert refused.excluded
    assert "it answers 'pos' to 97.5% of the items" in refused.reason
    assert task.chosen == ("majority", "small")
    without = decide([written("lora", only="pos"), written("zero_shot", right=0.4)], Constraints()).tasks[0]
    assert not any(option.excluded for option in without.options)


def test_where_nothing_beats_the_constant_answer_the_verdict_says_so():
    verdict = compare([written("majority", only="pos"), written("lora", right=0.5)]).suites[0].tasks[0].verdict
    assert any("No strategy is clearly better than the majority answer" in s for s in verdict)
    ahead = compare([written("majority", only="pos"), written("lora", right=0.9)]).suites[0].tasks[0].verdict
    assert not any("majority answer" in sentence for sentence in ahead)
