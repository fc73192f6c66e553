"""Error rates, coverage and power of the statistics on simulated suites of known truth; for tests and benchmarks.

Each function simulates `suites` suites and returns shares of them: how often a true null is rejected at 5 %, how often
a 95 % interval holds the truth, how often a planned number of items finds the difference that it was planned for.
"""

from math import ceil

import numpy as np
from scipy.special import ndtri, stdtrit

from harness.compare.cost.latency import quantiles, quantiles_of_runs
from harness.compare.stats.bootstrap import bca_interval, bca_p, resample
from harness.compare.stats.estimates import ErrorParts, difference, estimate
from harness.compare.stats.panel import Panel
from harness.compare.trials.seed_noise import with_seed_noise
from harness.metrics.statistical_power import PowerAssumptions, design_effect, items_needed
from tests.compare.samples import sample, two_classes

UNLIKE = [1] * 4 + [2] * 3 + [5] * 3 + [30] * 2
"""Sizes of few clusters, two of which hold most of the items."""


def clustered(suites, sizes, seed=1):
    """Two systems that are equally good on items in clusters of the given sizes: null and coverage."""
    rng = np.random.default_rng(seed)
    groups, n = np.repeat(np.arange(len(sizes)), sizes), sum(sizes)
    rejected = covered = score_covered = 0
    for _ in range(suites):
        shared, lean = rng.normal(0.5, 0.15, len(sizes))[groups], rng.normal(0, 0.1, len(sizes))[groups]
        a, b = (sample(shared + s * lean + rng.normal(0, 0.1, n), clusters=groups) for s in (1, -1))
        change, interval = difference(a, b), estimate(a)
        rejected += change.p < 0.05
        covered += change.low <= 0 <= change.high
        score_covered += interval.low <= 0.5 <= interval.high
    return {"null": rejected / suites, "coverage": covered / suites, "coverage_score": score_covered / suites}


def wilson(suites, n=100, seed=2):
    """A share of right answers anywhere between 5 and 95 %."""
    rng = np.random.default_rng(seed)
    covered = 0
    for share in rng.uniform(0.05, 0.95, suites):
        interval = estimate(sample(rng.random(n) < share, "accuracy"))
        covered += interval.low <= share <= interval.high
    return {"coverage": covered / suites}


def mcnemar(suites, n=400, seed=3):
    """Two systems that are right equally often; the exact test may reject less often than 5 %, never more."""
    rng = np.random.default_rng(seed)
    rejected = 0
    for _ in range(suites):
        hard = rng.random(n)
        a, b = (sample(rng.random(n) < 0.3 + 0.4 * hard, "accuracy") for _ in range(2))
        rejected += difference(a, b).p < 0.05
    return {"null": rejected / suites}


def macro_f1(suites, n=200, resamples=2_000, seed=4):
    """Two systems of equal macro-F1, which is their share of right answers as both classes are alike."""
    rng = np.random.default_rng(seed)
    rejected = covered = 0
    for number in range(suites):
        truth, hard = rng.integers(2, size=n), rng.random(n)
        pair = [two_classes(rng.random(n) < 0.6 + 0.3 * hard, truth) for _ in range(2)]
        first, other = resample(pair, resamples=resamples, seed=number)
        rejected += bca_p(first.minus(other)) < 0.05
        low, high = bca_interval(first)
        covered += low <= 0.75 <= high
    return {"null": rejected / suites, "coverage": covered / suites}


def seeds(suites, runs=3, n=150, sd=0.03, seed=5):
    """Two systems trained with several seeds each, whose score moves from seed to seed by `sd`."""
    rng = np.random.default_rng(seed)
    rejected = covered = 0
    for _ in range(suites):
        base, pair = rng.normal(0.5, 0.2, n), []
        for _ in range(2):
            luck = rng.normal(0, sd, (runs, 1))
            pair.append(sample(base + luck + rng.normal(0, 0.15, n) + rng.normal(0, 0.05, (runs, n))))
        interval = estimate(pair[0])
        rejected += difference(*pair).p < 0.05
        covered += interval.low <= 0.5 <= interval.high
    return {"null": rejected / suites, "coverage": covered / suites}


