"""Score changes of a candidate against its baseline on the same items, for the metrics of a gate, with margins."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from math import isfinite

from harness.compare.release.margin_interval import margin_uncertainty
from harness.compare.release.pairing import ReleasePair
from harness.compare.stats.estimates import Difference, difference, paired_difference
from harness.compare.stats.sample import Sample
from harness.compare.stats.uncertainty import IntervalKind
from harness.compare.trials.seed_noise import seed_kind, with_seed_noise
from harness.errors import HarnessError, unknown
from harness.metrics import Items, get
from harness.metrics.metric import Metric
from harness.records.record import TaskInfo

SHARE_OF_SCORE = 0.05
"""Default margin: this share of the baseline's score, but at least what one item weighs. A share of the metric's range
would let a system that scores 0.05 lose everything."""


@dataclass(frozen=True)
class Quality:
    """One metric of one task, in both releases.

    Attributes:
        change: candidate minus baseline; None where they have no item in common.
        margin: largest tolerated loss, in the metric's unit.
        units: independent items or clusters behind the change.
        reach: largest possible change, in the metric's unit.
        kind: formula of the interval of the change.
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
    kind: IntervalKind | None = None


def compare_quality(pairs: Sequence[ReleasePair], margins: Mapping[str, float]) -> list[list[Quality]]:
    """Compare each pair, in order, by the first metric of its task and of each probe, and by those that a margin names.

    Args:
        pairs: systems of two releases.
        margins: by ``task.metric``, ``task``, ``metric`` or ``""``, in the metric's unit.

    Raises:
        HarnessError: a margin names no task or metric.
    """
    _check(margins, [info for pair in pairs for info in _tasks(pair)])
    return [[quality for info in _tasks(pair) for quality in _qualities(pair, info, margins, pairs)] for pair in pairs]


def score_change(pair: ReleasePair, task: str, metric: Metric) -> Difference | None:
    """Subtract the baseline's score from the candidate's on their common items; None if there are none."""
    samples = seeded_samples(pair, task, metric, [pair])
    return difference(*samples) if samples else None


def find_margin(margins: Mapping[str, float], info: TaskInfo, index: int) -> float | None:
    """Find the margin of a task's metric by index, the most specific name first; ``task`` means its first metric."""
    name = info.metrics[index]
    keys = [f"{info.name}.{name}", name, *([info.name] if index == 0 else []), ""]
    return next((margins[key] for key in keys if key in margins), None)


def shared_ids(first: Sequence[Items], second: Sequence[Items]) -> set[str]:
    """Find the ids of items that are the same on both sides: with the same references and choices."""
    left, right = (
        {name: (items.references[i], items.choices[i]) for items in side for i, name in enumerate(items.ids)}
        for side in (first, second)
    )
    return {name for name, content in left.items() if right.get(name) == content}


def _tasks(pair: ReleasePair) -> list[TaskInfo]:
    """List the target task and the probes, without ablations, as the candidate's record describes them."""
    answered = {task for trial in pair.baseline.trials for task in trial.items}
    tasks = pair.candidate.records[0].tasks
    return [info for info in tasks if info.role != "control" and info.metrics and info.name in answered]


def _qualities(
    pair: ReleasePair, info: TaskInfo, margins: Mapping[str, float], pairs: Sequence[ReleasePair]
) -> list[Quality]:
    qualities: list[Quality] = []
    for index, name in enumerate(info.metrics):
        metric = get(name)
        has_margin = {f"{info.name}.{name}", name} & margins.keys()
        if metric.higher_is_better is not None and (index == 0 or has_margin):
            samples = seeded_samples(pair, info.name, metric, pairs)
            qualities.append(quality_of(info.name, metric, samples, find_margin(margins, info, index)))
    return qualities


def quality_of(task: str, metric: Metric, samples: tuple[Sample, Sample] | None, margin: float | None) -> Quality:
    """Compare the samples of candidate and baseline; a margin of None is the default one."""
    spread = margin_uncertainty(*samples) if samples else None
    reach = metric.bounds[1] - metric.bounds[0]
    return Quality(
        task=task,
        metric=metric.name,
        baseline=samples[1].value if samples else None,
        candidate=samples[0].value if samples else None,
        change=paired_difference(spread, *samples) if samples and spread else None,
        margin=_default_margin(samples[1], reach) if margin is None and samples else margin or 0.0,
        higher_is_better=bool(metric.higher_is_better),
        units=samples[0].units if samples else 0,
        reach=reach,
        kind=spread.kind if spread else None,
    )


def _default_margin(baseline: Sample, reach: float) -> float:
    """Return 5 % of the baseline's score, and at least one item."""
    one_item = reach / baseline.n if isfinite(reach) else 0.0
    return max(SHARE_OF_SCORE * abs(baseline.value), one_item)


def seeded_samples(
    pair: ReleasePair, task: str, metric: Metric, pairs: Sequence[ReleasePair], within: frozenset[str] | None = None
) -> tuple[Sample, Sample] | None:
    """Score the common items as `paired_samples` does; what was trained again carries the spread over seeds.

    It is that of such systems on the same items, pooled over both releases of all `pairs`.
    """
    samples = paired_samples(pair, task, metric, within)
    if samples is None or not pair.retrained:
        return samples
    systems = [system for other in pairs for system in (other.candidate, other.baseline)]
    pool = [
        (seed_kind(system.records), sample)
        for system in systems
        if (sample := Sample.from_items(metric, _within(system.items(task, pair.labels(task)), within)))
    ]
    kinds = [seed_kind(system.records) for system in (pair.candidate, pair.baseline)]
    candidate, baseline = with_seed_noise(samples, kinds, pool)
    return candidate, baseline


def paired_samples(
    pair: ReleasePair, task: str, metric: Metric, within: frozenset[str] | None = None
) -> tuple[Sample, Sample] | None:
    """Score the common items: candidate and baseline; None if there are none, or if their protocols differ.

    Args:
        pair: candidate and baseline.
        task: one of their tasks.
        metric: of the scores.
        within: ids of the items that count; None: all.
    """
    if len(pair.protocols) > 1:
        return None
    labels = pair.labels(task)
    before, after = pair.baseline.items(task, labels), pair.candidate.items(task, labels)
    common = shared_ids(before, after)
    common = common if within is None else common & within
    samples = [Sample.from_items(metric, [_only(items, common) for items in side]) for side in (before, after)]
    return samples[1].pair_with(samples[0]) if samples[0] and samples[1] else None


def _within(sides: Sequence[Items], ids: frozenset[str] | None) -> list[Items]:
    return [items if ids is None else _only(items, ids) for items in sides]


def _only(items: Items, ids: Collection[str]) -> Items:
    """Select items by id."""
    rows = [i for i, name in enumerate(items.ids) if name in ids]
    return items if len(rows) == len(items) else items.at(rows)


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
