"""How often the gate is wrong: 200 releases in which nothing changed, and planted losses, on stored answers.

Each release is drawn from the reference results of quickstart: its items (clusters) are drawn again with replacement,
the same ones for both sides. Nothing changed means: a share of the answers is another, as many for the better as for
the worse on average (numbers that are rounded differently do that), each run is some per cent faster or slower as a
whole, each request on its own, and the peak of memory moves; five repeats have told how far runs differ. Planted losses
take their answers from stored systems that lack what is taken away, or multiply seconds and bytes.
"""

from collections import Counter
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import side_by_side

from harness.compare.cost.resources import machine as machine_of
from harness.compare.release.gate import GateLimits, judge
from harness.compare.release.pairing import MeasuredSystem, MeasuredTrial, Pairing, ReleasePair, measured, systems
from harness.compare.release.run_noise import FigureNoise, Noise, SystemNoise
from harness.compare.stats.intervals import wilson
from harness.metrics import get
from harness.metrics.items import COLUMNS
from harness.records.measurements import Request, Serving
from harness.store.results_store import Store, newest

RELEASES = 200
REQUESTS = 20
FLIPS = 0.01
"""Share of the score that is won, and as much that is lost, where nothing changed."""
RUN_SD, REQUEST_SD, MEMORY_SD = 0.02, 0.10, 0.005
MACHINES = {
    "quiet machine": (0.03, REQUESTS),
    "busy machine": (REQUEST_SD, REQUESTS),
    "busy, 100 requests": (REQUEST_SD, 100),
}
"""How far requests for one item differ (standard deviation of the logarithm), and how many are asked."""
REFERENCE = Path(__file__).parents[2] / "results" / "reference"
SYSTEMS = (
    ("sentiment", "zero_shot"),
    ("sentiment", "few_shot"),
    ("sentiment", "lora"),
    ("questions", "zero_shot"),
    ("questions", "rag(k=1)"),
    ("knowledge", "zero_shot"),
)
PLANTED = {
    "prompt changed: few_shot loses its examples": (("sentiment", "few_shot"), {"answers_of": "zero_shot"}),
    "retrieval broken: rag(k=1) gets no passage": (("questions", "rag(k=1)"), {"answers_of": "zero_shot"}),
    "adapter lost: lora answers as the model before": (("sentiment", "lora"), {"answers_of": "zero_shot"}),
    "answers slowed by 30 %": (("sentiment", "lora"), {"slower": 1.30}),
    "answers slowed by 20 %": (("sentiment", "lora"), {"slower": 1.20}),
    "memory leaked: 10 % more": (("sentiment", "lora"), {"fatter": 1.10}),
}


@pytest.fixture(scope="module")
def stored():
    found = systems(measured(newest(Store(REFERENCE).load("quickstart")).trials))
    return {(one.task, one.strategy): one.trials[0] for one in found}


def drawn(one, places, tag):
    """Take the items at these places, each as an item of its own."""
    task = one.record.trial.task
    items = one.items[task]
    columns = {
        name: tuple(values[i] for i in places) for name in COLUMNS if len(values := getattr(items, name)) == len(items)
    }
    ids = tuple(f"{n}" for n in range(len(places)))
    clusters = tuple(None if c is None else f"{c}/{t}" for c, t in zip(columns["clusters"], tag, strict=True))
    tokens = {new: one.tokens[items.ids[i]] for new, i in zip(ids, places, strict=True)}
    return MeasuredTrial(one.record, {task: replace(items, **columns | {"ids": ids, "clusters": clusters})}, tokens, {})


def draw_places(one, rng):
    """Draw clusters again with replacement; each draw of a cluster is another one."""
    items = one.items[one.record.trial.task]
    groups = {}
    for i, cluster in enumerate(items.clusters):
        groups.setdefault(i if cluster is None else cluster, []).append(i)
    every = list(groups.values())
    chosen = [(every[g], n) for n, g in enumerate(rng.integers(len(every), size=len(every)))]
    return [i for own, _ in chosen for i in own], [n for own, n in chosen for _ in own]


def flipped(one, rng):
    """Change answers so that nothing is won or lost on average."""
    task = one.record.trial.task
    items = one.items[task]
    metric = get(one.record.tasks[0].metrics[0])
    scores = metric.statistics(items)[:, 0]
    mean = min(0.99, max(0.01, float(scores.mean())))
    answers = list(items.answers)
    for i, (score, chance) in enumerate(zip(scores, rng.random(len(scores)), strict=True)):
        if chance < FLIPS / mean * score:
            answers[i] = next((c for c in items.choices[i] if c not in items.references[i]), None)
        elif 1 - chance < FLIPS / (1 - mean) * (1 - score):
            answers[i] = items.references[i][0]
    return replace(one, items={task: replace(items, answers=tuple(answers))})


