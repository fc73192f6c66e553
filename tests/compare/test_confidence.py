"""Confidence: calibration error, Brier score, accuracy at coverage and thresholds, from stored choice scores."""

import json
import math

import numpy as np
import pytest
from sklearn.metrics import brier_score_loss

from harness.compare.report.comparison import compare
from harness.compare.stats.share_interval import calibration_interval, share_interval
from harness.metrics import reliability
from harness.records.measurements import LabelCalibration
from harness.records.record import Row
from harness.render.report import json as json_report
from harness.render.report import markdown
from tests.compare.test_readings import LABELS, stored, written

COUNT = 400
EVEN = LabelCalibration(source="validation", inputs=48, prior=(-0.1, -2.4), shares=(0.5, 0.5), default=True)


def drawn(seed=0, count=COUNT, stretch=1.0):
    """Log-odds for ``pos`` and the truth of each item; at a stretch of 1 the probabilities are right."""
    rng = np.random.default_rng(seed)
    odds = rng.normal(0, 2, count)
    truth = rng.random(count) < 1 / (1 + np.exp(-odds))
    return odds * stretch, truth


def scored_rows(odds, truth, shift=0.0):
    rows = []
    for i, (value, positive) in enumerate(zip(odds, truth, strict=True)):
        scores = (0.0, float(value) + shift)
        fields = {"choices": LABELS, "choice_scores": scores, "parsed": "choice", "answer": LABELS[scores[1] > 0]}
        rows.append(Row(task="sentiment", id=f"{i:04d}", references=(LABELS[int(positive)],), **fields))
    return rows


def figures_of(rows, **changes):
    return compare([stored("zero_shot", rows, **changes)]).suites[0].tasks[0].rows[0].confidence


def test_figures_are_those_of_other_means():
    odds, truth = drawn(stretch=2.0)
    (figures,) = figures_of(scored_rows(odds, truth))
    positive = 1 / (1 + np.exp(-odds))
    confidence, correct = np.maximum(positive, 1 - positive), (odds > 0) == truth
    order = np.argsort(confidence)
    bins = np.array_split(order, figures.bins)
    error = sum(len(b) / COUNT * abs(correct[b].mean() - confidence[b].mean()) for b in bins)
    assert figures.bins == 15
    assert figures.calibration_error.value == pytest.approx(error, abs=0.004)  # bins of 26 and 27 in another order
    assert figures.calibration_error.low < error < figures.calibration_error.high
    assert figures.brier.value == pytest.approx(2 * brier_score_loss(truth, positive))
    for part in figures.coverage:
        kept = order[::-1][: round(part.coverage * COUNT)]
        assert part.accuracy.value == pytest.approx(correct[kept].mean())
    assert figures.accuracy == pytest.approx(correct.mean())


def test_an_overconfident_system_has_a_clear_error_and_a_calibrated_one_none():
    calibrated, overconfident = (figures_of(scored_rows(*drawn(3, stretch=stretch)))[0] for stretch in (1.0, 3.0))
    assert calibrated.calibration_error.low == 0
    assert overconfident.calibration_error.low > 0.03


def test_both_readings_are_shown_where_both_are_stored_and_the_default_comes_first():
    odds, truth = drawn()
    favoured = scored_rows(odds, truth, shift=2.3)  # what the calibration takes off
    calibrated, raw = figures_of(favoured, calibration=EVEN.model_copy(update={"prior": (-2.4, -0.1)}))
    assert (calibrated.reading, raw.reading) == ("calibrated", "raw")
    assert calibrated.calibration_error.value < raw.calibration_error.value
    assert calibrated.accuracy > raw.accuracy
    assert calibrated.brier.high < raw.brier.value


def test_a_threshold_is_never_reported_on_the_items_that_fixed_it():
    odds, truth = drawn(5)
    confidence = 1 / (1 + np.exp(-np.abs(odds)))
    correct = ((odds > 0) == truth).astype(float)
    units = np.arange(COUNT) // 4
    answered = reliability.cross_fitted(confidence, correct, units, 0.9)
    for unit in (0, 17, 60):  # what is right in a cluster never decides what is answered in it
        other = np.where(units == unit, 1 - correct, correct)
        again = reliability.cross_fitted(confidence, other, units, 0.9)
        assert (again[units == unit] == answered[units == unit]).all()


