"""How strategies do on fresh items that have answered both these and the test split; and what has yet to be run."""

from __future__ import annotations

import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from harness.compare.prose.numbers import count
from harness.compare.stats.estimates import Difference, Estimate, estimate, unpaired
from harness.compare.stats.intervals import holm
from harness.compare.stats.sample import Sample
from harness.compare.trials.groups import Group, groups_of
from harness.compare.trials.stored_trials import read
from harness.data.prepare import PreparedTask
from harness.metrics import get
from harness.records.measurements import StoredModel
from harness.records.record import Completed
from harness.store.results_store import StoredTrial, newest


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
    found: list[QualityShift] = []
    for key, before in groups[0].items():
        after = groups[1].get(key)
        if after is None:
            continue
        if _made(before) != _made(after):
            notes.append(f"{before.label} had other weights or parameters on the fresh items: run both again.")
            continue
        seeds = sorted(before.items.keys() & after.items.keys())
        one, other = (Sample.of(metric, [group.items[seed] for seed in seeds]) for group in (before, after))
        if one is None or other is None:
            notes.append(f"{before.label} has no seed, or no item with {metric.name}, in common on both.")
            continue
        found.append(
            QualityShift(
                strategy=before.label,
                model=before.model,
                metric=metric.name,
                higher_is_better=bool(metric.higher_is_better),
                test=estimate(one),
                fresh=estimate(other),
                change=unpaired(other, one),
            )
        )
    adjusted = holm([one.change.p for one in found])
    return tuple(
        one.model_copy(update={"change": one.change.model_copy(update={"p_holm": p})})
        for one, p in zip(found, adjusted, strict=True)
    ), notes


def commands_for(
    suite: str, task: str, sides: tuple[TaskTrials, TaskTrials], asked: Mapping[str, str]
) -> tuple[str, ...]:
    """Write the commands that give the results that are missing.

    Args:
        suite: as it was named.
        task: compared.
        sides: the test split and the fresh items.
        asked: flags of this command that a run needs too, such as ``--results``; the file is under ``--split``.
    """
    made = [[one.record.trial for one in _finished(side) if one.record.trial.budget is None] for side in sides]
    systems = [{(one.strategy, one.model, one.seed) for one in own} for own in made]
    common = {name: value for name, value in asked.items() if name != "--split"}
    lines: list[str] = []
    for mine, flags in ((0, {"--task": task}), (1, {"--split": asked["--split"], "--task": task})):
        missing = sorted(systems[1 - mine] - systems[mine])
        if missing or not any(systems):
            told = [*({**flags, **common}).items()]
            told += [("--strategy", name) for name in dict.fromkeys(strategy for strategy, _, _ in missing)]
            told += [("--model", name) for name in dict.fromkeys(model for _, model, _ in missing)]
            seeds = sorted({seed for _, _, seed in missing})
            told += [("--seed", str(seed)) for seed in seeds] if any(seeds) else []
            written = [f"{name} {shlex.quote(value)}" for name, value in told]
            lines.append(" ".join(["harness run", shlex.quote(suite), *written]))
    return tuple(lines)


def _finished(side: TaskTrials) -> list[StoredTrial]:
    """Keep whole trials that asked exactly these items."""
    return [
        one
        for one in newest(one for one in side.stored if one.record.trial.task == side.task.info.name).trials
        if isinstance(one.record, Completed)
        and one.record.trial.train_items is None
        and one.record.tasks[0].data_hash == side.task.info.data_hash
    ]


def _groups(side: TaskTrials, name: str, notes: list[str]) -> dict[tuple[str, str], Group]:
    own = _finished(side)
    there = sum(
        isinstance(one.record, Completed) and one.record.trial.task == side.task.info.name for one in side.stored
    )
    if there > len(own):
        notes.append(
            f"{count(there - len(own), 'record')} of {name} left out: other data, limits or numbers of training items."
        )
    return {(one.label, one.model): one for one in groups_of(side.task.info.name, read(own))}


def _made(group: Group) -> tuple[object, object]:
    """Tell systems apart: the weights they began with, and their steps."""
    first = group.records[0]
    return first.model.hash, first.trial.steps
