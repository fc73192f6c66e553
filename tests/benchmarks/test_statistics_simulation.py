"""The error rates, coverage and power that reports stand on, each in 2,000 simulated suites: pytest --benchmark-only.

`HARNESS_BENCHMARKS=DIR` keeps what was found. The standard error of a share of 5 % over 2,000 suites is 0.5 points, of
80 % 0.9 points.
"""

import pytest
import side_by_side

from tests import simulations

SUITES = 2_000
NULL, COVERAGE, POWER = (0.035, 0.065), (0.935, 0.965), (0.77, 0.83)
CASES = {
    "t, 200 items": (lambda n: simulations.clustered(n, [1] * 200), {}),
    "clustered t, 40 clusters of 5": (lambda n: simulations.clustered(n, [5] * 40), {}),
    "clustered t, 8 clusters of 4": (lambda n: simulations.clustered(n, [4] * 8), {}),
    # Bell and McCaffrey's degrees of freedom suppose independent items: where two clusters hold most, they come close
    "clustered t, 12 clusters of 1 to 30": (
        lambda n: simulations.clustered(n, simulations.UNLIKE),
        {"null": (0.035, 0.08), "coverage": (0.92, 0.965), "coverage_score": (0.92, 0.965)},
    ),
    "Wilson, 100 items": (simulations.wilson, {}),
    # an exact test may be stricter than it says
    "exact McNemar, 400 items": (simulations.mcnemar, {"null": (0.02, 0.065)}),
    "BCa bootstrap of macro-F1, 200 items": (simulations.macro_f1, {}),
    "t with 3 seeds": (simulations.seeds, {}),
    "t with 5 seeds": (lambda n: simulations.seeds(n, runs=5), {}),
    # whole times bound a percentile: the interval holds it with at least 95 %
    "percentiles of 300 latencies": (
        simulations.latency,
        dict.fromkeys(("coverage_p50", "coverage_p95", "coverage_p99"), (0.935, 1.0)),
    ),
    # a bound for all pairs may be stricter than it says
    "tied for best, 8 strategies": (simulations.tied_for_best, {"familywise": (0.01, 0.065)}),
    "best and baseline, 8 strategies": (simulations.best_and_baseline, {"familywise": (0.01, 0.065)}),
    "one seed each, spread assumed": (simulations.one_seed, {"familywise": (0.0, 0.065)}),
    "one seed each but one of three": (lambda n: simulations.one_seed(n, repeated=1), {"familywise": (0.0, 0.065)}),
    "one seed each but three of three": (lambda n: simulations.one_seed(n, repeated=3), {"familywise": (0.0, 0.065)}),
    "three seeds each": (lambda n: simulations.one_seed(n, repeated=8), {"familywise": (0.0, 0.065)}),
    # found a little more often than promised: Shaffer's steps get easier, and the size is that of the first
    "detectable, 8 strategies": (simulations.detectable_gap, {"power": (0.77, 0.88)}),
    "detectable, 18 strategies": (lambda n: simulations.detectable_gap(n // 4, 18), {"power": (0.75, 0.88)}),
    "the best of 8 equal": (lambda n: simulations.winner(n // 2), {"coverage": (0.935, 0.965)}),
    "the best of 18 equal": (lambda n: simulations.winner(n // 2, 18), {"coverage": (0.935, 0.965)}),
    # how far behind the others truly are is not known, so they count as rivals
    "the best of 8, 3 errors ahead": (lambda n: simulations.winner(n // 2, ahead=3.0), {"coverage": (0.935, 0.985)}),
    "the best of 8, 9 errors ahead": (lambda n: simulations.winner(n // 2, ahead=9.0), {"coverage": (0.935, 0.965)}),
    "token F1 near 0, 120 items": (simulations.near_zero, {}),
    # two intervals folded onto one: more than promised where both sides of one half are likely
    "distance from one half, 0.5": (lambda n: simulations.folded(n, 0.5), {"coverage": (0.935, 0.99)}),
    "distance from one half, 0.55": (simulations.folded, {"coverage": (0.935, 0.99)}),
    "distance from one half, 0.7": (lambda n: simulations.folded(n, 0.7), {}),
    "medians of 3 runs of 100": (simulations.latency_of_runs, {"coverage": (0.935, 0.98)}),
    "planned items, t": (simulations.power, {}),
    "planned items, clusters of 4": (lambda n: simulations.power(n, per_cluster=4, correlation=0.2), {}),
    "planned items, exact McNemar": (simulations.power_of_answers, {}),
}
EXPECTED = {"null": NULL, "coverage": COVERAGE, "coverage_score": COVERAGE, "power": POWER}


@pytest.fixture(scope="module")
def measured_shares():
    """Shares of each case; written when all have run."""
    by_case = {}
    yield by_case
    side_by_side.write(
        "statistics_simulation", {"suites": SUITES, "found": by_case}, (), "test_statistics_simulation.py"
    )


@pytest.mark.parametrize("case", CASES)
def test_the_statistics_do_what_they_say(benchmark, measured_shares, case):
    simulate, wider = CASES[case]
    shares = benchmark.pedantic(simulate, args=(SUITES,), rounds=1, iterations=1)
    bounds = EXPECTED | wider
    measured_shares[case] = {name: {"value": float(v), "wanted": bounds.get(name)} for name, v in shares.items()}
    for name, value in shares.items():
        if name in bounds:
            low, high = bounds[name]
            assert low <= value <= high, f"{name} {value:.4f}"
