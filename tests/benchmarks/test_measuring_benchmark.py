"""Cost of measuring a short trial: spans, progress, parts of memory, environment: pytest --benchmark-only.

Two figures. The trial is run alternately with and without all of it, and the ratio is given with its interval; and in
the runs with it, the seconds spent in it are added up, which noise cannot hide. Requests, self-tests and train-set
evaluation are left out of both: they are optional, each with a switch.
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
    """Meter of spans with seconds only, which a chain needs to charge a prefix."""

    @contextmanager
    def span(self, phase, step=None):
        self._running, self._tokens_in, self._tokens_out = phase, None, None
        start = perf_counter()
        yield
        self._running = None
        self._spans.append(Span(phase=phase, step=step, wall_s=perf_counter() - start))


class Clock:
    """Adds up the seconds spent in calls."""

    def __init__(self):
        self.spent_s = 0.0

    def timed(self, function):
        """Return the function, its seconds counted."""

        @wraps(function)
        def timed(*arguments, **options):
            start = perf_counter()
            try:
                return function(*arguments, **options)
            finally:
                self.spent_s += perf_counter() - start

        return timed

    def meter(self, **options):
        """Return a meter whose entries and exits of spans are counted, but not the phases themselves."""
        inner = Meter(**options)
        spanned = inner.span

        @contextmanager
        def span(phase, step=None):
            measured = spanned(phase, step)
            self.timed(measured.__enter__)()
            yield
            self.timed(measured.__exit__)(None, None, None)

        inner.span = span
        return inner


@pytest.fixture(scope="module")
def planned():
    import harness.execute.preload  # noqa: F401 - a trial's process has the libraries, and has them frozen

    allocator.configure()

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
    """Yield a sender of progress to another process, which reads it."""
    with subprocess.Popen(["cat"], stdin=subprocess.PIPE, stdout=subprocess.DEVNULL) as listener:
        pipe = Connection(os.dup(listener.stdin.fileno()), readable=False)
        try:
            yield ProgressSender(pipe)
        finally:
            pipe.close()


def timed_trial(planned, folder, emit):
    """Run the trial without artifacts of an earlier one; return its seconds."""
    folder.mkdir()
    for name in ("converted", "hashes"):
        (folder / name).symlink_to(cache.root() / name)
    return side_by_side.timed(lambda: run_trial.run_trial(planned, cache=folder, emit=emit))[1]


def with_measuring(planned, folder, *, energy=False):
    """Run with all of it; return the seconds, those spent in measuring, and those of setting up energy."""
    clock = Clock()
    start = perf_counter()
    meter = clock.meter(energy=energy)
    setup_s = perf_counter() - start
    with pytest.MonkeyPatch.context() as patch, parent() as emit:
        patch.setattr(run_trial, "Meter", lambda **_: meter)
        patch.setattr(MasterAdamW, "_tell", clock.timed(MasterAdamW._tell))
        patch.setattr(footprint, "weights_bytes", clock.timed(footprint.weights_bytes))
        patch.setattr(run_trial, "current_environment", clock.timed(run_trial.current_environment))
        seconds = timed_trial(planned, folder, clock.timed(emit))
    return seconds, clock.spent_s, setup_s


def without_measuring(planned, folder):
    """Run with none of it; return the seconds."""
    environment = run_trial.current_environment()
    with ExitStack() as stack:
        patch = stack.enter_context(pytest.MonkeyPatch.context())
        patch.setattr(run_trial, "Meter", lambda **_: Unmeasured())
        patch.setattr(run_trial, "current_environment", lambda **_: environment)
        patch.setattr(MasterAdamW, "_tell", lambda self: None)
        patch.setattr(footprint, "weights_bytes", lambda model: None)
        patch.setattr(adaptation, "_held", lambda system, sizes: None)
        return timed_trial(planned, folder, lambda event: None)


def interval(ratios):
    """Return the geometric mean of paired ratios with its 95 % interval (Student's t on their logarithms)."""
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
        first = len(plain) % 2  # alternately, or the second run would always have the warm machine
        if not first:
            unmeasured()
        seconds, spent, _ = with_measuring(planned, folder())
        measured.append(seconds)
        shares.append(spent / seconds)
        if first:
            unmeasured()

    without_measuring(planned, folder())  # the first run reads files and compiles
    benchmark.pedantic(pair, rounds=PAIRS, iterations=1)
    report = {
        "trial": planned.trial.strategy,
        "limits": LIMITS.model_dump(),
        "share": round(median(shares), 5),
        "shares": [round(share, 5) for share in shares],
        **interval([a / b for a, b in zip(measured, plain, strict=True)]),
        "measured_s": [round(seconds, 3) for seconds in measured],
        "unmeasured_s": [round(seconds, 3) for seconds in plain],
        "energy": energy_costs(planned, folder()),
    }
    benchmark.extra_info.update(report)
    side_by_side.write("measuring", report, ["codecarbon"] if report["energy"] else [])
    assert report["share"] <= SHARE, report
    assert report["ratio_low"] <= 1 + SHARE, report


def energy_costs(planned, folder):
    """Return the extra cost of energy, where codecarbon is installed: setup once a trial, share by spans."""
    if find_spec("codecarbon") is None:
        return None
    seconds, spent, setup_s = with_measuring(planned, folder, energy=True)
    return {"setup_s": round(setup_s, 3), "share": round(spent / seconds, 5)}
