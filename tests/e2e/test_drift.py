"""Embeddings of real texts: halves of one source are seldom called unlike, items of another are found."""

import numpy as np
import pytest

from harness.compare.drift.mmd import of_inputs
from harness.compare.drift.permutation_tests import SampleSplit
from harness.data.locate import locate
from harness.data.prepare import prepare
from harness.data.suite import load_suite
from harness.retrieval import dense

pytestmark = pytest.mark.e2e


@pytest.fixture(scope="module")
def embedded(fetched):
    """Vectors of 400 sentences of film reviews, and of 120 questions on encyclopedia articles."""
    suite, embedder = load_suite("quickstart"), dense.open_embedder(locate("minilm").path)
    tasks = (prepare(suite, name).test for name in ("sentiment", "questions"))
    return [dense.embed(embedder, [example.query.input for example in test], "query") for test in tasks]


@pytest.fixture(scope="module")
def rejection_rate(embedded):
    """Tell how often halves are called unlike, where a share of the second one is of another source."""

    def call(share, times):
        reviews, questions = embedded
        generator, split = np.random.default_rng(0), SampleSplit.of([None] * 200, [None] * 200, draws=199)
        hits = []
        for _ in range(times):
            mixed, count = reviews[generator.permutation(400)], round(200 * share)
            mixed[200 : 200 + count] = questions[generator.permutation(len(questions))[:count]]
            hits.append(of_inputs(mixed, split)[0].p <= 0.05)
        return np.mean(hits)

    return call


def test_halves_of_one_source_are_called_unlike_in_5_percent(rejection_rate):
    assert 0.015 <= rejection_rate(0, 200) <= 0.09


def test_a_tenth_of_another_source_may_be_found_or_not(rejection_rate):
    assert 0.25 <= rejection_rate(0.1, 40) <= 0.75


def test_a_fifth_of_another_source_is_found(rejection_rate):
    assert rejection_rate(0.2, 20) >= 0.9
