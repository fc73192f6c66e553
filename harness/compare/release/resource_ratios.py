"""Seconds, bytes and tokens of a candidate as ratios to its baseline, each with its 95 % interval or none.

Ratios are compared on the logarithmic scale, so that twice and half are equally far from no change.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from harness.compare.cost.resources import machine
from harness.compare.release.figures import (
    ADAPTING_GPU_MEMORY,
    ADAPTING_MEMORY,
    ADAPTING_TIME,
    ANSWERING_GPU_MEMORY,
    ANSWERING_MEMORY,
    ANSWERING_TIME,
    LATENCY,
    QUESTION_TOKENS,
    Figure,
)
from harness.compare.release.pairing import ADAPTING, MeasuredSystem, MeasuredTrial, ReleasePair
from harness.compare.release.run_noise import FigureNoise, Noise, PairedRuns, SystemName
from harness.compare.stats import intervals
from harness.records.measurements import Span

ASSUMED_MEMORY_SD = 0.01
"""Standard deviation of a repeated trial's peak memory, as a share, where no repeats were measured. Repeats of one
adaptation have been seen 0.1 to 1.6 % apart."""
FEWEST_REQUESTS = 5
"""Requests of the same items that a paired interval is made from."""

ANSWERING = frozenset({"predict", "serve"})
NEGLIGIBLE_S = 0.1
"""A step that takes less adapts nothing: it writes a prompt."""

_PEAKS = (
    (ANSWERING_MEMORY, ANSWERING, False),
    (ADAPTING_MEMORY, ADAPTING, False),
    (ANSWERING_GPU_MEMORY, ANSWERING, True),
    (ADAPTING_GPU_MEMORY, ADAPTING, True),
)
"""Peaks of memory: the phases, and whether it is the GPU's."""

Observation = Literal["request", "item", "run", "pair of runs"]


@dataclass(frozen=True)
class ResourceRatio:
    """Candidate over baseline, with its 95 % interval; no interval where the noise between repeats is unknown.

    Attributes:
        baseline: the figure itself, in its unit; candidate: likewise.
        error: standard error of the logarithm; None without an interval. df: its degrees of freedom.
        n: number of requests, items, runs or pairs of runs.
        per: which of them; more would narrow the interval.
        repeats_known: whether the interval includes the noise from run to run; if not, neither a change nor the lack of
            one is shown: runs of one sitting are more alike than those of two days.
    """

    figure: Figure
    baseline: float
    candidate: float
    low: float | None
    high: float | None
    error: float | None
    n: int
    per: Observation
    method: str
    repeats_known: bool = True
    df: float = math.inf

    @property
    def p(self) -> float | None:
        """Two-sided p that nothing changed, consistent with the interval; None without one."""
        if self.error is None:
            return None
        if self.error == 0:  # all items by the same share, as tokens of a longer instruction
            return 1.0 if self.value == 1 else 0.0
        return intervals.t_p(math.log(self.value), self.error, self.df)

    @property
    def value(self) -> float:
        """Candidate over baseline."""
        return self.candidate / self.baseline


@dataclass(frozen=True)
class _LogSpread:
    """Standard error of the logarithm of a ratio, and its degrees of freedom."""

    error: float
    df: float = math.inf

    @property
    def half(self) -> float:
        """Half the width of the 95 % interval."""
        return intervals.t_multiplier(self.df) * self.error


@dataclass(frozen=True)
class _Basis:
    """Observations that a ratio is computed from, and how; see `ResourceRatio`."""

    n: int
    per: Observation
    method: str
    repeats_known: bool = True


def ratios(pair: ReleasePair, noise: Noise) -> list[ResourceRatio]:
    """Compare each figure that both releases have measured; the others are left out."""
    common = _phases(pair.baseline) & _phases(pair.candidate) if pair.same_adaptation else frozenset[str]()
    compared = [
        _paired(pair, noise, LATENCY)
        or _latency(pair, noise)
        or _paired(pair, noise, ANSWERING_TIME)
        or _compare_runs(pair, noise, ANSWERING_TIME, _seconds_an_item),
        _paired(pair, noise, ADAPTING_TIME) or _compare_runs(pair, noise, ADAPTING_TIME, _adapting_s),
        *(
            _paired(pair, noise, figure) or _compare_runs(pair, noise, figure, _peak(phases & common, gpu))
            for figure, phases, gpu in _PEAKS
        ),
        _tokens(pair),
    ]
    return [ratio for ratio in compared if ratio]