def latency(suites, n=300, seed=9):
    """Percentiles of times that are log-normal, the 95th and the 99th."""
    rng = np.random.default_rng(seed)
    covered = {0.5: 0, 0.95: 0, 0.99: 0}
    for _ in range(suites):
        for quantile in quantiles(np.exp(rng.normal(0, 0.5, n)).tolist()):
            if quantile.share in covered:
                true = float(np.exp(0.5 * ndtri(quantile.share)))
                covered[quantile.share] += (quantile.low_s or 0) <= true <= (quantile.high_s or np.inf)
    return {f"coverage_p{share:.0%}".rstrip("%"): count / suites for share, count in covered.items()}


def tied_for_best(suites, strategies=8, n=150, seed=6):
    """Strategies that are equally good: how often any of them is called clearly worse than the one that came first."""
    rng = np.random.default_rng(seed)
    wrong = 0
    for _ in range(suites):
        base = rng.normal(0.5, 0.2, n)
        panel = Panel({k: sample(base + rng.normal(0, 0.2, n)) for k in range(strategies)})
        order = sorted(range(strategies), key=lambda k: -panel.estimate(k).value)
        wrong += any(change.p_holm <= 0.05 for change in panel.compare_to_best(order).values())
    return {"familywise": wrong / suites}


def one_seed(suites, *, strategies=8, repeated=0, runs=3, n=300, sd=0.02, seed=10):
    """Equal strategies, some with several seeds and the others with one: how often is any called worse than the best.

    Their scores move by `sd` from seed to seed, which reference runs of such methods exceed in one case of ten.
    """
    rng = np.random.default_rng(seed)
    wrong = 0
    for _ in range(suites):
        base = rng.normal(0.5, 0.2, n)
        counts = [runs] * repeated + [1] * (strategies - repeated)
        luck = [rng.normal(0, sd, (count, 1)) + rng.normal(0, 0.02, (count, n)) for count in counts]
        samples = [sample(base + rng.normal(0, 0.15, n) + moved) for moved in luck]
        panel = Panel(dict(enumerate(with_seed_noise(samples, ["tuning"] * strategies))))
        order = sorted(range(strategies), key=lambda k: -samples[k].value)
        wrong += any(change.p_holm <= 0.05 for change in panel.compare_to_best(order).values())
    return {"familywise": wrong / suites}


def best_and_baseline(suites, strategies=8, n=150, seed=11):
    """Equal strategies, one of them the baseline: any called worse than the best, or unlike the baseline."""
    rng = np.random.default_rng(seed)
    wrong = 0
    for _ in range(suites):
        base = rng.normal(0.5, 0.2, n)
        panel = Panel({k: sample(base + rng.normal(0, 0.2, n)) for k in range(strategies)})
        order = sorted(range(strategies), key=lambda k: -panel.estimate(k).value)
        families = panel.compare_to_best_and(order, dict.fromkeys(range(1, strategies), 0))
        wrong += any(change.p_holm <= 0.05 for family in families for change in family.values())
    return {"familywise": wrong / suites}


