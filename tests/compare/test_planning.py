"""Planned sample sizes: clusters, seeds and pilots count, and the planned power is reached."""

import numpy as np
import pytest
from scipy import stats
from statsmodels.stats.power import TTestPower

from harness import cli
from harness.compare.power.pilot import estimate_pilot, intra_cluster_correlation
from harness.compare.report.comparison import compare
from harness.compare.stats.estimates import difference
from harness.errors import HarnessError
from harness.metrics.statistical_power import PowerAssumptions, design_effect, detectable, items_needed, seeds_needed
from tests.compare.builders import completed, pattern
from tests.compare.samples import sample
from tests.plan.test_planner import model, suite

__all__ = ["model", "suite"]  # fixtures


def test_single_items_have_no_design_effect_and_alike_ones_count_once():
    assert design_effect([1] * 50, 0.3) == 1
    assert design_effect([4] * 50, 1.0) == 4
    assert design_effect([1, 7], 0.5) == pytest.approx(1 + (50 / 8 - 1) * 0.5)


@pytest.mark.parametrize(("sd", "gap"), [(0.5, 0.05), (0.3, 0.15), (1.0, 1.0)])
def test_items_needed_agree_with_the_noncentral_t(sd, gap):
    exact = TTestPower().solve_power(effect_size=gap / sd, power=0.8, alpha=0.05)
    assert abs(items_needed(PowerAssumptions(sd), gap) - exact) <= 1


def test_what_is_needed_is_just_enough():
    assumed = PowerAssumptions(0.5, design=1.4, per_cluster=2.0, exact=True)
    needed = items_needed(assumed, 0.05)
    assert detectable(assumed, needed) <= 0.05 < detectable(assumed, needed - 1)


def test_seeds_that_vary_ask_for_more_of_them():
    calm, restless = (seeds_needed(PowerAssumptions(0.4, seed_sd=sd), 0.03) for sd in (0.002, 0.02))
    assert calm[0] < restless[0]
    assert seeds_needed(PowerAssumptions(0.4, seed_sd=0.5), 0.03) is None


def test_one_cluster_shows_nothing():
    with pytest.raises(HarnessError, match="fewer than two clusters"):
        detectable(PowerAssumptions(0.5, per_cluster=40), 40)


def test_the_correlation_within_clusters_is_that_of_the_analysis_of_variance():
    rng = np.random.default_rng(0)
    groups = [rng.normal(rng.normal(), 1, 5) for _ in range(40)]
    f = stats.f_oneway(*groups).statistic
    correlation = intra_cluster_correlation(np.concatenate(groups), np.repeat(np.arange(40), 5))
    assert correlation == pytest.approx((f - 1) / (f + 4))


def test_a_pilot_tells_the_spread_of_items_and_of_seeds():
    stored = [completed("sentiment", "lora", pattern(s), seed=i, trained=9) for i, s in enumerate((0.8, 0.9))]
    stored.append(completed("sentiment", "zero_shot", pattern(0.5)))
    estimates = estimate_pilot("sentiment", stored)
    gains = np.array(pattern(0.8)) - np.array(pattern(0.5))
    assert (estimates.pairs, estimates.repeated) == (1, 1)
    assert estimates.sd == pytest.approx(gains.std(ddof=1))
    assert estimates.seed_sd == pytest.approx(np.std([0.8, 0.9], ddof=1))
    assert compare(stored).suites[0].tasks[0].rows[0].to_baseline.detectable > 0


def test_one_strategy_is_no_pilot():
    assert estimate_pilot("sentiment", [completed("sentiment", "zero_shot", pattern(0.5))]) is None


@pytest.mark.parametrize("binary", [True, False])
def test_the_planned_items_give_the_promised_power(binary):
    """400 suites: the standard error of a share of 0.8 is 0.02, so 0.74 to 0.86 is three of them."""
    rng = np.random.default_rng(7)
    gap, agree = 0.12, 0.6
    if binary:  # wins and losses share what is left over by items on which both are right, or both are wrong
        wins = (1 - agree + gap) / 2
        sd = (1 - agree - gap**2) ** 0.5
    else:
        sd = 0.4
    n = items_needed(PowerAssumptions(sd, exact=binary), gap)
    hits = 0
    for _ in range(400):
        if binary:
            drawn = rng.random(n)
            a, b = drawn < wins, (drawn >= wins) & (drawn < 1 - agree)
            hits += difference(sample(a, "accuracy"), sample(b, "accuracy")).p < 0.05
        else:
            base = rng.random(n)
            hits += difference(sample(base + rng.normal(gap, sd, n)), sample(base)).p < 0.05
    assert 0.74 <= hits / 400 <= 0.86


def test_the_plan_says_what_a_difference_needs(suite, model, tmp_path, monkeypatch, capsys):
    base = ["harness", "plan", str(suite), "--model", str(model), "--results", str(tmp_path / "results")]
    monkeypatch.setattr("sys.argv", [*base, "--detect", "0.1"])
    assert cli._main() == 0
    assert "To show a true difference of 0.1" in capsys.readouterr().out
    monkeypatch.setattr("sys.argv", [*base, "--detect", "0"])
    assert cli._main() == 2
    assert "must be above 0" in capsys.readouterr().err


def test_a_run_that_detects_is_an_error(suite, monkeypatch, capsys):
    monkeypatch.setattr("sys.argv", ["harness", "run", str(suite), "--detect", "0.1"])
    assert cli._main() == 2
    assert "give it to 'harness plan'" in capsys.readouterr().err
