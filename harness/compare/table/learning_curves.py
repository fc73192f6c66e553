"""Learning curves: score of a strategy by number of training items."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from harness import metrics
from harness.compare.stats.estimates import difference, estimate
from harness.compare.stats.sample import Sample
from harness.compare.table.overfitting import gap_of
from harness.compare.table.result import SizeResult, TrialResult
from harness.compare.trials.groups import Group, common_labels, group_trials
from harness.compare.trials.seed_noise import seed_kind, with_seed_noise
from harness.compare.trials.stored_trials import StoredTrialItems
from harness.records.record import Completed

Name = tuple[str, str]
"""A row's label and its model."""


class MissingPoint(NamedTuple):
    """A point of a learning curve whose trial did not finish."""

    label: str
    train_items: int
    reason: str


def by_size(
    stored: Sequence[StoredTrialItems],
) -> tuple[list[StoredTrialItems], dict[int, list[StoredTrialItems]], dict[int | None, list[str]]]:
    """Select the trials of a task's table: of each strategy, those with the largest training set.

    Returns:
        The trials of the table; the trials of learning curves by number of training items, rising; and the labels of
        the rows that were trained at several sizes, by the number in the table (None: all training items).
    """
    rows: dict[Name, list[StoredTrialItems]] = {}
    for trial in stored:
        rows.setdefault((trial.record.trial.label, trial.record.trial.model), []).append(trial)
    table: list[StoredTrialItems] = []
    sizes: dict[int, list[StoredTrialItems]] = {}
    labels_by_size: dict[int | None, list[str]] = {}
    for (label, _), trials in rows.items():
        train_sizes = {trial.record.trial.train_items for trial in trials}
        full = None if None in train_sizes else max(size for size in train_sizes if size is not None)
        table += [trial for trial in trials if trial.record.trial.train_items == full]
        if train_sizes == {None}:
            continue
        labels_by_size.setdefault(full, []).append(label)
        for trial in trials:
            if (size := train_items(trial)) is not None:
                sizes.setdefault(size, []).append(trial)
    return table, dict(sorted(sizes.items())), labels_by_size


def train_items(stored: StoredTrialItems) -> int | None:
    """Return the number of training items of a trial; None where a trial on all of them did not finish."""
    size = stored.record.trial.train_items
    if size is None and isinstance(stored.record, Completed):
        return stored.record.tasks[0].sizes.get("train")
    return size


def learning_curves(
    task: str, sizes: Mapping[int, Sequence[StoredTrialItems]], metric_name: str
) -> dict[Name, tuple[SizeResult, ...]]:
    """Score every strategy at every size by the task's primary metric, on the same test items."""
    labels = common_labels([trial.items[task] for trials in sizes.values() for trial in trials if task in trial.items])
    metric = metrics.get(metric_name)
    points = [
        (size, group, sample)
        for size, trials in sizes.items()
        for group in group_trials(task, trials)
        if (sample := Sample.from_items(metric, [items.with_labels(labels) for items in group.items.values()]))
    ]
    kinds = [seed_kind(group.records) for _, group, _ in points]
    samples = with_seed_noise([sample for *_, sample in points], kinds) if points else []
    curves: dict[Name, list[SizeResult]] = {}
    smaller: dict[Name, Sample] = {}
    for (size, group, _), sample in zip(points, samples, strict=True):
        name = group.label, group.model
        curves.setdefault(name, []).append(_result(size, group, metric_name, sample, smaller.get(name)))
        smaller[name] = sample
    return {name: tuple(curve) for name, curve in curves.items() if len(curve) > 1}


def missing_points(
    sizes: Mapping[int, Sequence[StoredTrialItems]], table: Sequence[StoredTrialItems]
) -> list[MissingPoint]:
    """Return the points of the curves that did not finish, without those of the table, whose rows have the reason."""
    table_ids = {id(trial) for trial in table}
    return [
        MissingPoint(trial.record.trial.label, size, trial.record.reason)
        for size, trials in sizes.items()
        for trial in trials
        if not isinstance(trial.record, Completed) and id(trial) not in table_ids
    ]


def _result(size: int, group: Group, metric_name: str, sample: Sample, smaller: Sample | None) -> SizeResult:
    pair = sample.pair_with(smaller) if smaller else None
    return SizeResult(
        train_items=size,
        score=estimate(sample),
        gain=difference(*pair) if pair else None,
        gap=gap_of(group.trials, metric_name),
        trials=tuple(_trial(trial, group, metric_name) for trial in group.trials),
    )


def _trial(trial: StoredTrialItems, group: Group, metric_name: str) -> TrialResult:
    seed = trial.record.trial.seed
    sample = Sample.from_items(metrics.get(metric_name), [group.items[seed]]) if seed in group.items else None
    return TrialResult(
        seed=seed,
        status=trial.record.status,
        reason=None if isinstance(trial.record, Completed) else trial.record.reason,
        train_items=trial.record.trial.train_items,
        scores={metric_name: estimate(sample)} if sample else {},
    )