def run_figures(trial: MeasuredTrial) -> dict[str, float]:
    """Measure one run's figures, by name, to compare repeats by; unknown ones are left out."""
    requests = [request.wall_s for request in trial.record.serving.requests] if trial.record.serving else []
    ran = {span.phase for span in trial.record.spans}
    figures = {
        LATENCY: float(np.exp(np.mean(np.log(requests)))) if requests and min(requests) > 0 else None,
        ANSWERING_TIME: _seconds_an_item(trial),
        ADAPTING_TIME: _adapting_s(trial),
    } | {figure: _peak(phases & ran, gpu)(trial) for figure, phases, gpu in _PEAKS}
    return {figure.name: number for figure, number in figures.items() if number}


def paired_ratio(runs: PairedRuns, figure: Figure) -> ResourceRatio | None:
    """Compare runs of two releases that were made in turn: the mean ratio of each two; None where there are none."""
    numbers = np.array(runs.figures.get(figure.name, ()))
    if len(numbers) < 2:
        return None
    start, end = np.exp(np.log(numbers).mean(axis=0))
    logs = np.log(numbers[:, 1] / numbers[:, 0])
    spread = _LogSpread(float(logs.std(ddof=1)) / math.sqrt(len(logs)), len(logs) - 1)
    basis = _Basis(len(logs), "pair of runs", "runs of both in turn, t on log ratios")
    return _ratio(figure, float(start), float(end), spread, basis)


def _paired(pair: ReleasePair, noise: Noise, figure: Figure) -> ResourceRatio | None:
    """Compare runs in turn of these two systems (`harness repeat --against`)."""
    runs = noise.find_pairs(pair.baseline.records, pair.candidate.records)
    return paired_ratio(runs, figure) if runs else None


def _latency(pair: ReleasePair, noise: Noise) -> ResourceRatio | None:
    """Compare requests of the same items, one system after the other: the mean ratio of their times."""
    before, after = _requests(pair.baseline), _requests(pair.candidate)
    common = sorted(before.keys() & after.keys())
    if len(common) < FEWEST_REQUESTS or _load(pair.baseline) != _load(pair.candidate):
        return None
    logs = np.array([math.log(after[name] / before[name]) for name in common])
    change, error = float(logs.mean()), float(logs.std(ddof=1)) / math.sqrt(len(logs))
    floors = _floors(pair, noise, LATENCY)
    between = 0.0
    method = "paired requests, t on log ratios; differences between runs are not known"
    if floors:
        between = sum(floor.relative**2 for floor in floors)
        method = "paired requests, t on log ratios, with the noise between runs"
    total = math.hypot(error, math.sqrt(between))
    spread = _LogSpread(total, _df(error**2, len(logs) - 1, floors))
    start = float(np.exp(np.mean([math.log(before[name]) for name in common])))
    basis = _Basis(len(common), "request", method, repeats_known=bool(floors))
    return _ratio(LATENCY, start, start * math.exp(change), spread, basis)


def _compare_runs(
    pair: ReleasePair, noise: Noise, figure: Figure, read: Callable[[MeasuredTrial], float | None]
) -> ResourceRatio | None:
    """Compare one number a run: by repeats on both sides, by the noise of the machine, or without an interval."""
    sides = [[number for trial in side.trials if (number := read(trial))] for side in (pair.baseline, pair.candidate)]
    if not all(sides):
        return None
    logs = [np.log(np.array(side)) for side in sides]
    start, end = (float(np.exp(log.mean())) for log in logs)
    runs = min(map(len, sides))
    spread: _LogSpread | None = None
    method = "measured once: noise is not known"
    if floors := _floors(pair, noise, figure):
        error = math.sqrt(sum(floor.relative**2 / len(side) for floor, side in zip(floors, sides, strict=True)))
        spread = _LogSpread(error, min(floor.n for floor in floors) - 1)
        method = "noise of repeats on this machine"
    elif runs >= 2:
        spread = _LogSpread(*intervals.welch(*logs))
        method = "Welch's t on logarithms of runs in one sitting"
    elif figure.aspect == "memory":
        error = ASSUMED_MEMORY_SD * math.sqrt(sum(1 / len(side) for side in sides))
        spread = _LogSpread(error)
        method = f"repeats are assumed to differ by {ASSUMED_MEMORY_SD:.0%} (standard deviation)"
    known = bool(floors) or figure.aspect == "memory"
    return _ratio(figure, start, end, spread, _Basis(runs, "run", method, repeats_known=known))


