"""Losses at a margin: what Tango's interval passes, what t intervals passed, and that more losses never help."""

import numpy as np
import pytest
from scipy.special import gammaln

from harness.compare.release.margin_interval import margin_uncertainty
from harness.compare.stats.paired_shares import CONTINUITY, paired_interval, score_statistic
from tests import release_simulations
from tests.compare.samples import sample


def lowest(n, losses, gains=0):
    before = [1] * losses + [0] * gains + [1] * (n - losses - gains)
    after = [0] * losses + [1] * gains + [1] * (n - losses - gains)
    return margin_uncertainty(sample(after, "accuracy"), sample(before, "accuracy")).low


def test_of_70_items_each_lost_answer_lowers_the_limit():
    """By t, identical answers were inconclusive at 5 %, and one lost answer passed."""
    limits = [lowest(70, losses) for losses in range(12)]
    assert limits == sorted(limits, reverse=True)
    assert len(set(limits)) == 12


@pytest.mark.parametrize("n", [20, 70, 120, 400])
@pytest.mark.parametrize("margin", [0.02, 0.05, 0.1])
def test_a_loss_at_the_margin_passes_in_two_and_a_half_percent_at_most_whatever_else_flips(n, margin):
    """All outcomes of n items, not a sample of them."""
    gains, losses = (counts.ravel() for counts in np.meshgrid(np.arange(n + 1), np.arange(n + 1)))
    gains, losses = gains[gains + losses <= n], losses[gains + losses <= n]
    passing = np.array([passes(g, c, n, margin) for g, c in zip(gains.tolist(), losses.tolist(), strict=True)])
    for won in (1e-9, 0.005, 0.02, 0.1, 0.3):
        logs = gammaln(n + 1) - gammaln(gains + 1) - gammaln(losses + 1) - gammaln(n - gains - losses + 1)
        logs += gains * np.log(won) + losses * np.log(won + margin)
        logs += (n - gains - losses) * np.log(1 - 2 * won - margin)
        assert np.exp(logs)[passing].sum() <= 0.025


def passes(gains, losses, n, margin):
    """Whether the lower end of the interval lies above the margin, without looking for that end."""
    distance = gains - losses + n * margin
    if distance <= 0:
        return False
    statistic = score_statistic(gains, losses, n, -margin)
    return statistic * (1 - CONTINUITY / distance) >= 1.959963984540054


@pytest.mark.parametrize(
    ("gains", "losses", "n"), [(0, 0, 70), (3, 9, 70), (35, 35, 70), (0.4, 2.5, 33.3), (0, 70, 70)]
)
def test_the_ends_of_the_interval_are_where_the_statistic_is_that_of_the_level(gains, losses, n):
    low, high = paired_interval(gains, losses, n)
    assert -1 <= low <= (gains - losses) / n <= high <= 1
    for end in (low, high):
        if abs(end) < 1:
            distance = abs(gains - losses - n * end)
            assert abs(score_statistic(gains, losses, n, end)) * (1 - CONTINUITY / distance) == pytest.approx(
                1.96, abs=1e-3
            )
    assert paired_interval(losses, gains, n) == pytest.approx((-high, -low))


@pytest.mark.parametrize(
    "case", [{"cluster": 5, "alike": 0.7}, {"graded": True}, {"graded": True, "gains": 0.05}], ids=str
)
def test_clustered_and_graded_scores_pass_a_loss_at_the_margin_less_often_than_by_t(case):
    """A share of 3.5 % of 400 has a standard error of 0.9 points."""
    shares = release_simulations.margins(400, **case)
    assert shares["passed"] <= 0.055
    assert shares["passed"] < shares["passed by t"]
