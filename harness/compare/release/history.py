"""History of a suite's figures over its releases, with the change points.

A change point is a step between two consecutive releases of one strategy: the paired difference on the same items for a
score, the ratio for seconds, bytes and tokens, its p adjusted over all steps of the series (Holm 1979) and at most 5 %.
Nothing is fitted over several releases, so a slow drift shows in the scores and not as a change point.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Literal, NamedTuple

from harness.compare.release.attribution import list_changes
from harness.compare.release.figures import Figure
from harness.compare.release.pairing import MeasuredSystem, ReleasePair, group_systems, pair_systems, read_measured
from harness.compare.release.quality_change import score_change
from harness.compare.release.resource_ratios import ResourceRatio, ratios
from harness.compare.release.run_noise import Noise
from harness.compare.release.series import FigureChange, History, Series, SeriesPoint
from harness.compare.stats.estimates import estimate
from harness.compare.stats.intervals import holm
from harness.compare.stats.sample import Sample
from harness.compare.trials.stored_trials import TrialWithRows
from harness.errors import unknown
from harness.metrics import get
from harness.metrics.statistical_power import ALPHA

CURRENT = "now"
METHOD = (
    "A change point (▲ better, ▼ worse) is a step between consecutive releases whose p, adjusted over the steps of its "
    "row (Holm), is at most 5 %: the paired difference on the same items for scores, the ratio for the rest. Seconds "
    "are marked where repeats are known ('harness repeat'); seconds and bytes of unlike machines are not compared."
)


@dataclass(frozen=True)
class Release:
    """A baseline, or the current trials of the store."""

    name: str
    measured_at: str
    trials: Sequence[TrialWithRows]


class ReleasedSystem(NamedTuple):
    """A system as one release measured it."""

    release: Release
    system: MeasuredSystem


def append_current(releases: Sequence[Release], current: Sequence[TrialWithRows]) -> list[Release]:
    """Append the store's current trials to the baselines, unless the last baseline has all of them."""
    started = {getattr(trial.record, "started_at", "") for trial in current if trial.record.status == "completed"}
    last = {getattr(trial.record, "started_at", "") for trial in releases[-1].trials} if releases else set[str]()
    return list(releases) if not started or started <= last else [*releases, Release(CURRENT, max(started), current)]


def history(
    suite: str, releases: Sequence[Release], strategies: Sequence[str], metrics: Sequence[str], noise: Noise
) -> History:
    """Follow each strategy through the releases.

    Args:
        suite: its name.
        releases: oldest first.
        strategies: only these; empty: all.
        metrics: these; empty: the first of each task.
        noise: of repeats.

    Raises:
        HarnessError: a strategy or metric is in no release, or rows are damaged.
    """
    by_release = [(release, group_systems(read_measured(release.trials))) for release in releases]
    all_systems = [system for _, systems in by_release for system in systems]
    for kind, names, existing in (
        ("strategy", strategies, {system.strategy for system in all_systems}),
        ("metric", metrics, {name for system in all_systems for name in system.records[0].tasks[0].metrics}),
    ):
        for name in names:
            if name not in existing:
                raise unknown(kind, name, existing, where=f"the releases of {suite}")
    series: list[Series] = []
    for model, line in _lines(by_release):
        declared = line[-1].system.records[0].tasks[0].metrics
        selected = [name for name in metrics if name in declared] if metrics else list(declared[:1])
        if not strategies or line[-1].system.strategy in strategies:
            series += [_series(line, metric, noise, model) for metric in selected]
    return History(suite=suite, releases=tuple(release.name for release in releases), series=tuple(series))


