"""Each formula against an independent computation of it, and invariants for any data."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from harness.compare.stats import intervals

shares = st.integers(1, 300).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n)))


@settings(max_examples=60, deadline=None)
@given(shares)
def test_wilson_equals_scipy(share):
    hits, n = share
    expected = stats.binomtest(hits, n).proportion_ci(method="wilson")
    assert intervals.wilson(hits, n) == pytest.approx((expected.low, expected.high), abs=1e-12)


def test_the_error_of_independent_items_is_the_usual_one():
    scores = np.random.default_rng(0).random(50)
    error, df = intervals.standard_error(scores, np.arange(50))
    assert error == pytest.approx(stats.sem(scores))
    assert df == 49


def test_clusters_of_equal_size_give_the_error_of_their_means():
    scores = np.random.default_rng(1).random((20, 4))
    error, df = intervals.standard_error(scores.ravel(), np.repeat(np.arange(20), 4))
    assert error == pytest.approx(stats.sem(scores.mean(axis=1)))
    assert df == pytest.approx(19)


def test_unequal_clusters_follow_the_formula():
    scores, clusters = np.array([1.0, 0.0, 1.0, 1.0, 0.5]), np.array([0, 0, 1, 2, 2])
    away = scores - scores.mean()
    total = (away[0] + away[1]) ** 2 / (1 - 2 / 5) + away[2] ** 2 / (1 - 1 / 5) + (away[3] + away[4]) ** 2 / (1 - 2 / 5)
    assert intervals.standard_error(scores, clusters)[0] == pytest.approx(math.sqrt(total) / 5)


def test_unequal_clusters_have_the_degrees_of_freedom_of_bell_and_mccaffrey():
    """By their matrices: v = Σ_c a_c (u_c' M y)², and df = tr(G)² / tr(G²) with G_cd = a_c u_c' M u_d."""
    groups = np.repeat(np.arange(4), [1, 2, 3, 9])
    units = (groups[:, None] == np.arange(4)).astype(float)
    residuals = np.eye(15) - 1 / 15
    weights = np.sqrt(1 / (1 - units.sum(axis=0) / 15))
    g = weights[:, None] * (units.T @ residuals @ units) * weights
    _, df = intervals.standard_error(np.random.default_rng(0).random(15), groups)
    assert df == pytest.approx(np.trace(g) ** 2 / np.trace(g @ g))
    assert df < 3


def test_pairs_are_adjusted_for_as_many_as_can_still_be_equal():
    """Of three strategies that is Shaffer's: 3 pairs, then 1; of four 6, then 3 (three alike), thrice, then 2 and 1."""
    assert intervals.shaffer([0.02], 2) == [0.02]
    assert intervals.shaffer([0.03, 0.01, 0.04], 3) == pytest.approx([0.03, 0.03, 0.04])
    rising = [0.001, 0.002, 0.003, 0.004, 0.02, 0.03]
    assert intervals.shaffer(rising, 4) == pytest.approx([0.006, 0.006, 0.009, 0.012, 0.04, 0.04])
    assert intervals.shaffer([0.5, 0.9, 0.7], 3) == [1.0, 1.0, 1.0]


def test_mcnemar_equals_the_textbook_binomial_sum():
    first, second = np.array([1.0] * 12 + [0.0] * 4 + [1.0] * 9), np.array([0.0] * 12 + [1.0] * 4 + [1.0] * 9)
    tail = sum(math.comb(16, k) for k in range(5)) / 2**16
    assert intervals.mcnemar(first, second) == pytest.approx(2 * tail)
    assert intervals.mcnemar(first, first) == 1


def test_welch_equals_scipy_on_logarithms():
    rng = np.random.default_rng(3)
    first, second = np.log(rng.lognormal(0.2, 0.1, 4)), np.log(rng.lognormal(0.0, 0.4, 7))
    expected = stats.ttest_ind(first, second, equal_var=False).confidence_interval(0.95)
    error, df = intervals.welch(first, second)
    half = intervals.t_multiplier(df) * error
    middle = first.mean() - second.mean()
    assert (middle - half, middle + half) == pytest.approx((expected.low, expected.high))
    assert error == pytest.approx(math.hypot(stats.sem(first), stats.sem(second)))
    assert intervals.welch(np.ones(3), np.zeros(2)) == (0.0, math.inf)


@pytest.mark.parametrize("value", [0.0, 1.0])
def test_scores_that_are_all_0_or_all_1_get_wilsons_interval(value):
    flat = intervals.flat_interval(value, 10, (0, 1))
    assert flat == pytest.approx(intervals.wilson(value * 10, 10))


def test_holm_follows_the_worked_example():
    assert intervals.holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])
    assert intervals.holm([]) == []


@settings(max_examples=60, deadline=None)
@given(st.lists(st.floats(0, 1), max_size=12))
def test_holm_keeps_the_order_and_never_lowers_a_p_value(p_values):
    adjusted = intervals.holm(p_values)
    assert all(p <= a <= 1 for p, a in zip(p_values, adjusted, strict=True))
    by_p = [a for _, a in sorted(zip(p_values, adjusted, strict=True))]
    assert by_p == sorted(by_p)
