"""Error rates, coverage and power on 400 simulated suites; the full simulation is in tests/benchmarks.

A share of 5 % has a standard error of sqrt(0.05 · 0.95 / 400) = 1.1 points, one of 80 % of 2 points. The bounds are
three and a half of them wide, which a sound method misses in one of 2,000 runs; and seeds are fixed.
"""

import pytest

from tests import simulations

SUITES = 400
RARE, USUAL, POWER = (0.012, 0.088), (0.912, 0.988), (0.73, 0.87)


@pytest.mark.parametrize("sizes", [[1] * 100, [5] * 20, simulations.UNLIKE], ids=["items", "clusters", "unlike"])
def test_a_true_null_is_rejected_and_the_truth_covered_as_often_as_said(sizes):
    shares = simulations.clustered(SUITES, sizes)
    assert RARE[0] <= shares["null"] <= RARE[1]
    assert USUAL[0] <= shares["coverage_score"] <= USUAL[1]


@pytest.mark.parametrize("simulate", [simulations.wilson, simulations.seeds], ids=["wilson", "seeds"])
def test_an_interval_covers_the_truth_as_often_as_said(simulate):
    assert USUAL[0] <= simulate(SUITES)["coverage"] <= USUAL[1]


def test_the_exact_mcnemar_test_rejects_no_more_often_than_said():
    assert simulations.mcnemar(SUITES)["null"] <= RARE[1]


def test_of_equal_strategies_few_are_called_clearly_worse_than_the_best():
    """Adjusted for the best alone, as for a baseline named beforehand, it would be 11 %."""
    assert simulations.tied_for_best(SUITES)["familywise"] <= RARE[1]


def test_best_and_baseline_are_one_family():
    """As two families, each adjusted for itself, it is 7 %."""
    assert simulations.best_and_baseline(SUITES // 2)["familywise"] <= 0.09


@pytest.mark.parametrize("repeated", [0, 1, 3])
def test_one_seed_is_not_zero_variance(repeated):
    """With the variance of seeds left out, somebody of eight is called clearly worse in 30 to 90 % of suites."""
    assert simulations.one_seed(SUITES // 2, repeated=repeated)["familywise"] <= 0.1


@pytest.mark.parametrize(("strategies", "suites"), [(8, SUITES // 2), (18, 100)])
def test_a_detectable_difference_is_found_in_four_of_five_suites(strategies, suites):
    """Without adjusting, a difference of the size that was given was found in 52 % (8 strategies) and 30 % (18)."""
    assert 0.68 <= simulations.detectable_gap(suites, strategies)["power"] <= 0.93


@pytest.mark.parametrize(("strategies", "ahead"), [(8, 0.0), (18, 0.0), (8, 3.0), (8, 9.0)])
def test_the_interval_of_the_best_covers_though_it_was_picked(strategies, ahead):
    """The plain interval covers in 82 % (8 equal strategies that share no luck) and 72 % (18)."""
    shares = simulations.winner(SUITES // 2, strategies, ahead)
    assert shares["coverage"] >= 0.90
    assert ahead or shares["plain"] < 0.9


def test_intervals_near_zero_reach_far_enough_inwards():
    shares = simulations.near_zero(2 * SUITES)
    assert 0.925 <= shares["coverage"] <= 0.975
    assert shares["plain"] < 0.92


@pytest.mark.parametrize("share", [0.5, 0.55, 0.7])
def test_a_folded_share_is_covered(share):
    assert simulations.folded(SUITES, share)["coverage"] >= 0.915


def test_percentiles_over_seeds_respect_runs():
    shares = simulations.latency_of_runs(SUITES)
    assert shares["coverage"] >= 0.915
    assert shares["plain"] < 0.8


@pytest.mark.parametrize("case", [simulations.power, simulations.power_of_answers], ids=["t", "mcnemar"])
def test_planned_items_find_what_they_were_planned_for(case):
    assert POWER[0] <= case(SUITES)["power"] <= POWER[1]
