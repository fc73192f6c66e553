"""What measuring costs a short trial: spans, progress, parts of memory, surroundings: pytest --benchmark-only.

Two answers. The same trial is run in turn with all of it and without, and the ratio is given with its interval; and in
the runs with it, the seconds spent in it are added up, which a noisy machine cannot hide. Requests, self-tests and
training items asked again are left out of both: they are questions of their own, each with a switch.
"""

import itertools
import math
import os
import subprocess
from contextlib import ExitStack, contextmanager
from functools import wraps
from importlib.util import find_spec
from multiprocessing.connection import Connection
from statistics import fmean, median, stdev
from time import perf_counter

import pytest
import side_by_side
from scipy.stats import t as student

from harness.data import cache
from harness.execute.worker import ProgressSender
from harness.measure import allocator
from harness.measure.meter import Meter
from harness.models import footprint
from harness.plan.config import RunConfig, SplitLimits
from harness.plan.planner import make_plan
from harness.records.measurements import Span
from harness.training.optimiser import MasterAdamW
from harness.trial import adaptation, run_trial

PAIRS, SHARE = 6, 0.01
LIMITS = SplitLimits(train=48, validation=16, test=40)


class Unmeasured(Meter):
    """Gives spans that have seconds only: a chain charges them, so they must be there."""

    @contextmanager
    def span(self, phase, step=None):
        self._running, self._tokens_in, self._tokens_out = phase, None, None
        began = perf_counter()
        yield
        self._running = None
        self._spans.append(Span(phase=phase, step=step, wall_s=perf_counter() - began))


class Clock:
    """Adds up the seconds that are spent in calls."""

    def __init__(self):
        self.spent_s = 0.0

    def of(self, function):
        """Return the function, its seconds counted."""

        @wraps(function)
        def counted(*arguments, **options):
            began = perf_counter()
            try:
                return function(*arguments, **options)
            finally:
                self.spent_s += perf_counter() - began

        return counted

    def meter(self, **options):
        """Return a meter whose beginnings and ends of spans are counted, but not what is measured in them."""
        inner = Meter(**options)
        spanned = inner.span

        @contextmanager
        def span(phase, step=None):
            measured = spanned(phase, step)
            self.of(measured.__enter__)()
            yield
            self.of(measured.__exit__)(None, None, None)

        inner.span = span
        return inner


@pytest.fixture(scope="module")
def planned():
    import harness.execute.preload  # noqa: F401 - a trial's process has the libraries, and has them frozen

    allocator.settle()

    config = RunConfig(
        suite="quickstart",
        tasks=("sentiment",),
        strategies=("lora",),
        limits=LIMITS,
        requests=0,
        check_items=0,
        seen_items=0,
    )
    return make_plan(config).trials[0]


@contextmanager
def parent():
    """Give what sends progress to another process, which reads it."""
    with subprocess.Popen(["cat"], stdin=subprocess.PIPE, stdout=subprocess.DEVNULL) as listener:
        pipe = Connection(os.dup(listener.stdin.fileno()), readable=False)
        try:
            yield ProgressSender(pipe)
        finally:
            pipe.close()


def timed_trial(planned, folder, emit):
    """Run the trial with nothing kept from an earlier one; return its seconds."""
    folder.mkdir()
    for name in ("converted", "hashes"):
        (folder / name).symlink_to(cache.root() / name)
    return side_by_side.timed(lambda: run_trial.run_trial(planned, cache=folder, emit=emit))[1]


def with_measuring(planned, folder, *, energy=False):
    """Run with all of it; return the seconds, those spent in measuring, and those of setting energy up."""
    clock = Clock()
    began = perf_counter()
    meter = clock.meter(energy=energy)
    setup_s = perf_counter() - began
    with pytest.MonkeyPatch.context() as patch, parent() as emit:
        patch.setattr(run_trial, "Meter", lambda **_: meter)
        patch.setattr(MasterAdamW, "_tell", clock.of(MasterAdamW._tell))
        patch.setattr(footprint, "weights_bytes", clock.of(footprint.weights_bytes))
        patch.setattr(run_trial, "environment", clock.of(run_trial.environment))
        seconds = timed_trial(planned, folder, clock.of(emit))
    return seconds, clock.spent_s, setup_s


def without_measuring(planned, folder):
    """Run with none of it; return the seconds."""
    there = run_trial.environment()
    with ExitStack() as stack:
        patch = stack.enter_context(pytest.MonkeyPatch.context())
        patch.setattr(run_trial, "Meter", lambda **_: Unmeasured())
        patch.setattr(run_trial, "environment", lambda **_: there)
        patch.setattr(MasterAdamW, "_tell", lambda self: None)
        patch.setattr(footprint, "weights_bytes", lambda model: None)
        patch.setattr(adaptation, "_held", lambda system, sizes: None)
        return timed_trial(planned, folder, lambda event: None)


def interval(ratios):
    """Give the geometric mean of paired ratios with its 95 % interval (Student's t on their logarithms)."""
    logs = [math.log(ratio) for ratio in ratios]
    half = student.ppf(0.975, len(logs) - 1) * stdev(logs) / math.sqrt(len(logs))
    return {
        name: round(math.exp(fmean(logs) + part), 4)
        for name, part in (("ratio", 0.0), ("ratio_low", -half), ("ratio_high", half))
    }


def test_measuring_takes_less_than_a_hundredth_of_a_short_trial(benchmark, planned, tmp_path):
    measured, plain, shares, number = [], [], [], itertools.count()

    def folder():
        return tmp_path / str(next(number))

    def unmeasured():
        plain.append(without_measuring(planned, folder()))

    def pair():
        first = len(plain) % 2  # in turn, or what comes second would always find the machine warm
        if not first:
            unmeasured()
        seconds, spent, _ = with_measuring(planned, folder())
        measured.append(seconds)
        shares.append(spent / seconds)
        if first:
            unmeasured()

    without_measuring(planned, folder())  # the first run reads files and compiles
    benchmark.pedantic(pair, rounds=PAIRS, iterations=1)
    found = {
        "trial": planned.trial.strategy,
        "limits": LIMITS.model_dump(),
        "share": round(median(shares), 5),
        "shares": [round(share, 5) for share in shares],
        **interval([one / other for one, other in zip(measured, plain, strict=True)]),
        "measured_s": [round(seconds, 3) for seconds in measured],
        "unmeasured_s": [round(seconds, 3) for seconds in plain],
        "energy": energy_costs(planned, folder()),
    }
    benchmark.extra_info.update(found)
    side_by_side.write("measuring", found, ["codecarbon"] if found["energy"] else [])
    assert found["share"] <= SHARE, found
    assert found["ratio_low"] <= 1 + SHARE, found


def energy_costs(planned, folder):
    """Tell what joules cost on top, where codecarbon is installed: once a trial to set up, then with each span."""
    if find_spec("codecarbon") is None:
        return None
    seconds, spent, setup_s = with_measuring(planned, folder, energy=True)
    return {"setup_s": round(setup_s, 3), "share": round(spent / seconds, 5)}
