"""Two-sample tests: planted shifts are found, halves of one source are not called different, figures are scipy's."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from harness.compare.drift.mmd import of_inputs
from harness.compare.drift.permutation_tests import SampleSplit, of_labels, of_lengths


def sides(test, fresh, draws=199):
    return SampleSplit.of([None] * test, [None] * fresh, draws=draws)


def embedded(generator, n, moved=0.0):
    """Unit vectors around a centre that can be moved."""
    vectors = generator.normal(size=(n, 16))
    vectors[:, 0] += moved
    return (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32)


@pytest.fixture(scope="module")
def halves():
    """All three tests, on 300 pairs of halves of one source."""
    generator = np.random.default_rng(0)
    both = sides(40, 40, draws=99)
    return [
        (
            of_inputs(embedded(generator, 80), both)[0],
            of_labels(generator.choice(list("abc"), 80, p=[0.5, 0.3, 0.2]).tolist(), both),
            of_lengths(generator.poisson(12, 80).tolist(), both),
        )
        for _ in range(300)
    ]


@pytest.mark.parametrize("place", [0, 1, 2])
def test_halves_of_one_source_are_called_different_in_5_percent(halves, place):
    assert 0.01 <= np.mean([found[place].p <= 0.05 for found in halves]) <= 0.085


@pytest.mark.parametrize("place", [0, 1, 2])
def test_intervals_hold_what_is_true_where_nothing_has_shifted(halves, place):
    held = [found[place].size.low <= found[place].size.none <= found[place].size.high for found in halves]
    assert np.mean(held) >= 0.91


def test_texts_of_one_cluster_count_once():
    generator = np.random.default_rng(1)
    clusters = [f"c{i // 8}" for i in range(80)]
    both = SampleSplit.of(clusters, clusters, draws=99)
    alone = sides(80, 80, draws=99)
    found = [np.repeat(generator.poisson(12, 20), 8).tolist() for _ in range(100)]
    assert np.mean([of_lengths(words, both).p <= 0.05 for words in found]) <= 0.1
    assert np.mean([of_lengths(words, alone).p <= 0.05 for words in found]) >= 0.4


def test_a_moved_centre_is_found_and_its_items_come_first():
    generator = np.random.default_rng(2)
    vectors = np.concatenate([embedded(generator, 60), embedded(generator, 30), embedded(generator, 30, moved=6)])
    found, witness = of_inputs(vectors, sides(60, 60))
    assert found.p <= 0.01
    assert found.size.low > 0.5
    assert set(np.argsort(-witness)[:20].tolist()) <= set(range(90, 120))


def test_sides_without_anything_in_common_have_an_interval_too():
    generator = np.random.default_rng(3)
    vectors = np.concatenate([embedded(generator, 20, moved=-50), embedded(generator, 20, moved=50)])
    size = of_inputs(vectors, sides(20, 20))[0].size
    assert size.value == 1
    assert 0.5 < size.low < 1


def test_the_largest_distance_is_scipys():
    words = np.random.default_rng(4).poisson(9, 130)
    found = of_lengths(words.tolist(), sides(70, 60, draws=999))
    expected = stats.ks_2samp(words[:70], words[70:])
    assert found.statistic == pytest.approx(expected.statistic)
    assert abs(found.p - expected.pvalue) < 0.2  # ties make scipy's too large


def test_chi_squared_is_scipys():
    labels = np.random.default_rng(5).choice(["a", "b", "c"], 150)
    labels[100:][:12] = "c"
    found = of_labels(labels.tolist(), sides(100, 50, draws=1999))
    table = [[(side == name).sum() for name in "abc"] for side in (labels[:100], labels[100:])]
    expected = stats.chi2_contingency(table, correction=False)
    assert found.statistic == pytest.approx(expected.statistic, rel=1e-4)
    assert found.p == pytest.approx(expected.pvalue, abs=0.03)


def test_the_distance_of_labels_is_the_share_that_would_have_to_change():
    found = of_labels(["a"] * 50 + ["b"] * 50 + ["a"] * 80 + ["b"] * 20, sides(100, 100))
    assert found.size.value == pytest.approx(0.3)
    assert 0.1 < found.size.low < 0.3 < found.size.high < 0.5
    assert found.p <= 0.01


def test_longer_texts_are_found_with_their_median():
    generator = np.random.default_rng(6)
    found = of_lengths([*generator.poisson(12, 80), *generator.poisson(20, 80)], sides(80, 80))
    assert found.p <= 0.01
    assert found.size.low > 4
    assert found.size.value == pytest.approx(8, abs=2)


def test_a_shift_of_labels_as_small_as_is_said_is_found_in_four_of_five():
    generator = np.random.default_rng(7)
    both = sides(150, 150, draws=99)
    moved = of_labels(generator.choice(["a", "b"], 300).tolist(), both).detectable / 2
    shares = [0.5 + moved, 0.5 - moved]
    drawn = ([generator.choice(["a", "b"], 150, p=p) for p in (shares, shares[::-1])] for _ in range(150))
    found = [of_labels(np.concatenate(labels).tolist(), both).p <= 0.05 for labels in drawn]
    assert 0.68 <= np.mean(found) <= 0.9


@settings(max_examples=25, deadline=None)
@given(st.lists(st.integers(0, 4), min_size=16, max_size=40), st.integers(8, 24))
def test_intervals_hold_their_values_and_p_is_a_share(words, n):
    both = sides(8, len(words) - 8, draws=49) if n >= len(words) - 8 else sides(n, len(words) - n, draws=49)
    for found in (of_lengths(words, both), of_labels([str(word) for word in words], both)):
        assert found.size.low <= found.size.value <= found.size.high
        assert 1 / 50 <= found.p <= 1
        assert 0 < found.detectable <= 1
