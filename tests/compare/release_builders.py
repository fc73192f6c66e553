"""Small stores for tests of releases: one suite, written through the real store, one figure changed at a time."""

from hashlib import sha256

from harness.api import ModelInfo
from harness.compare.cost.resources import machine
from harness.compare.release.gate import GateLimits, judge
from harness.compare.release.pairing import MeasuredTrial, group_systems, pair_systems, read_measured
from harness.compare.release.run_noise import FigureNoise, Noise, SystemNoise
from harness.metrics import Items
from harness.records.measurements import Request, Serving, Span
from harness.records.record import Completed, Row, TaskInfo, Trial
from harness.store.baselines import Manifest
from harness.store.results_store import Store
from tests.compare.builders import HERE, MIB

V1 = Manifest(name="v1", suite="quick", set_at="2026-01-01", measured_at="2026-01-01", files={})
LATER = "2026-02-01"
"""Day of the candidate."""
NOTHING = Noise()
"""No noise is known."""
METRICS = {"qa": ("token_f1", "exact_match"), "mood": ("accuracy",), "know": ("accuracy",), "text": ("perplexity",)}
KINDS = {"qa": "qa", "mood": "classification", "know": "multiple_choice", "text": "qa"}


def trial(task, strategy="zero_shot", *, seed=0, model="small", key=None, steps=()):
    key = (key or sha256(f"{task}{strategy}{seed}{model}".encode()).hexdigest()).ljust(64, "0")
    return Trial(suite="quick", task=task, strategy=strategy, model=model, seed=seed, key=key, basis="b", steps=steps)


def record(task, strategy="zero_shot", *, at="2026-01-01", slower=1.0, fatter=1.0, requests=20, **changes):
    """Make a finished trial; `slower` and `fatter` multiply its seconds and bytes."""
    spans = (
        Span(phase="load", wall_s=1.0, host_peak_bytes=500 * MIB),
        Span(phase="predict", wall_s=4.0 * slower, host_peak_bytes=round(800 * MIB * fatter)),
    )
    served = tuple(
        Request(id=f"{i:04d}", wall_s=0.1 * slower * (1 + i % 5 / 50 + _jitter(i, at) / 25), tokens_in=20, tokens_out=3)
        for i in range(requests)
    )
    labels = ("no", "yes") if KINDS[task] == "classification" else ()
    info = TaskInfo(
        name=task, kind=KINDS[task], metrics=METRICS[task], labels=labels, data_hash="d", sizes={"test": 1}, order=0
    )
    planned = trial(task, strategy, **{k: changes.pop(k) for k in ("seed", "model", "key", "steps") if k in changes})
    fields = {
        "trial": planned,
        "started_at": f"{at}T10:00:00+00:00",
        "suite_version": 1,
        "suite_hash": "s",
        "model": ModelInfo(name=planned.model, hash="w", dtype="bfloat16"),
        "tasks": (info,),
        "spans": spans,
        "scores": {},
        "serving": Serving(requests=served) if served else None,
        "environment": HERE,
    }
    return Completed(**{**fields, **changes})


def rows(task, right, *, tokens=20, prompt="Say yes or no.", clusters=None):
    """Make an item of each: right (1), wrong (0) or not parsed (None)."""
    return [
        Row(
            task=task,
            id=f"{i:04d}",
            cluster=clusters[i] if clusters else None,
            references=("yes",) if i % 2 else ("no",),
            input=f"item {i}",
            prompt=f"{prompt} item {i}",
            answer=None if hit is None else ("yes" if bool(i % 2) == bool(hit) else "no"),
            prompt_tokens=tokens,
            output_tokens=2,
        )
        for i, hit in enumerate(right)
    ]


def share(right, n=200):
    """Let a share of n items be right, spread evenly."""
    return [int((i * 7) % 100 < round(right * 100)) for i in range(n)]


def store_of(folder, *trials):
    """Write (record, rows) into a store."""
    store = Store(folder)
    for completed, answers in trials:
        store.write(completed, answers)
    return store


def trial_rows(task="mood", right=None, **changes):
    """Make a record with its rows."""
    row_options = {name: changes.pop(name) for name in ("tokens", "prompt", "clusters") if name in changes}
    return record(task, **changes), rows(task, share(0.7) if right is None else right, **row_options)


def measured(task="mood", strategy="zero_shot", *, items=(), **changes):
    """Make a finished trial that was never stored; it has no rows unless they are given."""
    completed, rows_of_task = record(task, strategy, **changes), list(items)
    answered = Items.from_rows(rows_of_task, completed.tasks[0].labels)
    return MeasuredTrial(completed, {task: answered}, {row.id: (row.prompt_tokens, 2) for row in rows_of_task}, {})


def noise_of(figure, relative, n=10):
    """Noise of n repeats of zero_shot on mood."""
    hardware = machine(trial_rows()[0])
    names = {"suite": "quick", "task": "mood", "strategy": "zero_shot", "model": "small"}
    figures = {figure: FigureNoise(mean=1.0, sd=relative, n=n)}
    return Noise(floors=(SystemNoise(machine=hardware, **names, figures=figures),))


def pairing(folder, before, after, *strategies):
    """Pair two lists of (record, rows)."""
    sides = [store_of(folder / name, *trials).load() for name, trials in (("before", before), ("after", after))]
    return pair_systems(*(group_systems(read_measured(side)) for side in sides), *strategies)


def judged(folder, before, after, limits=None, noise=NOTHING):
    """Judge one trial against another."""
    return judge(pairing(folder, [before], [after]), limits or GateLimits(), noise)


def check(verdict, figure):
    """Return the check of a figure."""
    return next(check for check in verdict.checks if check.figure == figure)


def _jitter(i, at):
    """A number in [0, 1) that is another for each request and each day."""
    return (i * 37 + sum(map(ord, at)) * 13) % 101 / 101
