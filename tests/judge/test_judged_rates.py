"""Intervals from few labels of people and many of a judge cover what they say."""

import numpy as np
import pytest

from harness.judge.judged_rates import kappa, poststratified, prediction_powered_mean

ITEMS, REPEATS = 1000, 600
LEAST = 0.93
"""Of 0.95: 600 repetitions have a standard error of 0.009."""


def simulate(rng, rate, sensitivity=0.95, specificity=0.80, items=ITEMS):
    truth = (rng.random(items) < rate).astype(float)
    passes = np.where(truth == 1, rng.random(items) < sensitivity, rng.random(items) >= specificity)
    return truth, passes.astype(float)


@pytest.mark.parametrize("rate", [0.7, 0.9, 0.98])
@pytest.mark.parametrize("labels", [20, 50, 100])
def test_a_pass_rate_is_covered_from_twenty_labels_on(rate, labels):
    rng = np.random.default_rng(labels)
    hits = 0
    for _ in range(REPEATS):
        truth, judged = simulate(rng, rate)
        sample = rng.choice(ITEMS, labels, replace=False)
        interval = poststratified(truth[sample], judged[sample], judged)
        hits += interval.low <= rate <= interval.high
    assert hits / REPEATS >= LEAST


def test_a_difference_of_two_systems_is_covered_from_a_hundred_labels_on():
    rng = np.random.default_rng(3)
    hits, widths, human_widths = 0, [], []
    for _ in range(REPEATS):
        (a, judged_a), (b, judged_b) = simulate(rng, 0.8), simulate(rng, 0.7)
        sample = rng.choice(ITEMS, 100, replace=False)
        others = np.setdiff1d(np.arange(ITEMS), sample)
        truth, judged = a - b, judged_a - judged_b
        interval = prediction_powered_mean(truth[sample], judged[sample], judged[others])
        human = prediction_powered_mean(truth[sample], np.zeros(100), np.zeros(len(others)))
        hits += interval.low <= 0.1 <= interval.high
        widths.append(interval.high - interval.low)
        human_widths.append(human.high - human.low)
    assert hits / REPEATS >= LEAST
    assert np.mean(widths) < np.mean(human_widths)


def test_a_judge_that_is_always_wrong_the_same_way_is_corrected():
    human = np.array([0.0] * 20 + [1.0] * 20)
    judged = np.ones(40)
    rate = poststratified(human, judged, np.ones(1000))
    assert rate.value == pytest.approx(0.5)
    assert rate.low < 0.36
    assert rate.high > 0.64


def test_agreement_by_chance_counts_as_none():
    human = np.array([1.0, 1, 0, 0])
    assert kappa(human, human) == 1
    assert kappa(human, np.array([1.0, 0, 1, 0])) == 0
    assert kappa(np.ones(4), np.ones(4)) is None