def run(one, rng, at, *, slower=1.0, fatter=1.0, machine=(REQUEST_SD, REQUESTS)):
    """Measure it once: seconds and bytes with the noise of a run and of each request."""
    record = one.record
    predict = next(span for span in record.spans if span.phase == "predict")
    typical = predict.wall_s / len(one.tokens) * rng.normal(1, RUN_SD) * slower
    spread, count = machine
    asked = list(one.tokens)[:count]
    requests = [
        Request(
            id=name,
            wall_s=typical * (1 + int(name) % 7 / 10) * np.exp(rng.normal(0, spread)),
            tokens_in=9,
            tokens_out=1,
        )
        for name in asked
    ]
    more = fatter * rng.normal(1, MEMORY_SD)
    spans = [
        span.model_copy(update={"host_peak_bytes": span.host_peak_bytes and round(span.host_peak_bytes * more)})
        for span in record.spans
    ]
    told = {"started_at": at, "spans": tuple(spans), "serving": Serving(requests=tuple(requests))}
    return replace(one, record=record.model_copy(update=told))


def release(stored, key, rng, *, answers_of=None, machine=(REQUEST_SD, REQUESTS), **changes):
    """Draw one system's baseline and candidate."""
    places, tag = draw_places(stored[key], rng)
    before = drawn(stored[key], places, tag)
    after = before
    if answers_of:
        other = drawn(stored[key[0], answers_of], places, tag)
        after = replace(before, items=other.items)
    after = flipped(after, rng)
    sides = run(before, rng, "2026-01-01", machine=machine), run(after, rng, "2026-02-01", machine=machine, **changes)
    return ReleasePair(*(MeasuredSystem(*key, one.record.trial.model, None, (one,)) for one in sides))


def shares(outcomes):
    counted = Counter(outcomes)
    found = {name: counted[name] / len(outcomes) for name in ("pass", "fail", "inconclusive")}
    low, high = wilson(counted["fail"], len(outcomes))
    return {**found, "fail_95": [round(low, 4), round(high, 4)], "releases": len(outcomes)}


def known(stored):
    """Give what five repeats of each system would tell of its seconds."""
    found = []
    for (task, strategy), one in stored.items():
        trial, figure = one.record.trial, FigureNoise(mean=1.0, sd=RUN_SD, n=5)
        names = {"suite": trial.suite, "task": task, "strategy": strategy, "model": trial.model}
        found.append(SystemNoise(machine=machine_of(one.record), **names, figures={"latency": figure}))
    return Noise(floors=tuple(found))


def unchanged(stored, rng, machine, noise):
    """Judge releases of all systems together in which nothing changed."""
    outcomes, single = [], Counter()
    for _ in range(RELEASES):
        pairs = tuple(release(stored, key, rng, machine=machine) for key in SYSTEMS)
        verdict = judge(Pairing(pairs), GateLimits(), noise)
        outcomes.append(verdict.outcome)
        single.update((check.about, check.outcome) for check in verdict.checks)
    return {**shares(outcomes), "single checks": {f"{a}: {o}": count for (a, o), count in sorted(single.items())}}


def measure(stored):
    rng = np.random.default_rng(0)
    repeats = known(stored)
    same = {name: unchanged(stored, rng, machine, repeats) for name, machine in MACHINES.items()}
    same["busy machine, repeats not known"] = unchanged(stored, rng, MACHINES["busy machine"], Noise())
    planted = {}
    for name, (key, change) in PLANTED.items():
        found = [
            judge(Pairing((release(stored, key, rng, **change),)), GateLimits(), repeats).outcome
            for _ in range(RELEASES)
        ]
        planted[name] = shares(found)
    return {"nothing changed": same, "planted": planted}


def test_the_gate_spares_what_did_not_change_and_catches_what_did(benchmark, stored):
    result = benchmark.pedantic(measure, args=(stored,), rounds=1, iterations=1)
    noise = {"flips": FLIPS, "run_sd": RUN_SD, "memory_sd": MEMORY_SD, "request_sd and requests": MACHINES}
    limits = GateLimits().model_dump(include={"slowdown", "memory", "cost"}) | {"margin": "5 % of each metric's range"}
    side_by_side.write("gate", {**result, "noise": noise, "limits": limits, "systems": SYSTEMS}, ())
    for name, found in result["nothing changed"].items():
        assert found["fail"] <= 0.05, name
    for name, found in result["planted"].items():
        assert found["pass"] <= 0.2, name
