"""Training curves and the spread over seeds, as a report shows them."""

import csv
import io
import json
import math

import pytest

from harness.api import TrainingRun
from harness.compare.decide.constraints import Constraints
from harness.compare.decide.decision import decide
from harness.compare.prose.training_sentences import spark
from harness.compare.report.comparison import compare
from harness.compare.table.training_curves import POINTS, curves_of
from harness.compare.table.undertraining import train_longer
from harness.records.loss_curves import runs
from harness.render.report import csv as as_csv
from harness.render.report import json as as_json
from harness.render.report import markdown
from tests.compare.builders import completed, pattern


def logged(steps=3, checks=(0.5, 0.4, 0.45)):
    points = []
    for step in range(1, steps + 1):
        points.append({"step": step, "loss": 1 / step, "learning_rate": 1e-3})
        if checks and step <= len(checks):
            points.append({"step": step, "epoch": step, "validation_loss": checks[step - 1]})
    return points


def test_a_new_run_begins_where_the_step_falls():
    assert [len(run) for run in runs(logged() + logged(2))] == [6, 4]
    assert runs([]) == []


def test_a_curve_keeps_the_first_and_the_last_loss_and_the_best_check():
    (curve,) = curves_of(logged(1000))
    assert (curve.steps, len(curve.loss), curve.best) == (1000, POINTS, 1)
    assert (curve.loss[0], curve.loss[-1]) == ((1, 1.0), (1000, 0.001))


def test_numbers_that_are_none_are_left_out():
    (curve,) = curves_of(
        [{"step": 1, "loss": 0.5}, {"step": 2, "loss": math.nan}, {"step": 3, "validation_loss": math.inf}]
    )
    assert curve.loss == ((1, 0.5),)
    assert curve.checks == ()


def test_a_falling_line_is_drawn_falling():
    assert spark([3, 2, 1, 0]) == "█▆▃▁"
    assert spark([1, 1]) == "▁▁"
    assert len(spark(list(range(100)))) == 12


def test_every_report_tells_how_training_went():
    made = compare([completed("sentiment", "lora", pattern(0.8), trained=1, curves=tuple(logged()))])
    line = "lora: loss 1.00 to 0.33 █▃▁ in 3 steps, validation loss 0.50 to 0.45, lowest at check 2 of 3"
    assert line in markdown.render(made)
    (trial,) = json.loads(as_json.render(made))["trials"]
    assert trial["curves"][0]["loss"] == [[1, 1.0], [2, 0.5], [3, pytest.approx(1 / 3)]]
    assert trial["curves"][0]["best"] == 1


@pytest.mark.parametrize(("checks", "short"), [((0.5, 0.4, 0.39), True), ((0.5, 0.4, 0.399), False), ((0.5,), False)])
def test_training_that_ends_while_validation_loss_falls_is_called_undertrained(checks, short):
    curves = tuple(logged(checks=checks))
    stored = [
        completed("sentiment", "lora", pattern(0.8), trained=1, curves=curves),
        completed("sentiment", "zero_shot", pattern(0.5)),
    ]
    sentence = (
        "Training of `lora` stopped while validation loss still fell; train longer: "
        "harness run quick --strategy 'lora(epochs=20)'."
    )
    assert (sentence in compare(stored).suites[0].tasks[0].verdict) is short
    decision = decide(stored, Constraints()).tasks[0]
    assert (sentence in decision.verdict) is short


def ended(reason, best_step=3):
    return TrainingRun(3, 0, 3, 2, 1, reason, best_step)


@pytest.mark.parametrize(("reason", "short"), [("ceiling", True), ("patience", False), ("diverged", False)])
def test_where_the_end_of_training_is_recorded_only_the_ceiling_is_undertrained(reason, short):
    curves = tuple(logged(checks=(0.5, 0.4, 0.3)))
    trial = completed("sentiment", "lora", pattern(0.8), trained=1, curves=curves, trainings=(ended(reason),))
    verdict = compare([trial]).suites[0].tasks[0].verdict
    assert any("stopped while validation loss still fell" in text for text in verdict) is short
    assert any(text.startswith("Training diverged: `lora`") for text in verdict) is (reason == "diverged")


@pytest.mark.parametrize("best_step", [0, 2])
def test_a_training_that_was_of_no_use_is_told_of(best_step):
    trainings = (ended("patience", best_step),)
    trial = completed("sentiment", "lora", pattern(0.8), trained=1, curves=tuple(logged()), trainings=trainings)
    report = compare([trial])
    verdict = report.suites[0].tasks[0].verdict
    assert any(text.startswith("Training did not improve validation for `lora`") for text in verdict) is (
        best_step == 0
    )
    assert "in 3 steps (patience spent), validation loss" in markdown.render(report)


def test_the_last_step_with_epochs_is_trained_longer():
    assert train_longer("lora(rank=4)+dpo+rag(k=1)") == "lora(rank=4)+dpo(epochs=20)+rag(k=1)"
    assert train_longer("lora+rlhf") == "lora+rlhf(steps=48)"
    assert train_longer("zero_shot") is None
    assert train_longer("no_such_step") is None


def test_the_spread_over_seeds_is_shown_and_taken_apart():
    stored = [
        completed("sentiment", "lora", pattern(share), seed=seed, trained=1)
        for seed, share in enumerate((0.7, 0.8, 0.9))
    ]
    made = compare([completed("sentiment", "zero_shot", pattern(0.5)), *stored])
    score = made.suites[0].tasks[0].rows[0].scores["accuracy"]
    assert (score.seed_low, score.seed_high, score.seed_sd) == pytest.approx((0.7, 0.9, 0.1))
    assert score.seed_share == pytest.approx((0.01 / 3) / (score.seed_sd**2 / 3 + (score_item(stored)) ** 2), rel=1e-6)
    assert "0.70 to 0.90 (3)" in markdown.render(made)
    assert any("`lora` 0.100 over 3 seeds" in text for text in made.suites[0].tasks[0].verdict)
    tuned = next(row for row in csv.DictReader(io.StringIO(as_csv.render(made))) if row["strategy"] == "lora")
    assert float(tuned["accuracy_seed_sd"]) == pytest.approx(0.1)


def score_item(stored):
    """Standard error of the mean over items of scores averaged over seeds."""
    import numpy as np

    means = np.mean(
        [
            [a in r for a, r in zip(s.items["sentiment"].answers, s.items["sentiment"].references, strict=True)]
            for s in stored
        ],
        axis=0,
    )
    return means.std(ddof=1) / len(means) ** 0.5


def test_one_seed_has_no_spread():
    made = compare([completed("sentiment", "lora", pattern(0.7), trained=1)])
    assert made.suites[0].tasks[0].rows[0].scores["accuracy"].seed_low is None
    assert "| over seeds" not in markdown.render(made)