def detectable_gap(suites, strategies=8, n=200, sd=0.2, seed=12):
    """A strategy that is better than the others by what is said to be detectable: how often one is told from it."""
    rng = np.random.default_rng(seed)
    error = ErrorParts(items=sd * (2 / n) ** 0.5, items_df=n - 1)
    gap = error.smallest(strategies * (strategies - 1) // 2)
    detected = 0
    for _ in range(suites):
        base = rng.normal(0.5, 0.2, n)
        samples = {k: sample(base + gap * (k == 0) + rng.normal(0, sd, n)) for k in range(strategies)}
        panel = Panel(samples)
        order = sorted(samples, key=lambda k: -samples[k].value)
        to_best = panel.compare_to_best(order)
        detected += order[0] == 0 and to_best[1].p_holm <= 0.05
    return {"power": detected / suites}


def winner(suites, strategies=8, ahead=0.0, n=200, seed=13):
    """The best of several, one of which is ahead by so many standard errors: coverage of its interval."""
    rng = np.random.default_rng(seed)
    covered = plain = 0
    gap = ahead * 0.2 * (2 / n) ** 0.5
    for _ in range(suites):
        base = rng.normal(0, 0.1, n)
        samples = {k: sample(0.5 + gap * (k == 0) + base + rng.normal(0, 0.2, n)) for k in range(strategies)}
        panel = Panel(samples)
        order = sorted(samples, key=lambda k: -samples[k].value)
        true = 0.5 + gap * (order[0] == 0)
        best, alone = panel.best(order, higher_is_better=True), panel.estimate(order[0])
        covered += best.low <= true <= best.high
        plain += alone.low <= true <= alone.high
    return {"coverage": covered / suites, "plain": plain / suites}


def near_zero(suites, share=0.06, n=120, seed=14):
    """Token F1 of a system that gets few items right: coverage on the logit scale, and of the plain t interval."""
    rng = np.random.default_rng(seed)
    parts = np.array([0.25, 0.4, 0.5, 0.67, 1.0])
    true, covered, plain = share * parts.mean(), 0, 0
    for _ in range(suites):
        scores = np.where(rng.random(n) < share, rng.choice(parts, n), 0.0)
        interval, half = estimate(sample(scores)), stdtrit(n - 1, 0.975) * scores.std(ddof=1) / n**0.5
        covered += interval.low <= true <= interval.high
        plain += abs(scores.mean() - true) <= half
    return {"coverage": covered / suites, "plain": plain / suites}


def folded(suites, share=0.55, n=300, seed=15):
    """Distance of a share from one half: coverage of the share's interval, folded."""
    rng = np.random.default_rng(seed)
    covered = 0
    for _ in range(suites):
        interval = estimate(sample(rng.random(n) < share, "stereotype_distance"))
        covered += interval.low <= abs(share - 0.5) <= interval.high
    return {"coverage": covered / suites}


def latency_of_runs(suites, runs=3, n=100, drift=0.05, seed=16):
    """Medians of runs that move together by `drift`: coverage over runs, and of one pool of requests."""
    rng = np.random.default_rng(seed)
    covered = plain = 0
    for _ in range(suites):
        times = np.exp(rng.normal(0, drift, (runs, 1)) + rng.normal(0, 0.2, (runs, n)))
        over_runs, pooled = quantiles_of_runs(times.tolist())[0], quantiles(times.ravel().tolist())[0]
        covered += over_runs.low_s <= 1 <= over_runs.high_s
        plain += pooled.low_s <= 1 <= pooled.high_s
    return {"coverage": covered / suites, "plain": plain / suites}


def power(suites, *, gap=0.06, sd=0.3, per_cluster=1, correlation=0.0, seed=7):
    """The number of items that `plan --detect` names, and how often they find the difference."""
    rng = np.random.default_rng(seed)
    design = design_effect([per_cluster], correlation)
    needed = items_needed(PowerAssumptions(sd, design=design, per_cluster=per_cluster), gap)
    groups = np.repeat(np.arange(ceil(needed / per_cluster)), per_cluster)
    detected = 0
    for _ in range(suites):
        lean = rng.normal(0, sd * correlation**0.5, groups[-1] + 1)[groups]
        gain = gap + lean + rng.normal(0, sd * (1 - correlation) ** 0.5, len(groups))
        base = rng.normal(0.5, 0.1, len(groups))
        detected += difference(sample(base + gain, clusters=groups), sample(base, clusters=groups)).p < 0.05
    return {"power": detected / suites, "items": len(groups)}


def power_of_answers(suites, gap=0.08, alike=0.6, seed=8):
    """The same for 0/1 scores of independent items, which the exact McNemar test judges."""
    rng = np.random.default_rng(seed)
    n = items_needed(PowerAssumptions((1 - alike - gap**2) ** 0.5, exact=True), gap)
    wins = (1 - alike + gap) / 2
    detected = 0
    for _ in range(suites):
        drawn = rng.random(n)
        a, b = drawn < wins, (drawn >= wins) & (drawn < 1 - alike)
        detected += difference(sample(a, "accuracy"), sample(b, "accuracy")).p < 0.05
    return {"power": detected / suites, "items": n}
