"""How a candidate scores against its baseline on the same items: the metrics that a gate looks at, and margins."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import isfinite

from harness.compare.release.pairing import ReleasePair
from harness.compare.stats.estimates import Difference, difference
from harness.compare.stats.sample import Sample
from harness.errors import HarnessError, unknown
from harness.metrics import Items, get
from harness.metrics.metric import Metric
from harness.records.record import TaskInfo

SHARE_OF_RANGE = 0.05
"""Margin where none is given: this share of a metric's range, or of the baseline's value where the range has no end."""


@dataclass(frozen=True)
class Quality:
    """One metric of one task, in both releases.

    Attributes:
        change: candidate minus baseline; None where they have no item in common.
        margin: the loss that is put up with, in the metric's unit.
        units: independent items or clusters behind the change.
        reach: largest possible change, in the metric's unit.
    """

    task: str
    metric: str
    baseline: float | None
    candidate: float | None
    change: Difference | None
    margin: float
    higher_is_better: bool
    units: int = 0
    reach: float = 1.0


def qualities(pairs: Sequence[ReleasePair], margins: Mapping[str, float]) -> list[list[Quality]]:
    """Compare each pair, in order: the first metric of its task and of each probe, and those that a margin names.

    Args:
        pairs: systems of two releases.
        margins: by ``task.metric``, ``task``, ``metric`` or ``""``, in the metric's unit.

    Raises:
        HarnessError: a margin fits nothing.
    """
    _check(margins, [info for pair in pairs for info in _tasks(pair)])
    return [[one for info in _tasks(pair) for one in _of_task(pair, info, margins)] for pair in pairs]


def compared(pair: ReleasePair, task: str, metric: Metric) -> Difference | None:
    """Subtract the baseline's score from the candidate's, on the items that both were asked; None if there is none."""
    both = _both(pair, task, metric)
    return difference(*both) if both else None


def margin_of(margins: Mapping[str, float], info: TaskInfo, place: int) -> float | None:
    """Find the margin of a task's metric, the most exact name first; ``task`` alone means its first metric."""
    name = info.metrics[place]
    keys = [f"{info.name}.{name}", name, *([info.name] if place == 0 else []), ""]
    return next((margins[key] for key in keys if key in margins), None)


def same_items(first: Sequence[Items], second: Sequence[Items]) -> set[str]:
    """Give the ids that stand for one and the same item on both sides: with the same references and choices."""
    one, other = (
        {name: (items.references[i], items.choices[i]) for items in side for i, name in enumerate(items.ids)}
        for side in (first, second)
    )
    return {name for name, told in one.items() if other.get(name) == told}


def _tasks(pair: ReleasePair) -> list[TaskInfo]:
    """Give the system's own task and the probes, controls excepted, as the candidate knows them."""
    there = pair.candidate.records[0].tasks
    asked = {task for one in pair.baseline.trials for task in one.items}
    return [info for info in there if info.role != "control" and info.metrics and info.name in asked]


def _of_task(pair: ReleasePair, info: TaskInfo, margins: Mapping[str, float]) -> list[Quality]:
    made: list[Quality] = []
    for place, name in enumerate(info.metrics):
        metric = get(name)
        given = {f"{info.name}.{name}", name} & margins.keys()
        if metric.higher_is_better is not None and (place == 0 or given):
            made.append(_quality(pair, info.name, metric, margin_of(margins, info, place)))
    return made


def _quality(pair: ReleasePair, task: str, metric: Metric, margin: float | None) -> Quality:
    both = _both(pair, task, metric)
    reach = metric.bounds[1] - metric.bounds[0]
    start = both[1].value if both else 0.0
    default = SHARE_OF_RANGE * (reach if isfinite(reach) else abs(start))
    return Quality(
        task=task,
        metric=metric.name,
        baseline=both[1].value if both else None,
        candidate=both[0].value if both else None,
        change=difference(*both) if both else None,
        margin=default if margin is None else margin,
        higher_is_better=bool(metric.higher_is_better),
        units=both[0].units if both else 0,
        reach=reach,
    )


def _both(pair: ReleasePair, task: str, metric: Metric) -> tuple[Sample, Sample] | None:
    """Score the items that both sides were asked: candidate and baseline; None if there is none."""
    labels = pair.labels(task)
    before, after = pair.baseline.items(task, labels), pair.candidate.items(task, labels)
    common = same_items(before, after)
    samples = [Sample.of(metric, [_only(items, common) for items in side]) for side in (before, after)]
    return samples[1].paired_with(samples[0]) if samples[0] and samples[1] else None


def _only(items: Items, wanted: set[str]) -> Items:
    """Keep some of the items."""
    places = [i for i, name in enumerate(items.ids) if name in wanted]
    return items if len(places) == len(items) else items.at(places)


def _check(margins: Mapping[str, float], infos: Sequence[TaskInfo]) -> None:
    tasks = {info.name for info in infos}
    names = {name for info in infos for name in info.metrics}
    pairs = {f"{info.name}.{name}" for info in infos for name in info.metrics}
    for key, margin in margins.items():
        if key and key not in tasks | names | pairs:
            raise unknown("task or metric", key, tasks | names | pairs, where="--margin")
        if not margin >= 0:
            raise HarnessError(
                f"a margin is the loss that is put up with, 0 or more: --margin {key}={margin:g} is not."
            )
