"""Error rates of gates and histories on simulated releases of known truth; for tests and benchmarks."""

from math import ceil

import numpy as np

from harness.compare.release.figures import ANSWERING_MEMORY
from harness.compare.release.margin_interval import margin_uncertainty
from harness.compare.release.pairing import MeasuredSystem, ReleasePair
from harness.compare.release.resource_ratios import ratios
from harness.compare.release.run_noise import Noise
from harness.compare.stats.estimates import difference
from harness.compare.table.retrieval_split import retrieval_split
from harness.metrics import Items, get
from harness.metrics.items import DEFAULTS
from tests.compare.release_builders import measured
from tests.compare.samples import sample


def margins(suites, *, n=120, margin=0.05, gains=0.0, cluster=1, alike=0.0, graded=False, seed=11):
    """A loss of just the margin in 0/1 or graded scores: how often the gate passes it, and how often a t interval does.

    A share `gains` of the items is won, and as much and the margin lost; `alike` of the items of a `cluster` go the
    same way.
    """
    rng, clusters = np.random.default_rng(seed), np.repeat(np.arange(ceil(n / cluster)), cluster)[:n]
    metric, passed, by_t = "token_f1" if graded else "accuracy", 0, 0
    for _ in range(suites):
        luck = np.where(rng.random(n) < alike, rng.random(clusters[-1] + 1)[clusters], rng.random(n))
        won, lost = luck < gains, luck > 1 - gains - margin * (2 if graded else 1)
        before = np.where(won, 0.0, np.where(lost, 1.0, rng.integers(0, 2, n)))
        size = np.where(won, 0.5, rng.random(n)) if graded else 1.0
        after = before + size * (1.0 * won - 1.0 * lost)
        pair = [sample(scores, metric, clusters=clusters) for scores in (after, before)]
        passed += margin_uncertainty(*pair).low >= -margin
        by_t += difference(*pair).low >= -margin
    return {"passed": passed / suites, "passed by t": by_t / suites}


def change_points(suites, runs=2, sd=0.05, seed=12):
    """Releases with a few runs each and nothing changed: how often their memory is called changed."""
    rng = np.random.default_rng(seed)
    rejected = 0
    for _ in range(suites):
        sides = [
            [measured(seed=run, at=at, requests=0, fatter=float(np.exp(rng.normal(0, sd)))) for run in range(runs)]
            for at in ("2026-01-01", "2026-02-01")
        ]
        pair = ReleasePair(*(MeasuredSystem("mood", "zero_shot", "small", None, tuple(side)) for side in sides))
        ratio = next(ratio for ratio in ratios(pair, Noise()) if ratio.figure == ANSWERING_MEMORY)
        rejected += ratio.p <= 0.05
    return {"null": rejected / suites}


def retrieval_losses(suites, passages=60, per_passage=3, seed=13):
    """Items of which those with the right passage score better, several on each passage: coverage of both losses."""
    rng = np.random.default_rng(seed)
    clusters, metric = np.repeat(np.arange(passages), per_passage), get("token_f1")
    n = len(clusters)
    covered = {"retriever": 0, "reader": 0}
    for _ in range(suites):
        found = rng.random(n) < np.clip(rng.normal(0.7, 0.2, passages), 0, 1)[clusters]
        quality = np.where(found, 0.55, 0.1) + rng.normal(0, 0.15, passages)[clusters]
        right = rng.random(n) < np.clip(quality, 0, 1)
        columns = {
            "ids": tuple(f"{i:04d}" for i in range(n)),
            "answers": tuple("yes" if hit else "no" for hit in right),
            "references": (("yes",),) * n,
            "clusters": tuple(map(str, clusters)),
            "passages": tuple(("right",) if hit else ("wrong",) for hit in found),
            "evidence": (("right",),) * n,
        }
        items = Items(lambda name, columns=columns: columns.get(name, (DEFAULTS.get(name, ()),) * n))
        split = retrieval_split({0: items}, metric, 1.0)
        for name, loss, true in (("retriever", split.retriever, 0.3 * 0.45), ("reader", split.reader, 0.45)):
            covered[name] += loss.low <= true <= loss.high
    return {f"coverage {name}": count / suites for name, count in covered.items()}