def _lines(
    by_release: Sequence[tuple[Release, Sequence[MeasuredSystem]]],
) -> list[tuple[str | None, list[ReleasedSystem]]]:
    """Follow each system through the releases; each model separately, by name, where a release has several."""

    def key(system: MeasuredSystem) -> tuple[str, str, int | None]:
        return system.task, system.strategy, system.train_items

    multiple = {name for _, systems in by_release for name, times in Counter(map(key, systems)).items() if times > 1}
    lines: dict[tuple[object, str | None], list[ReleasedSystem]] = {}
    for release, systems in by_release:
        for system in systems:
            model = system.model if key(system) in multiple else None
            lines.setdefault((key(system), model), []).append(ReleasedSystem(release, system))
    return [(model, line) for (_, model), line in lines.items()]


def _series(line: Sequence[ReleasedSystem], metric: str, noise: Noise, model: str | None) -> Series:
    last = line[-1].system
    up = get(metric).higher_is_better
    pairs = [pair_systems([before.system], [after.system]).pairs for before, after in pairwise(line)]
    steps = [None, *[matches[0] if matches else None for matches in pairs]]
    changes = [score_change(step, last.task, get(metric)) if step else None for step in steps]
    adjusted = _adjusted([change.p if change else None for change in changes])
    by_figure = [{ratio.figure.name: ratio for ratio in ratios(step, noise)} if step else {} for step in steps]
    names = list(dict.fromkeys(name for figures in by_figure for name in figures))
    figure_p = {
        name: _adjusted([_p(figures.get(name), step) for figures, step in zip(by_figure, steps, strict=True)])
        for name in names
    }
    points = [
        _point(*line[i], metric).model_copy(
            update={
                "change": None if change is None else change.model_copy(update={"p_holm": p}),
                "clear": _direction(change.value if change else 0.0, p, bool(up)),
                "figures": _figures(by_figure[i], {name: figure_p[name][i] for name in by_figure[i]}, steps[i]),
                "differs": _differs(steps[i]),
            }
        )
        for i, (change, p) in enumerate(zip(changes, adjusted, strict=True))
    ]
    if len(points) > 1:  # the first release has no step: its figures are the baselines of the second's ratios
        start = {
            name: FigureChange(unit=ratio.figure.unit, value=ratio.baseline) for name, ratio in by_figure[1].items()
        }
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
    sample = Sample.from_items(get(metric), system.items(system.task, record.tasks[0].labels))
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


def _figures(
    by_figure: dict[str, ResourceRatio], adjusted: dict[str, float | None], step: ReleasePair | None
) -> dict[str, FigureChange]:
    figures: dict[str, FigureChange] = {}
    for name, ratio in by_figure.items():
        change = FigureChange(unit=ratio.figure.unit, value=ratio.candidate)
        if step and _one_machine(ratio.figure, step):
            fields = {"ratio": ratio.value, "low": ratio.low, "high": ratio.high}
            clear = _direction(ratio.value - 1, adjusted[name], up=False)
            change = change.model_copy(update={**fields, "clear": clear})
        figures[name] = change
    return figures


def _differs(step: ReleasePair | None) -> tuple[str, ...]:
    if step is None:
        return ()
    return tuple(f"{change.factor}: {change.name} {change.before} → {change.after}" for change in list_changes([step]))


def _p(ratio: ResourceRatio | None, step: ReleasePair | None) -> float | None:
    """Two-sided p that nothing changed; None where the noise from run to run or another machine may be the cause."""
    comparable = ratio and step and ratio.repeats_known and _one_machine(ratio.figure, step)
    return ratio.p if ratio and comparable else None


def _one_machine(figure: Figure, step: ReleasePair) -> bool:
    """Whether a figure of two releases is compared: seconds and bytes of unlike machines are not."""
    return figure.aspect == "cost" or step.same_hardware


def _adjusted(p_values: Sequence[float | None]) -> list[float | None]:
    """Adjust the p-values that are not None (Holm)."""
    adjusted = iter(holm([p for p in p_values if p is not None]))
    return [None if p is None else next(adjusted) for p in p_values]


def _direction(change: float, p: float | None, up: bool) -> Literal["better", "worse"] | None:
    if p is None or p > ALPHA or change == 0:
        return None
    return "better" if (change > 0) == up else "worse"
