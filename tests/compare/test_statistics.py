"""Estimates and differences: the right method for each metric, sound at the edges, and honest error rates."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats
from scipy.special import expit, logit

from harness import metrics
from harness.compare.stats.bootstrap import bca_interval, bca_p, resample
from harness.compare.stats.estimates import difference, estimate
from harness.compare.stats.sample import Sample
from harness.errors import HarnessError
from harness.metrics.items import Items
from harness.metrics.metric import Metric
from harness.records.record import Row
from tests.compare.samples import sample, two_classes

unit = st.floats(0, 1, width=16)
scored = st.integers(1, 12).flatmap(
    lambda n: st.tuples(
        *[st.lists(unit, min_size=n, max_size=n)] * 2, st.lists(st.integers(0, 4), min_size=n, max_size=n)
    )
)


def test_independent_0_1_scores_get_wilsons_interval():
    interval = estimate(sample([1, 1, 1, 0, 1], "accuracy"))
    expected = stats.binomtest(4, 5).proportion_ci(method="wilson")
    assert (interval.low, interval.high) == pytest.approx((expected.low, expected.high))
    assert (interval.value, interval.n, interval.clusters, interval.method) == (0.8, 5, None, "Wilson")


def test_other_means_get_a_t_interval_on_the_logit_scale():
    scores = np.random.default_rng(0).random(40)
    interval, mean = estimate(sample(scores)), scores.mean()
    ends = stats.t.interval(0.95, 39, logit(mean), stats.sem(scores) / (mean * (1 - mean)))
    assert (interval.low, interval.high) == pytest.approx(tuple(expit(ends)))
    assert interval.method == "t on the logit scale"


def test_a_score_without_a_finite_range_keeps_its_plain_t_interval():
    bits = Metric("mine", "bits an item", frozenset({"qa"}), lambda items: items, bounds=(0.0, np.inf))
    scores = np.random.default_rng(0).random(40) * 3
    interval = estimate(replace(sample(scores), metric=bits))
    assert (interval.low, interval.high) == pytest.approx(stats.t.interval(0.95, 39, scores.mean(), stats.sem(scores)))


@pytest.mark.parametrize("right", [45, 20, 80])
def test_the_distance_of_a_share_from_one_half_has_the_shares_interval_folded(right):
    """Of 100, 45 lie at [0.35, 0.55], which holds one half: the distance may be 0."""
    scores = [1] * right + [0] * (100 - right)
    interval, share = estimate(sample(scores, "stereotype_distance")), estimate(sample(scores, "stereotype_share"))
    ends = sorted((abs(share.low - 0.5), abs(share.high - 0.5)))
    assert interval.value == pytest.approx(abs(right / 100 - 0.5))
    assert interval.low == pytest.approx(0 if right == 45 else ends[0])
    assert interval.high == pytest.approx(ends[1])


def test_clustered_0_1_scores_get_a_clustered_interval():
    interval = estimate(sample([1, 1, 1, 0, 0, 0, 1, 0], "accuracy", clusters=[0, 0, 0, 1, 1, 1, 2, 2]))
    assert (interval.clusters, interval.method) == (3, "t, clustered on the logit scale")


def test_copying_every_item_narrows_nothing_where_the_copies_are_a_cluster():
    scores = np.random.default_rng(0).random(30)
    once, twice = estimate(sample(scores)), estimate(sample(np.repeat(scores, 2), clusters=np.repeat(np.arange(30), 2)))
    assert (once.low, once.high) == pytest.approx((twice.low, twice.high))


@settings(max_examples=80, deadline=None)
@given(scored)
def test_an_interval_holds_its_value_and_is_never_without_width(drawn):
    a, b, clusters = drawn
    interval = estimate(sample(a, clusters=clusters))
    assert 0 <= interval.low <= interval.value <= interval.high <= 1
    assert interval.high > interval.low
    change = difference(sample(a, clusters=clusters), sample(b, clusters=clusters))
    assert -1 <= change.low <= change.value <= change.high <= 1
    assert change.high > change.low
    assert 0 <= change.p <= 1


@settings(max_examples=60, deadline=None)
@given(scored)
def test_swapping_the_systems_negates_the_difference(drawn):
    a, b, clusters = drawn
    forth = difference(sample(a, clusters=clusters), sample(b, clusters=clusters))
    back = difference(sample(b, clusters=clusters), sample(a, clusters=clusters))
    assert (forth.value, forth.low, forth.high) == pytest.approx((-back.value, -back.high, -back.low), abs=1e-9)
    assert (forth.p, forth.detectable) == pytest.approx((back.p, back.detectable))


def test_the_difference_of_a_system_with_itself_is_nothing_with_p_1():
    change = difference(sample([0.2, 0.9, 0.4]), sample([0.2, 0.9, 0.4]))
    assert (change.value, change.p) == (0, 1)
    assert change.low < 0 < change.high


def test_one_item_or_one_cluster_settles_nothing():
    assert estimate(sample([0.6])).high - estimate(sample([0.6])).low > 0.7
    assert difference(sample([1.0]), sample([0.0])).p > 0.3
    change = difference(sample([0.9, 0.8, 1.0], clusters=[0, 0, 0]), sample([0.1, 0.0, 0.2], clusters=[0, 0, 0]))
    assert change.p > 0.3
    assert change.low < 0
    assert change.method.startswith("one cluster")


@pytest.mark.parametrize(
    ("value", "n", "clear"), [(0.25, 10, False), (0.25, 16, True), (1.0, 3, False), (1.0, 4, True)]
)
def test_a_difference_without_spread_needs_enough_items_to_be_clear(value, n, clear):
    change = difference(sample([value] * n), sample([0.0] * n))
    assert (change.low > 0) == (change.p < 0.05) == clear


def test_pairing_finds_what_separate_intervals_cannot():
    base = np.random.default_rng(0).random(100) * 0.8
    better, worse = sample(base + 0.05 + 0.02 * np.sin(np.arange(100))), sample(base)
    assert estimate(worse).high > estimate(better).low
    assert difference(better, worse).p < 1e-6


def test_the_difference_of_0_1_scores_is_tested_by_mcnemar():
    change = difference(sample([1] * 5 + [0] * 20, "accuracy"), sample([0] * 25, "accuracy"))
    assert change.p == pytest.approx(2 * 0.5**5)
    assert "McNemar" in change.method


def test_the_detectable_difference_is_of_the_level_that_decides():
    a, b = np.random.default_rng(0).random((2, 50))
    change, error = difference(sample(a), sample(b)), stats.sem(a - b)
    assert change.detectable == pytest.approx((stats.t.ppf(0.975, 49) + stats.t.ppf(0.8, 49)) * error, rel=1e-6)
    strict = stats.t.ppf(1 - 0.025 / 28, 49) + stats.t.ppf(0.8, 49)
    assert change.adjusted(0.5, 28).detectable == pytest.approx(strict * error, rel=1e-6)


def test_seeds_that_disagree_widen_the_interval_and_seeds_that_agree_do_not():
    items = np.random.default_rng(0).random(100) * 0.5
    alone, alike = estimate(sample(items)), estimate(sample([items, items, items]))
    apart = estimate(sample([items, items + 0.1, items + 0.2]))
    assert (alike.low, alike.high) == pytest.approx((alone.low, alone.high))
    assert apart.value == pytest.approx(alone.value + 0.1)
    assert apart.high - apart.low > 2 * (alone.high - alone.low)
    assert (apart.seeds, apart.seed_sd) == (3, pytest.approx(0.1))
    assert alone.seed_sd is None


def test_the_variance_of_seeds_is_added_to_that_of_items():
    items = np.random.default_rng(0).random(400) * 0.5
    interval, alone = estimate(sample([items, items + 0.02])), estimate(sample(items + 0.01))
    item, seed = stats.sem(items) ** 2, np.var([0, 0.02], ddof=1) / 2
    df = (item + seed) ** 2 / (item**2 / 399 + seed**2)
    factor = stats.t.ppf(0.975, df) * np.sqrt(item + seed) / (stats.t.ppf(0.975, 399) * np.sqrt(item))
    assert interval.high - interval.value == pytest.approx(factor * (alone.high - alone.value))
    assert interval.value - interval.low == pytest.approx(factor * (alone.value - alone.low))


def test_a_bootstrapped_mean_agrees_with_the_t_interval():
    scores = np.random.default_rng(0).random(300)
    expected = estimate(sample(scores))
    low, high = bca_interval(resample([sample(scores)])[0])
    assert (low, high) == pytest.approx((expected.low, expected.high), abs=0.002)


def test_the_bootstrap_agrees_with_scipys():
    rng = np.random.default_rng(0)
    scores = rng.beta(0.5, 3, 80)
    reference = stats.bootstrap((scores,), np.mean, n_resamples=10_000, method="BCa", rng=rng).confidence_interval
    assert bca_interval(resample([sample(scores)])[0]) == pytest.approx(tuple(reference), abs=0.004)


def test_bootstrap_p_agrees_with_the_paired_t_test():
    a, b = np.random.default_rng(3).normal(0.5, 0.1, (2, 200))
    minuend, other = resample([sample(a), sample(b)])
    assert bca_p(minuend.minus(other)) == pytest.approx(stats.ttest_rel(a, b).pvalue, abs=0.03)


def test_resampling_draws_the_same_items_for_every_system_and_repeats_itself():
    truth = np.arange(60) % 2
    right = np.random.default_rng(0).random(60) < 0.7
    first, same = resample([two_classes(right, truth), two_classes(right, truth)])
    assert (first.draws == same.draws).all()
    assert estimate(two_classes(right, truth)) == estimate(two_classes(right, truth))


def test_macro_f1_gets_a_bootstrap_interval_around_its_value():
    truth, rng = np.arange(200) % 2, np.random.default_rng(0)
    interval = estimate(two_classes(rng.random(200) < 0.8, truth))
    assert interval.method == "BCa bootstrap"
    assert 0.6 < interval.low < interval.value < interval.high < 0.85
    compared = difference(two_classes(rng.random(200) < 0.95, truth), two_classes(rng.random(200) < 0.6, truth))
    assert compared.low > 0
    assert compared.p < 0.001


def test_a_perfect_macro_f1_still_has_an_interval():
    interval = estimate(two_classes([True] * 20, np.arange(20) % 2))
    assert interval.value == 1
    assert interval.low < 0.9
    assert interval.method == "no spread: Wilson's limit"


def test_clusters_widen_a_bootstrap_interval():
    right = np.repeat(np.random.default_rng(0).random(40) < 0.7, 5)
    apart = two_classes(right, np.arange(200) % 2)
    together = replace(apart, clusters=np.repeat(np.arange(40), 5))
    assert np.ptp(bca_interval(resample([together])[0])) > 1.7 * np.ptp(bca_interval(resample([apart])[0]))


def test_a_metric_that_scores_nan_is_refused():
    broken = Metric("broken", "", frozenset({"qa"}), lambda items: np.full((len(items), 1), np.nan))
    with pytest.raises(HarnessError, match="'broken' gave a score that is no number"):
        Sample.from_items(broken, [Items.from_rows([Row(task="t", id="0", references=("a",))])])


def test_seeds_are_lined_up_on_their_common_items_in_any_order():
    def seed(*hits):
        return Items.from_rows([Row(task="t", id=i, references=("a",), answer=a) for i, a in hits])

    aligned = Sample.from_items(
        metrics.get("accuracy"), [seed(("x", "a"), ("y", "b")), seed(("z", "a"), ("y", "a"), ("x", "a"))]
    )
    assert aligned.ids == ("x", "y")
    assert aligned.scores[:, :, 0].tolist() == [[1, 0], [1, 1]]
    assert Sample.from_items(metrics.get("accuracy"), [seed(("x", "a")), seed(("y", "a"))]) is None


@pytest.mark.parametrize(("clusters", "size"), [(150, 1), (30, 5)])
def test_a_true_null_is_rejected_about_as_often_as_it_should_be(clusters, size):
    rng = np.random.default_rng(1)
    codes, rejected, covered = np.repeat(np.arange(clusters), size), 0, 0
    for _ in range(400):
        shared, leaning = np.repeat(rng.normal(0, 0.1, (2, clusters)), size, axis=1)
        a, b = (0.5 + shared + side * leaning + rng.normal(0, 0.1, clusters * size) for side in (1, -1))
        rejected += difference(sample(a, clusters=codes), sample(b, clusters=codes)).p < 0.05
        interval = estimate(sample(a, clusters=codes))
        covered += interval.low <= 0.5 <= interval.high
    assert 0.02 <= rejected / 400 <= 0.085
    assert 0.915 <= covered / 400 <= 0.98
