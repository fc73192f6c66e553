"""How a suite's figures moved from release to release, and between which two releases a change is clear.

A change point is a step between two consecutive releases of one strategy: the paired difference on the same items for a
score, the ratio for seconds, bytes and tokens, its p adjusted over all steps of the series (Holm 1979) and at most 5 %.
Nothing is fitted over several releases, so a slow drift shows in the scores and not as a change point.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from math import log
from statistics import NormalDist
from typing import Literal

from harness.compare.release.attribution import changes
from harness.compare.release.pairing import MeasuredSystem, ReleasePair, measured, pair, systems
from harness.compare.release.quality_change import compared
from harness.compare.release.resource_ratios import ResourceRatio, ratios
from harness.compare.release.run_noise import Noise
from harness.compare.release.series import FigureChange, History, Series, SeriesPoint
from harness.compare.stats.estimates import estimate
from harness.compare.stats.intervals import holm
from harness.compare.stats.sample import Sample
from harness.compare.trials.stored_trials import TrialWithRows
from harness.errors import unknown
from harness.metrics import get

ALPHA = 0.05
CURRENT = "now"
METHOD = (
    "A change point (▲ better, ▼ worse) is a step between consecutive releases whose p, adjusted over the steps of its "
    "row (Holm), is at most 5 %: the paired difference on the same items for scores, the ratio for the rest."
)


@dataclass(frozen=True)
class Release:
    """One release: a baseline, or what is in the store now."""

    name: str
    measured_at: str
    trials: Sequence[TrialWithRows]


Of = tuple[Release, MeasuredSystem]
"""What one release has of a system."""


def with_current(releases: Sequence[Release], current: Sequence[TrialWithRows]) -> list[Release]:
    """Put what is in the store behind the baselines, unless the last one is just that."""
    began = {getattr(one.record, "started_at", "") for one in current if one.record.status == "completed"}
    last = {getattr(one.record, "started_at", "") for one in releases[-1].trials} if releases else set[str]()
    return list(releases) if not began or began <= last else [*releases, Release(CURRENT, max(began), current)]


def history(
    suite: str, releases: Sequence[Release], strategies: Sequence[str], metrics: Sequence[str], noise: Noise
) -> History:
    """Follow each strategy through the releases.

    Args:
        suite: its name.
        releases: oldest first.
        strategies: only these; empty: all.
        metrics: these; empty: the first of each task.
        noise: what is known of repeats.

    Raises:
        HarnessError: a strategy or metric is in no release, or rows are damaged.
    """
    found = [(release, systems(measured(release.trials))) for release in releases]
    every = [system for _, own in found for system in own]
    for kind, wanted, known in (
        ("strategy", strategies, {one.strategy for one in every}),
        ("metric", metrics, {name for one in every for name in one.records[0].tasks[0].metrics}),
    ):
        for one in wanted:
            if one not in known:
                raise unknown(kind, one, known, where=f"the releases of {suite}")
    made: list[Series] = []
    for model, line in _lines(found):
        declared = line[-1][1].records[0].tasks[0].metrics
        chosen = [name for name in metrics if name in declared] if metrics else list(declared[:1])
        if not strategies or line[-1][1].strategy in strategies:
            made += [_series(line, metric, noise, model) for metric in chosen]
    return History(suite=suite, releases=tuple(release.name for release in releases), series=tuple(made))


def _lines(found: Sequence[tuple[Release, Sequence[MeasuredSystem]]]) -> list[tuple[str | None, list[Of]]]:
    """Follow each system through the releases: by its model too, which then is named, where one has several of it."""

    def key(one: MeasuredSystem) -> tuple[str, str, int | None]:
        return one.task, one.strategy, one.train_items

    several = {name for _, own in found for name, times in Counter(map(key, own)).items() if times > 1}
    lines: dict[tuple[object, str | None], list[Of]] = {}
    for release, own in found:
        for one in own:
            lines.setdefault((key(one), one.model if key(one) in several else None), []).append((release, one))
    return [(model, line) for (_, model), line in lines.items()]


def _series(line: Sequence[Of], metric: str, noise: Noise, model: str | None) -> Series:
    last = line[-1][1]
    up = get(metric).higher_is_better
    pairs = [pair([before], [after]).pairs for (_, before), (_, after) in pairwise(line)]
    steps = [None, *[own[0] if own else None for own in pairs]]
    scores = [compared(one, last.task, get(metric)) if one else None for one in steps]
    taken = [{ratio.figure: ratio for ratio in ratios(one, noise)} if one else {} for one in steps]
    adjusted = _adjusted([found.p if found else None for found in scores])
    names = list(dict.fromkeys(name for own in taken for name in own))
    clear = {name: _adjusted([_p(own.get(name)) for own in taken]) for name in names}
    points = [
        _point(release, system, metric).model_copy(
            update={
                "change": None if change is None else change.model_copy(update={"p_holm": p}),
                "clear": _direction(change.value if change else 0.0, p, bool(up)),
                "figures": _figures(own, {name: clear[name][place] for name in own}),
                "differs": _differs(step),
            }
        )
        for place, ((release, system), step, change, p, own) in enumerate(
            zip(line, steps, scores, adjusted, taken, strict=True)
        )
    ]
    if len(points) > 1:  # the first release has no step, but its figures are known from the second's
        start = {name: FigureChange(unit=one.unit, value=one.baseline) for name, one in taken[1].items()}
        points[0] = points[0].model_copy(update={"figures": start})
    return Series(
        task=last.task,
        strategy=last.strategy,
        metric=metric,
        train_items=last.train_items,
        model=model,
        higher_is_better=up,
        points=tuple(points),
    )


def _point(release: Release, system: MeasuredSystem, metric: str) -> SeriesPoint:
    record = system.records[0]
    sample = Sample.of(get(metric), system.items(system.task, record.tasks[0].labels))
    return SeriesPoint(
        release=release.name,
        measured_at=release.measured_at,
        model=system.model,
        revision=record.model.revision,
        weights=record.model.hash,
        commit=record.environment.git_commit,
        data_hash=record.tasks[0].data_hash,
        versions=record.environment.packages,
        seeds=len(system.records),
        score=estimate(sample) if sample else None,
    )


def _figures(taken: dict[str, ResourceRatio], adjusted: dict[str, float | None]) -> dict[str, FigureChange]:
    return {
        name: FigureChange(
            unit=one.unit,
            value=one.candidate,
            ratio=one.value,
            low=one.low,
            high=one.high,
            clear=_direction(one.value - 1, adjusted[name], up=False),
        )
        for name, one in taken.items()
    }


def _differs(step: ReleasePair | None) -> tuple[str, ...]:
    if step is None:
        return ()
    return tuple(f"{one.factor}: {one.name} {one.before} → {one.after}" for one in changes([step]))


def _p(ratio: ResourceRatio | None) -> float | None:
    """Two-sided p that nothing changed, as wide as the ratio's interval."""
    if ratio is None or ratio.low is None or ratio.error is None:
        return None
    if ratio.error == 0:  # every item by the same share, as tokens of a longer instruction
        return 1.0 if ratio.value == 1 else 0.0
    return 2 * NormalDist().cdf(-abs(log(ratio.value)) / ratio.error)


def _adjusted(p_values: Sequence[float | None]) -> list[float | None]:
    """Adjust those that are known (Holm); the others stay unknown."""
    known = iter(holm([p for p in p_values if p is not None]))
    return [None if p is None else next(known) for p in p_values]


def _direction(change: float, p: float | None, up: bool) -> Literal["better", "worse"] | None:
    if p is None or p > ALPHA or change == 0:
        return None
    return "better" if (change > 0) == up else "worse"
