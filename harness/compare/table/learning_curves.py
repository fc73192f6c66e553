"""Learning curves: how a strategy's score grows with the number of training items."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from harness import metrics
from harness.compare.stats.estimates import difference, estimate
from harness.compare.stats.sample import Sample
from harness.compare.table.overfitting import gap_of
from harness.compare.table.result import SizeResult, TrialResult
from harness.compare.trials.groups import Group, common_labels, group_trials
from harness.compare.trials.stored_trials import StoredTrialItems
from harness.records.record import Completed

Name = tuple[str, str]
"""A row's label and its model."""


def by_size(
    stored: Sequence[StoredTrialItems],
) -> tuple[list[StoredTrialItems], dict[int, list[StoredTrialItems]], list[str]]:
    """Choose what stands in a task's table: of each strategy, what learned from most of the training items.

    Returns:
        The trials of the table; all that belong to learning curves, by number of training items, rising; and what a
        reader must know before comparing.
    """
    rows: dict[Name, list[StoredTrialItems]] = {}
    for trial in stored:
        rows.setdefault((trial.record.trial.label, trial.record.trial.model), []).append(trial)
    table: list[StoredTrialItems] = []
    sizes: dict[int, list[StoredTrialItems]] = {}
    most: dict[int | None, list[str]] = {}
    for (label, _), trials in rows.items():
        train_sizes = {trial.record.trial.train_items for trial in trials}
        full = None if None in train_sizes else max(size for size in train_sizes if size is not None)
        table += [trial for trial in trials if trial.record.trial.train_items == full]
        if train_sizes == {None}:
            continue
        most.setdefault(full, []).append(label)
        for trial in trials:
            if (size := train_items(trial)) is not None:
                sizes.setdefault(size, []).append(trial)
    return table, dict(sorted(sizes.items())), _unlike(most)


def train_items(stored: StoredTrialItems) -> int | None:
    """Tell how many training items a trial learned from; None where it did not finish with all of them."""
    size = stored.record.trial.train_items
    if size is None and isinstance(stored.record, Completed):
        return stored.record.tasks[0].sizes.get("train")
    return size


def learning_curves(
    task: str, sizes: Mapping[int, Sequence[StoredTrialItems]], metric_name: str
) -> dict[Name, tuple[SizeResult, ...]]:
    """Score every strategy at every size by the task's primary metric, on the same test items."""
    labels = common_labels([trial.items[task] for trials in sizes.values() for trial in trials if task in trial.items])
    curves: dict[Name, list[SizeResult]] = {}
    last: dict[Name, Sample] = {}
    for size, trials in sizes.items():
        for group in group_trials(task, trials):
            name = group.label, group.model
            sample = Sample.from_items(
                metrics.get(metric_name), [items.with_labels(labels) for items in group.items.values()]
            )
            if sample is None:
                continue
            curves.setdefault(name, []).append(_result(size, group, metric_name, sample, last.get(name)))
            last[name] = sample
    return {name: tuple(curve) for name, curve in curves.items() if len(curve) > 1}


def unfinished(sizes: Mapping[int, Sequence[StoredTrialItems]], table: Sequence[StoredTrialItems]) -> list[str]:
    """Tell which points of the curves are missing, and why; the table tells of its own."""
    table_ids = {id(trial) for trial in table}
    return [
        f"{trial.record.trial.label} with {size} training items has no result: {trial.record.reason}"
        for size, trials in sizes.items()
        for trial in trials
        if not isinstance(trial.record, Completed) and id(trial) not in table_ids
    ]


def _result(size: int, group: Group, metric_name: str, sample: Sample, before: Sample | None) -> SizeResult:
    pair = sample.pair_with(before) if before else None
    return SizeResult(
        train_items=size,
        score=estimate(sample),
        gain=difference(*pair) if pair else None,
        gap=gap_of(group.trials, metric_name),
        trials=tuple(_trial(trial, group, metric_name) for trial in group.trials),
    )


def _trial(trial: StoredTrialItems, group: Group, metric_name: str) -> TrialResult:
    seed = trial.record.trial.seed
    alone = Sample.from_items(metrics.get(metric_name), [group.items[seed]]) if seed in group.items else None
    return TrialResult(
        seed=seed,
        status=trial.record.status,
        reason=None if isinstance(trial.record, Completed) else trial.record.reason,
        train_items=trial.record.trial.train_items,
        scores={metric_name: estimate(alone)} if alone else {},
    )


def _unlike(most: Mapping[int | None, Sequence[str]]) -> list[str]:
    """Warn where strategies of one table learned from unlike numbers of items."""
    if len(most) < 2:
        return []
    differences = [
        f"{', '.join(labels)} with {'all' if size is None else f'{size:,}'} training items"
        for size, labels in most.items()
    ]
    return [f"strategies learned from unlike numbers of items: {'; '.join(differences)}."]
