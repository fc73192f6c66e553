"""Error rates of the gate: 200 unchanged releases, and planted losses, on stored answers.

Each release is drawn from the reference results of quickstart: its items (clusters) are resampled with replacement,
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
from harness.compare.release.pairing import (
    MeasuredSystem,
    MeasuredTrial,
    Pairing,
    ReleasePair,
    group_systems,
    read_measured,
)
from harness.compare.release.run_noise import FigureNoise, Noise, SystemNoise
from harness.compare.stats.intervals import wilson
from harness.metrics import Items, get
from harness.metrics.items import COLUMNS
from harness.records.measurements import Request, Serving
from harness.store.results_store import Store, select_newest

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
"""Standard deviation of the logarithm of latencies for one item, and the number of requests."""
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
    systems = group_systems(read_measured(select_newest(Store(REFERENCE).load("quickstart")).trials))
    return {(system.task, system.strategy): system.trials[0] for system in systems}


def resampled(trial, positions, tag):
    """Take the items at these positions, each as an item of its own."""
    task = trial.record.trial.task
    items = trial.items[task]
    columns = {name: tuple(getattr(items, name)[i] for i in positions) for name in COLUMNS}
    ids = tuple(f"{n}" for n in range(len(positions)))
    clusters = tuple(None if c is None else f"{c}/{t}" for c, t in zip(columns["clusters"], tag, strict=True))
    tokens = {new: trial.tokens[items.ids[i]] for new, i in zip(ids, positions, strict=True)}
    return MeasuredTrial(
        trial.record,
        {task: Items((columns | {"ids": ids, "clusters": clusters}).__getitem__, items.labels)},
        tokens,
        {},
    )


def draw_positions(trial, rng):
    """Resample clusters with replacement; each draw of a cluster is a separate one."""
    items = trial.items[trial.record.trial.task]
    groups = {}
    for i, cluster in enumerate(items.clusters):
        groups.setdefault(i if cluster is None else cluster, []).append(i)
    clusters = list(groups.values())
    chosen = [(clusters[g], n) for n, g in enumerate(rng.integers(len(clusters), size=len(clusters)))]
    return [i for rows, _ in chosen for i in rows], [n for rows, n in chosen for _ in rows]


def flip_answers(trial, rng):
    """Change answers so that nothing is won or lost on average."""
    task = trial.record.trial.task
    items = trial.items[task]
    metric = get(trial.record.tasks[0].metrics[0])
    scores = metric.statistics(items)[:, 0]
    mean = min(0.99, max(0.01, float(scores.mean())))
    answers = list(items.answers)
    for i, (score, chance) in enumerate(zip(scores, rng.random(len(scores)), strict=True)):
        if chance < FLIPS / mean * score:
            answers[i] = next((c for c in items.choices[i] if c not in items.references[i]), None)
        elif 1 - chance < FLIPS / (1 - mean) * (1 - score):
            answers[i] = items.references[i][0]
    return replace(trial, items={task: items.with_answers(answers)})


def run(trial, rng, at, *, slower=1.0, fatter=1.0, machine=(REQUEST_SD, REQUESTS)):
    """Measure it once: seconds and bytes with the noise of a run and of each request."""
    record = trial.record
    predict = next(span for span in record.spans if span.phase == "predict")
    typical = predict.wall_s / len(trial.tokens) * rng.normal(1, RUN_SD) * slower
    spread, count = machine
    ids = list(trial.tokens)[:count]
    requests = [
        Request(
            id=name,
            wall_s=typical * (1 + int(name) % 7 / 10) * np.exp(rng.normal(0, spread)),
            tokens_in=9,
            tokens_out=1,
        )
        for name in ids
    ]
    more = fatter * rng.normal(1, MEMORY_SD)
    spans = [
        span.model_copy(update={"host_peak_bytes": span.host_peak_bytes and round(span.host_peak_bytes * more)})
        for span in record.spans
    ]
    changes = {"started_at": at, "spans": tuple(spans), "serving": Serving(requests=tuple(requests))}
    return replace(trial, record=record.model_copy(update=changes))


def release(stored, key, rng, *, answers_of=None, machine=(REQUEST_SD, REQUESTS), **changes):
    """Draw one system's baseline and candidate."""
    positions, tag = draw_positions(stored[key], rng)
    before = resampled(stored[key], positions, tag)
    after = before
    if answers_of:
        other = resampled(stored[key[0], answers_of], positions, tag)
        after = replace(before, items=other.items)
    after = flip_answers(after, rng)
    sides = run(before, rng, "2026-01-01", machine=machine), run(after, rng, "2026-02-01", machine=machine, **changes)
    return ReleasePair(*(MeasuredSystem(*key, trial.record.trial.model, None, (trial,)) for trial in sides))


def shares(outcomes):
    counted = Counter(outcomes)
    by_outcome = {name: counted[name] / len(outcomes) for name in ("pass", "fail", "inconclusive")}
    low, high = wilson(counted["fail"], len(outcomes))
    return {**by_outcome, "fail_95": [round(low, 4), round(high, 4)], "releases": len(outcomes)}


def known_noise(stored):
    """Return the noise that five repeats of each system would measure."""
    floors = []
    for (task, strategy), measured in stored.items():
        trial, figure = measured.record.trial, FigureNoise(mean=1.0, sd=RUN_SD, n=5)
        names = {"suite": trial.suite, "task": task, "strategy": strategy, "model": trial.model}
        floors.append(SystemNoise(machine=machine_of(measured.record), **names, figures={"latency": figure}))
    return Noise(floors=tuple(floors))


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
    repeats = known_noise(stored)
    same = {name: unchanged(stored, rng, machine, repeats) for name, machine in MACHINES.items()}
    same["busy machine, repeats not known"] = unchanged(stored, rng, MACHINES["busy machine"], Noise())
    planted = {}
    for name, (key, change) in PLANTED.items():
        outcomes = [
            judge(Pairing((release(stored, key, rng, **change),)), GateLimits(), repeats).outcome
            for _ in range(RELEASES)
        ]
        planted[name] = shares(outcomes)
    return {"nothing changed": same, "planted": planted}


def test_the_gate_spares_what_did_not_change_and_catches_what_did(benchmark, stored):
    result = benchmark.pedantic(measure, args=(stored,), rounds=1, iterations=1)
    noise = {"flips": FLIPS, "run_sd": RUN_SD, "memory_sd": MEMORY_SD, "request_sd and requests": MACHINES}
    limits = GateLimits().model_dump(include={"slowdown", "memory", "cost"}) | {"margin": "5 % of each metric's range"}
    side_by_side.write("gate", {**result, "noise": noise, "limits": limits, "systems": SYSTEMS}, ())
    for name, outcomes in result["nothing changed"].items():
        assert outcomes["fail"] <= 0.05, name
    for name, outcomes in result["planted"].items():
        assert outcomes["pass"] <= 0.2, name