def _tokens(pair: ReleasePair) -> ResourceRatio | None:
    """Compare the tokens read and written for the same items, which an endpoint charges for."""
    before, after = (_mean_tokens(side) for side in (pair.baseline, pair.candidate))
    common = sorted(before.keys() & after.keys())
    if len(common) < 2 or not all(before[name] for name in common):
        return None
    old, new = np.array([before[name] for name in common]), np.array([after[name] for name in common])
    start, end = float(old.mean()), float(new.mean())
    if end <= 0:
        return None
    clusters = np.arange(len(common), dtype=np.int64)
    influence = new / end - old / start  # on the log of a ratio of means (delta method)
    error, df = intervals.standard_error(influence, clusters)
    spread = _LogSpread(error, df)
    basis = _Basis(len(common), "item", "paired items, t on the log ratio of means")
    return _ratio(QUESTION_TOKENS, start, end, spread, basis)


def _ratio(figure: Figure, start: float, end: float, spread: _LogSpread | None, basis: _Basis) -> ResourceRatio:
    change = math.log(end / start)
    return ResourceRatio(
        figure=figure,
        baseline=start,
        candidate=end,
        low=math.exp(change - spread.half) if spread else None,
        high=math.exp(change + spread.half) if spread else None,
        error=spread.error if spread else None,
        df=spread.df if spread else math.inf,
        n=basis.n,
        per=basis.per,
        method=basis.method,
        repeats_known=basis.repeats_known,
    )


def _floors(pair: ReleasePair, noise: Noise, figure: Figure) -> list[FigureNoise]:
    """Noise of both sides, where one's stands for the other's that is unknown; empty for unlike machines."""
    systems = (pair.baseline, pair.candidate)
    floors = [
        floor for system in systems if (floor := noise.find(machine(system.records[0]), _name(system), figure.name))
    ]
    return [floors[0], floors[-1]] if floors and pair.same_hardware else []


def _df(variance: float, df: int, floors: Sequence[FigureNoise]) -> float:
    """Degrees of freedom of a sum of variances (Satterthwaite); a floor that stands for both is one estimate."""
    times = Counter(map(id, floors))
    parts = [(variance, df), *((times[id(floor)] * floor.relative**2, floor.n - 1) for floor in floors)]
    parts = parts[: 1 + len(times)]
    weights = sum(part**2 / part_df for part, part_df in parts)
    return sum(part for part, _ in parts) ** 2 / weights if weights > 0 else df


def _name(system: MeasuredSystem) -> SystemName:
    return SystemName(system.records[0].trial.suite, system.task, system.strategy, system.model)


def _requests(system: MeasuredSystem) -> dict[str, float]:
    """Mean seconds of the requests for each item, over seeds."""
    times: dict[str, list[float]] = {}
    for record in system.records:
        for request in record.serving.requests if record.serving else ():
            if request.wall_s > 0:
                times.setdefault(request.id, []).append(request.wall_s)
    return {name: sum(seconds) / len(seconds) for name, seconds in times.items()}


def _load(system: MeasuredSystem) -> set[float | None]:
    """Rates at which requests came; None: one at a time."""
    return {record.serving.arrival_rate for record in system.records if record.serving}


def _mean_tokens(system: MeasuredSystem) -> dict[str, float]:
    """Tokens read and written for each item, the mean over seeds."""
    by_item: dict[str, list[int]] = {}
    for trial in system.trials:
        for name, (read, generated) in trial.tokens.items():
            by_item.setdefault(name, []).append(read + generated)
    return {name: sum(counts) / len(counts) for name, counts in by_item.items()}


def _seconds_an_item(trial: MeasuredTrial) -> float | None:
    spans = [span.wall_s for span in trial.record.spans if span.phase == "predict"]
    return sum(spans) / len(trial.prompts) if spans and trial.prompts else None


def _adapting_s(trial: MeasuredTrial) -> float | None:
    """Seconds of adapting; None where they are negligible, or an earlier trial's artifact was reused."""
    spans = [span for span in trial.record.spans if span.phase in ADAPTING]
    total = sum(span.wall_s for span in spans)
    return total if total >= NEGLIGIBLE_S and not any(span.reused for span in spans) else None


def _phases(system: MeasuredSystem) -> frozenset[str]:
    """Phases in which every seed did some work of its own."""
    by_record = [
        {span.phase for span in record.spans if not span.reused and span.wall_s >= NEGLIGIBLE_S}
        for record in system.records
    ]
    return frozenset(set.intersection(*by_record)) if by_record else frozenset()


def _peak(phases: Collection[str], gpu: bool) -> Callable[[MeasuredTrial], float | None]:
    def read(trial: MeasuredTrial) -> float | None:
        spans = [span for span in trial.record.spans if span.phase in phases and not span.reused]
        return max((peak for span in spans if (peak := _peak_bytes(span, gpu))), default=None)

    return read


def _peak_bytes(span: Span, gpu: bool) -> float | None:
    reserved = span.gpu_reserved_peak_bytes
    return (span.gpu_device_peak_bytes if reserved is None else reserved) if gpu else span.host_peak_bytes
