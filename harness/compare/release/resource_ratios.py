"""What a release takes, as a ratio to the one before: seconds, bytes and tokens, each with its interval or none.

Ratios are compared on the logarithmic scale, so that twice and half are equally far from no change.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, replace
from statistics import NormalDist
from typing import Literal

import numpy as np

from harness.compare.cost.resources import machine
from harness.compare.release.pairing import ADAPTING, MeasuredSystem, MeasuredTrial, ReleasePair
from harness.compare.release.run_noise import FigureNoise, Noise
from harness.compare.stats import intervals
from harness.records.measurements import Span

About = Literal["speed", "memory", "cost"]

ASSUMED_MEMORY_SD = 0.01
"""How far the peak of a repeated trial is taken to move, as a share, where nobody has measured it. Repeats of one
adaptation have been seen 0.1 to 1.6 % apart."""
FEWEST_REQUESTS = 5
"""Requests of the same items that a paired interval is made from."""

ANSWERING = frozenset({"predict", "serve"})
ADAPTING_TIME = "adapting time"
NEGLIGIBLE_S = 0.1
"""A step that takes less adapts nothing: it writes a prompt."""


@dataclass(frozen=True)
class ResourceRatio:
    """Candidate over baseline, with its 95 % interval; no interval where nothing tells how far repeats differ.

    Attributes:
        baseline: the figure itself, in `unit`; candidate: likewise.
        error: standard error of the logarithm; None without an interval.
        n: what it stands on: requests, items or runs.
        per: what more of would narrow it: ``request``, ``item`` or ``run``.
        repeats_known: whether the interval has in it what moves from run to run; if not, a clear change may be that.
    """

    figure: str
    about: About
    unit: Literal["s", "bytes", "tokens", "usd"]
    baseline: float
    candidate: float
    low: float | None
    high: float | None
    error: float | None
    n: int
    per: Literal["request", "item", "run"]
    method: str
    repeats_known: bool = True

    @property
    def value(self) -> float:
        """Candidate over baseline."""
        return self.candidate / self.baseline


def ratios(pair: ReleasePair, noise: Noise) -> list[ResourceRatio]:
    """Compare all that both have measured; what either lacks is left out."""
    both = _phases(pair.baseline) & _phases(pair.candidate) if pair.adapted_alike else frozenset[str]()
    made = [
        _latency(pair, noise) or _of_runs(pair, noise, "answering time", "speed", "s", _seconds_an_item),
        _of_runs(pair, noise, ADAPTING_TIME, "speed", "s", _adapting_s),
        *(
            _of_runs(pair, noise, f"{where}memory while {name}", "memory", "bytes", _peak(phases & both, device))
            for where, device in (("", False), ("GPU ", True))
            for name, phases in (("answering", ANSWERING), ("adapting", ADAPTING))
        ),
        _tokens(pair),
    ]
    return [one for one in made if one]


def of_run(one: MeasuredTrial) -> dict[str, float]:
    """Give what one run took, by the names that `ratios` has: what repeats are compared by; unknown is left out."""
    requests = [request.wall_s for request in one.record.serving.requests] if one.record.serving else []
    phases = {span.phase for span in one.record.spans}
    found = {
        "latency": float(np.exp(np.mean(np.log(requests)))) if requests and min(requests) > 0 else None,
        "answering time": _seconds_an_item(one),
        ADAPTING_TIME: _adapting_s(one),
    } | {
        f"{where}memory while {name}": _peak(own & phases, device)(one)
        for where, device in (("", False), ("GPU ", True))
        for name, own in (("answering", ANSWERING), ("adapting", ADAPTING))
    }
    return {name: value for name, value in found.items() if value}


def _latency(pair: ReleasePair, noise: Noise) -> ResourceRatio | None:
    """Compare requests of the same items, one system after the other: the mean ratio of their times."""
    before, after = _requests(pair.baseline), _requests(pair.candidate)
    common = sorted(before.keys() & after.keys())
    if len(common) < FEWEST_REQUESTS or _load(pair.baseline) != _load(pair.candidate):
        return None
    logs = np.array([math.log(after[name] / before[name]) for name in common])
    change, error = float(logs.mean()), float(logs.std(ddof=1)) / math.sqrt(len(logs))
    floors = _floors(pair, noise, "latency")
    between = 0.0
    method = "paired requests, t on log ratios; differences between runs are not known"
    if floors:
        between = sum(floor.relative**2 for floor in floors)
        method = "paired requests, t on log ratios, with the noise between runs"
    spread = math.hypot(error, math.sqrt(between))
    half = intervals.t_multiplier(_df(error**2, len(logs) - 1, floors)) * spread
    start = float(np.exp(np.mean([math.log(before[name]) for name in common])))
    made = _ratio(
        "latency", "speed", "s", start, start * math.exp(change), half, spread, (len(common), "request", method)
    )
    return replace(made, repeats_known=bool(floors))


def _of_runs(  # noqa: PLR0913, PLR0917 - whose figure, then what it is
    pair: ReleasePair,
    noise: Noise,
    figure: str,
    about: About,
    unit: Literal["s", "bytes"],
    of: Callable[[MeasuredTrial], float | None],
) -> ResourceRatio | None:
    """Compare one number a run: by repeats on both sides, by the noise of the machine, or without an interval."""
    sides = [[found for one in side.trials if (found := of(one))] for side in (pair.baseline, pair.candidate)]
    if not all(sides):
        return None
    logs = [np.log(np.array(side)) for side in sides]
    start, end = (float(np.exp(log.mean())) for log in logs)
    runs = min(map(len, sides))
    if floors := _floors(pair, noise, figure):
        error = math.sqrt(sum(floor.relative**2 / len(side) for floor, side in zip(floors, sides, strict=True)))
        half = intervals.t_multiplier(min(floor.n for floor in floors) - 1) * error
        return _ratio(figure, about, unit, start, end, half, error, (runs, "run", "noise of repeats on this machine"))
    if runs >= 2:
        parts = [float(log.var(ddof=1)) / len(log) for log in logs]
        error = math.sqrt(sum(parts))
        weights = sum(part**2 / (len(log) - 1) for part, log in zip(parts, logs, strict=True))
        half = intervals.t_multiplier(error**4 / weights) * error if weights > 0 else 0.0
        return _ratio(figure, about, unit, start, end, half, error, (runs, "run", "Welch's t on logarithms of runs"))
    if about == "memory":
        error = ASSUMED_MEMORY_SD * math.sqrt(sum(1 / len(side) for side in sides))
        half = NormalDist().inv_cdf((1 + intervals.CONFIDENCE) / 2) * error
        method = f"repeats are assumed to differ by {ASSUMED_MEMORY_SD:.0%} (standard deviation)"
        return _ratio(figure, about, unit, start, end, half, error, (runs, "run", method))
    return _ratio(figure, about, unit, start, end, None, None, (runs, "run", "measured once: noise is not known"))


def _tokens(pair: ReleasePair) -> ResourceRatio | None:
    """Compare the tokens read and written for the same items: what a price a token is paid for."""
    before, after = (_mean_tokens(side) for side in (pair.baseline, pair.candidate))
    common = sorted(before.keys() & after.keys())
    if len(common) < 2 or not all(before[name] for name in common):
        return None
    old, new = np.array([before[name] for name in common]), np.array([after[name] for name in common])
    start, end = float(old.mean()), float(new.mean())
    if end <= 0:
        return None
    clusters = np.arange(len(common), dtype=np.int64)
    error, df = intervals.standard_error(
        new / end - old / start, clusters
    )  # of the log of a ratio of means (delta method)
    half = intervals.t_multiplier(df) * error
    method = "paired items, t on the log ratio of means"
    return _ratio("tokens a question", "cost", "tokens", start, end, half, error, (len(common), "item", method))


def _ratio(  # noqa: PLR0913, PLR0917 - one figure's fields, in order
    figure: str,
    about: About,
    unit: Literal["s", "bytes", "tokens", "usd"],
    start: float,
    end: float,
    half: float | None,
    error: float | None,
    basis: tuple[int, Literal["request", "item", "run"], str],
) -> ResourceRatio:
    change = math.log(end / start)
    low, high = (None, None) if half is None else (math.exp(change - half), math.exp(change + half))
    return ResourceRatio(figure, about, unit, start, end, low, high, error, *basis)


def _floors(pair: ReleasePair, noise: Noise, figure: str) -> list[FigureNoise]:
    """Noise of both sides, or of neither: half of it would pass for the whole."""
    found = [noise.of(machine(side.records[0]), _names(side), figure) for side in (pair.baseline, pair.candidate)]
    known = [floor for floor in found if floor]
    return [known[0], known[-1]] if known and pair.alike else []


def _df(variance: float, df: int, floors: Sequence[FigureNoise]) -> float:
    """Degrees of freedom of a sum of variances (Satterthwaite)."""
    parts = [(variance, df), *((floor.relative**2, floor.n - 1) for floor in floors)]
    weights = sum(part**2 / own for part, own in parts)
    return sum(part for part, _ in parts) ** 2 / weights if weights > 0 else df


def _names(system: MeasuredSystem) -> tuple[str, str, str, str]:
    return system.records[0].trial.suite, system.task, system.strategy, system.model


def _requests(system: MeasuredSystem) -> dict[str, float]:
    """Mean seconds of the requests for each item, over seeds."""
    times: dict[str, list[float]] = {}
    for record in system.records:
        for request in record.serving.requests if record.serving else ():
            if request.wall_s > 0:
                times.setdefault(request.id, []).append(request.wall_s)
    return {name: sum(own) / len(own) for name, own in times.items()}


def _load(system: MeasuredSystem) -> set[float | None]:
    """At which rates requests came; None: one at a time."""
    return {record.serving.arrival_rate for record in system.records if record.serving}


def _mean_tokens(system: MeasuredSystem) -> dict[str, float]:
    counts: dict[str, list[int]] = {}
    for one in system.trials:
        for name, (read, written) in one.tokens.items():
            counts.setdefault(name, []).append(read + written)
    return {name: sum(own) / len(own) for name, own in counts.items()}


def _seconds_an_item(one: MeasuredTrial) -> float | None:
    spans = [span.wall_s for span in one.record.spans if span.phase == "predict"]
    return sum(spans) / len(one.tokens) if spans and one.tokens else None


def _adapting_s(one: MeasuredTrial) -> float | None:
    """Seconds of what adapting took here; None where it took none to speak of, or an earlier trial did it."""
    spans = [span for span in one.record.spans if span.phase in ADAPTING]
    total = sum(span.wall_s for span in spans)
    return total if total >= NEGLIGIBLE_S and not any(span.reused for span in spans) else None


def _phases(system: MeasuredSystem) -> frozenset[str]:
    """Phases in which every seed did something itself."""
    own = [
        {span.phase for span in record.spans if not span.reused and span.wall_s >= NEGLIGIBLE_S}
        for record in system.records
    ]
    return frozenset(set.intersection(*own)) if own else frozenset()


def _peak(phases: Collection[str], device: bool) -> Callable[[MeasuredTrial], float | None]:
    def of(one: MeasuredTrial) -> float | None:
        spans = [span for span in one.record.spans if span.phase in phases and not span.reused]
        return max((found for span in spans if (found := _bytes(span, device))), default=None)

    return of


def _bytes(span: Span, device: bool) -> float | None:
    held = span.gpu_reserved_peak_bytes
    return (span.gpu_device_peak_bytes if held is None else held) if device else span.host_peak_bytes
