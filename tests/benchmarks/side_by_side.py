"""Two implementations of one thing, run in turn in one process: ratios survive a noisy machine, seconds do not."""

import gc
import json
import os
from dataclasses import dataclass, field
from importlib.metadata import version
from pathlib import Path
from statistics import median
from time import perf_counter

from harness.api import ModelInfo
from harness.data import cache
from harness.data.locate import locate
from harness.data.prepare import prepare
from harness.data.suite import load_suite
from harness.measure.environment import current_environment
from harness.models import loading

OUT = "HARNESS_BENCHMARKS"
"""Environment variable: folder that results are written to; without it a benchmark writes nothing."""


@dataclass
class Pairs:
    """Seconds of paired runs."""

    ours_s: list[float] = field(default_factory=list)
    peer_s: list[float] = field(default_factory=list)

    @property
    def ratios(self):
        """How many times faster ours was, pair by pair."""
        return [peer / ours for ours, peer in zip(self.ours_s, self.peer_s, strict=True)]

    def summary(self):
        return {
            "ratio": round(median(self.ratios), 2),
            "ratios": [round(ratio, 2) for ratio in self.ratios],
            "ours_s": [round(s, 3) for s in self.ours_s],
            "peer_s": [round(s, 3) for s in self.peer_s],
        }


def timed(function):
    """Call a function; return its return value and the seconds that it took."""
    gc.collect()
    start = perf_counter()
    returned = function()
    return returned, perf_counter() - start


def fresh_model():
    """Load quickstart's model in the dtype that trials use."""
    located = locate("smollm2-135m-instruct")
    return loading.open_model(located.path, ModelInfo(name=located.reference), cache.root())


def quickstart(task, **limits):
    """Prepare a task of quickstart."""
    return prepare(load_suite("quickstart"), task, limits=limits)


def write(name, result, peers, file=None):
    """Write a result with all that is needed to reproduce it, if `OUT` names a folder."""
    if OUT not in os.environ:
        return
    command = f"{OUT}=DIR pytest tests/benchmarks/{file or f'test_{name}_benchmark.py'} --benchmark-only"
    environment = current_environment(command)
    packages = environment.packages | {peer: version(peer) for peer in peers}
    report = {**result, "environment": environment.model_copy(update={"packages": packages}).model_dump()}
    path = Path(os.environ[OUT]) / f"{name}.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(report, indent=2) + "\n", encoding="utf-8")


def read(name, otherwise):
    """Return the fields of an earlier `write` that `otherwise` has, or `otherwise` itself: a benchmark goes on."""
    path = Path(os.environ[OUT]) / f"{name}.json" if OUT in os.environ else None
    stored = json.loads(path.read_text(encoding="utf-8")) if path and path.is_file() else {}
    return {field: stored[field] for field in otherwise} if otherwise.keys() <= stored.keys() else otherwise
