"""Scores on fresh items against the test split, for strategies that answered both; and the trials still to run."""

from __future__ import annotations

import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from harness.compare.prose.numbers import count
from harness.compare.stats.estimates import Difference, Estimate, estimate, unpaired_difference
from harness.compare.stats.intervals import holm
from harness.compare.stats.sample import Sample
from harness.compare.trials.groups import Group, group_trials
from harness.compare.trials.stored_trials import read_trials
from harness.data.prepare import PreparedTask
from harness.metrics import get
from harness.records.measurements import StoredModel
from harness.records.record import Completed
from harness.store.results_store import StoredTrial, select_newest


class QualityShift(StoredModel):
    """One strategy's score on both: `change` is fresh minus test split, of items that have none in common."""

    strategy: str
    model: str
    metric: str
    higher_is_better: bool
    test: Estimate
    fresh: Estimate
    change: Difference


@dataclass(frozen=True)
class TaskTrials:
    """A task as it was prepared with some items to be asked, and the records of trials that asked them."""

    task: PreparedTask
    stored: Sequence[StoredTrial]


def quality_of(test: TaskTrials, fresh: TaskTrials) -> tuple[tuple[QualityShift, ...], list[str]]:
    """Compare the first metric of each strategy that has answered both, by the same model with the same steps.

    Returns:
        Differences, p adjusted over strategies (Holm); and what was left out, and why.
    """
    notes: list[str] = []
    groups = [_groups(side, name, notes) for side, name in ((test, "the test split"), (fresh, "the fresh items"))]
    metric = get(test.task.info.metrics[0])
    shifts: list[QualityShift] = []
    for key, before in groups[0].items():
        after = groups[1].get(key)
        if after is None:
            continue
        if _made(before) != _made(after):
            notes.append(
                f"{before.label} had other weights, parameters or another protocol on the fresh items: run both again."
            )
            continue
        seeds = sorted(before.items.keys() & after.items.keys())
        test_sample, other = (
            Sample.from_items(metric, [group.items[seed] for seed in seeds]) for group in (before, after)
        )
        if test_sample is None or other is None:
            notes.append(f"{before.label} has no seed, or no item with {metric.name}, in common on both.")
            continue
        shifts.append(
            QualityShift(
                strategy=before.label,
                model=before.model,
                metric=metric.name,
                higher_is_better=bool(metric.higher_is_better),
                test=estimate(test_sample),
                fresh=estimate(other),
                change=unpaired_difference(other, test_sample),
            )
        )
    adjusted = holm([shift.change.p for shift in shifts])
    return tuple(
        shift.model_copy(update={"change": shift.change.model_copy(update={"p_holm": p})})
        for shift, p in zip(shifts, adjusted, strict=True)
    ), notes


def commands_for(
    suite: str, task: str, sides: tuple[TaskTrials, TaskTrials], run_flags: Mapping[str, str]
) -> tuple[str, ...]:
    """Write the commands that give the results that are missing.

    Args:
        suite: as it was named.
        task: compared.
        sides: the test split and the fresh items.
        run_flags: flags of this command that a run needs too, such as ``--results``; the file is under ``--split``.
    """
    trials = [[trial.record.trial for trial in _finished(side) if trial.record.trial.budget is None] for side in sides]
    systems = [{(trial.strategy, trial.model, trial.seed) for trial in side_trials} for side_trials in trials]
    common = {name: value for name, value in run_flags.items() if name != "--split"}
    lines: list[str] = []
    for mine, flags in ((0, {"--task": task}), (1, {"--split": run_flags["--split"], "--task": task})):
        missing = sorted(systems[1 - mine] - systems[mine])
        if missing or not any(systems):
            arguments = [*({**flags, **common}).items()]
            arguments += [("--strategy", name) for name in dict.fromkeys(strategy for strategy, _, _ in missing)]
            arguments += [("--model", name) for name in dict.fromkeys(model for _, model, _ in missing)]
            seeds = sorted({seed for _, _, seed in missing})
            arguments += [("--seed", str(seed)) for seed in seeds] if any(seeds) else []
            written = [f"{name} {shlex.quote(value)}" for name, value in arguments]
            lines.append(" ".join(["harness run", shlex.quote(suite), *written]))
    return tuple(lines)


def _finished(side: TaskTrials) -> list[StoredTrial]:
    """Keep whole trials that asked exactly these items."""
    return [
        trial
        for trial in select_newest(
            trial for trial in side.stored if trial.record.trial.task == side.task.info.name
        ).trials
        if isinstance(trial.record, Completed)
        and trial.record.trial.train_items is None
        and trial.record.tasks[0].data_hash == side.task.info.data_hash
    ]


def _groups(side: TaskTrials, name: str, notes: list[str]) -> dict[tuple[str, str], Group]:
    finished = _finished(side)
    completed = sum(
        isinstance(trial.record, Completed) and trial.record.trial.task == side.task.info.name for trial in side.stored
    )
    if completed > len(finished):
        notes.append(
            f"{count(completed - len(finished), 'record')} of {name} left out: other data, limits or numbers of "
            "training items."
        )
    return {(group.label, group.model): group for group in group_trials(side.task.info.name, read_trials(finished))}


def _made(group: Group) -> tuple[object, ...]:
    """Tell systems apart: the weights they began with, their steps, and the protocol."""
    first = group.records[0]
    return first.model.hash, first.model.identity, first.trial.steps, first.protocol