def test_the_threshold_is_the_lowest_that_reaches_the_target():
    odds, truth = drawn(6)
    confidence = 1 / (1 + np.exp(-np.abs(odds)))
    correct = ((odds > 0) == truth).astype(float)
    threshold = reliability.threshold_for(confidence, correct, 0.9)
    accuracy = {level: correct[confidence >= level].mean() for level in confidence}
    assert accuracy[threshold] >= 0.9
    assert all(share < 0.9 for level, share in accuracy.items() if level < threshold)
    assert reliability.threshold_for(confidence, np.zeros(COUNT), 0.9) is None


def test_equal_confidences_at_the_edge_count_in_part():
    confidence, correct = np.array([0.9, 0.5, 0.5, 0.5]), np.array([1.0, 1.0, 0.0, 0.0])
    accuracy, influence = reliability.accuracy_at(confidence, correct, 0.5)
    assert accuracy == pytest.approx((1 + 1 / 3) / 2)
    assert influence.sum() == pytest.approx(0)


@pytest.mark.parametrize(("stretch", "per_cluster"), [(1.0, 1), (2.0, 1), (2.0, 4)])
def test_intervals_cover(stretch, per_cluster):
    """In 120 draws at least 90 % of the intervals hold the truth, which is 95 % but for chance."""
    wide_odds, _ = drawn(99, 200_000)
    right = 1 / (1 + np.exp(-np.abs(wide_odds)))
    confident = 1 / (1 + np.exp(-np.abs(wide_odds * stretch)))
    true_error, true_half = np.abs(confident - right).mean(), np.sort(right)[::-1][:100_000].mean()
    hits = np.zeros(2)
    for seed in range(120):
        rng = np.random.default_rng(seed)
        odds = rng.normal(0, 2, 120)
        luck = np.repeat(rng.random(120 // per_cluster), per_cluster)
        correct = (luck < 1 / (1 + np.exp(-np.abs(odds)))).astype(float)
        confidence, units = 1 / (1 + np.exp(-np.abs(odds * stretch))), np.arange(120) // per_cluster
        low, high = calibration_interval(confidence - correct, reliability.bin_of(confidence), units)
        accuracy, influence = reliability.accuracy_at(confidence, correct, 0.5)
        half = share_interval(accuracy, influence, units, 0.5)
        hits += [low <= true_error <= high, half[0] <= true_half <= half[1]]
    assert (hits / 120 >= 0.9).all(), hits / 120


def test_scores_that_were_not_all_stored_are_named_and_nothing_is_made_of_the_others():
    rows = scored_rows(*drawn())
    rows[7] = rows[7].model_copy(update={"choice_scores": (0.5, -math.inf)})
    rows[8] = rows[8].model_copy(update={"choice_scores": (0.5,)})
    comparison = compare([stored("zero_shot", rows)])
    (figures,) = comparison.suites[0].tasks[0].rows[0].confidence
    assert (figures.unread, figures.brier, figures.coverage) == (2, None, ())
    assert "scores of some choices are not stored for 2 items" in markdown.render(comparison)


def test_written_answers_have_no_confidence():
    comparison = compare([written("zero_shot")])
    assert comparison.suites[0].tasks[0].rows[0].confidence == ()
    assert "Confidence" not in markdown.render(comparison)


def test_the_report_has_the_figures():
    comparison = compare([stored("zero_shot", scored_rows(*drawn()))])
    (figures,) = json.loads(json_report.render(comparison))["tasks"][0]["strategies"][0]["confidence"]
    assert {part["target"] for part in figures["handover"]} == {0.9, 0.95}
    text = markdown.render(comparison)
    assert "calibration error" in text
    handover = figures["handover"][0]
    assert f"{1 - handover['answered']['value']:.0%} below {handover['threshold']:.2f}; right" in text
