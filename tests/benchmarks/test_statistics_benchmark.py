"""Speed of the bootstrap, error rates and coverage by simulation: pytest --benchmark-only."""

import numpy as np
import pytest

from harness import metrics
from harness.compare.stats.bootstrap import bca_p, resample
from harness.compare.stats.estimates import difference, estimate
from harness.compare.stats.sample import Sample
from harness.metrics.items import Items
from harness.metrics.statistical_power import PowerAssumptions, items_needed
from harness.records.record import Row

SUITES = 2_000


def classified(seed, n=1_000, labels=4):
    """A sample of macro-F1, right four times in five; seeds 2k and 2k + 1 are two systems on the same n items."""
    rng = np.random.default_rng(seed)
    truth = np.random.default_rng(seed // 2).integers(labels, size=n)
    predictions = np.where(rng.random(n) < 0.8, truth, rng.integers(labels, size=n))
    pairs = zip(map(str, predictions), map(str, truth), strict=True)
    rows = [Row(task="t", id=f"{i:05d}", answer=a, references=(r,)) for i, (a, r) in enumerate(pairs)]
    items = Items.from_rows(rows, tuple(map(str, range(labels))))
    return Sample.from_items(metrics.get("macro_f1"), [items])


def test_ten_thousand_resamples_of_a_thousand_items_for_twenty_strategies(benchmark):
    samples = [classified(seed) for seed in range(20)]
    drawn = benchmark.pedantic(resample, args=(samples,), rounds=3, iterations=1)
    assert len(drawn) == 20
    assert all(abs(d.draws.mean() - d.value) < 0.01 for d in drawn)


def scored(rng, clusters, size, shift=0.0):
    """Two systems' scores on `clusters` groups of `size` items that are alike, truly `shift` apart."""
    shared = np.repeat(rng.normal(0.5, 0.15, clusters), size)
    leaning = np.repeat(rng.normal(0, 0.1, clusters), size)
    a = shared + leaning + rng.normal(0, 0.1, clusters * size) + shift
    b = shared - leaning + rng.normal(0, 0.1, clusters * size)
    return [_sample("token_f1", x, np.repeat(np.arange(clusters), size)) for x in (a, b)]


def answered(rng, n):
    """Two systems' 0/1 scores on n items, equally often right."""
    hard = rng.random(n)
    return [_sample("accuracy", (rng.random(n) < 0.3 + 0.4 * hard).astype(float), np.arange(n)) for _ in range(2)]


def _sample(metric, scores, clusters):
    ids = tuple(f"{i:05d}" for i in range(len(scores)))
    return Sample(metrics.get(metric), ids, scores[None, :, None], clusters)


@pytest.mark.parametrize(("clusters", "size"), [(200, 1), (40, 5)])
def test_a_true_null_is_rejected_in_5_percent_of_suites_and_covered_in_95(benchmark, clusters, size):
    def simulate():
        rng = np.random.default_rng(1)
        changes = [difference(*scored(rng, clusters, size)) for _ in range(SUITES)]
        return np.mean([d.p < 0.05 for d in changes]), np.mean([d.low <= 0 <= d.high for d in changes])

    rejected, covered = benchmark.pedantic(simulate, rounds=1, iterations=1)
    assert 0.035 <= rejected <= 0.065
    assert 0.935 <= covered <= 0.965


def test_the_exact_mcnemar_test_never_rejects_more_often_than_it_says(benchmark):
    def simulate():
        rng = np.random.default_rng(2)
        return np.mean([difference(*answered(rng, 400)).p < 0.05 for _ in range(SUITES)])

    assert 0.03 <= benchmark.pedantic(simulate, rounds=1, iterations=1) <= 0.055


@pytest.mark.parametrize(("clusters", "size"), [(300, 1), (60, 5)])
def test_the_interval_of_a_mean_covers_the_truth_in_95_percent_of_suites(benchmark, clusters, size):
    def simulate():
        rng = np.random.default_rng(3)
        intervals = [estimate(scored(rng, clusters, size)[0]) for _ in range(SUITES)]
        return np.mean([e.low <= 0.5 <= e.high for e in intervals])

    assert 0.935 <= benchmark.pedantic(simulate, rounds=1, iterations=1) <= 0.965


def test_the_planned_number_of_items_gives_the_promised_power(benchmark):
    n = items_needed(PowerAssumptions(0.3), 0.06)

    def simulate():
        rng = np.random.default_rng(4)
        return np.mean([difference(*_apart(rng, n, 0.06, 0.3)).p < 0.05 for _ in range(SUITES)])

    assert abs(benchmark.pedantic(simulate, rounds=1, iterations=1) - 0.8) <= 0.03


def test_the_bootstrap_of_macro_f1_rejects_a_true_null_in_5_percent_of_suites(benchmark):
    def simulate():
        rejected = []
        for seed in range(SUITES // 2):
            first, other = resample(
                [classified(2 * seed, 300), classified(2 * seed + 1, 300)], resamples=2_000, seed=seed
            )
            rejected.append(bca_p(first.minus(other)) < 0.05)
        return np.mean(rejected)

    assert 0.03 <= benchmark.pedantic(simulate, rounds=1, iterations=1) <= 0.07


def _apart(rng, n, shift, sd):
    """Two systems' scores whose differences have the given mean and standard deviation."""
    base = rng.normal(0.5, 0.1, n)
    return [_sample("token_f1", scores, np.arange(n)) for scores in (base + rng.normal(shift, sd, n), base)]
