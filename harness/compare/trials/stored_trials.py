"""Stored records with the items of each task that they answered."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any, Protocol

from harness.metrics.items import Columns, Items, Positions
from harness.records.ablation_names import ablation_of
from harness.records.record import Completed, Failed, Skipped


class TrialWithRows(Protocol):
    """A record as a store returns it, with rows that are read on demand."""

    @property
    def record(self) -> Completed | Failed | Skipped:
        """The trial's record."""
        ...

    def columns(self) -> Columns:
        """Its rows if it completed; each column is read when it is used."""
        ...

    def table(self) -> Any:
        """All of its rows as a `pyarrow.Table`."""
        ...


@dataclass(frozen=True)
class StoredTrialItems:
    """A record, and by task name the items that it was scored on; no items if it did not complete.

    Attributes:
        train_evaluation: answers to items of the training split; None where there was no train-set evaluation.
        controls: answers under ablations, by ablation, e.g. ``oracle``; they are in no score.
    """

    record: Completed | Failed | Skipped
    items: Mapping[str, Items] = field(default_factory=dict[str, Items])
    train_evaluation: Items | None = None
    controls: Mapping[str, Items] = field(default_factory=dict[str, Items])


def read_trials(trials: Iterable[TrialWithRows]) -> list[StoredTrialItems]:
    """Read the rows of stored trials.

    Raises:
        HarnessError: a trial's rows are damaged.
    """
    return [_read(trial) for trial in trials]


def _read(trial: TrialWithRows) -> StoredTrialItems:
    record = trial.record
    if not isinstance(record, Completed):
        return StoredTrialItems(record)
    columns = trial.columns()
    labels = {task.name: task.labels for task in record.tasks}
    test, train, controls = (
        {task: Items.from_columns(columns, labels.get(task, ()), rows) for task, rows in by_task.items()}
        for by_task in _split(columns.values("task"), columns.values("role"))
    )
    ablations = {ablation_of(record.trial.task, name): items for name, items in controls.items()}
    return StoredTrialItems(record, test, train.get(record.trial.task), ablations)


@lru_cache(maxsize=64)
def _split(tasks: tuple[str, ...], roles: tuple[str, ...]) -> tuple[Mapping[str, Positions], ...]:
    """Find the row numbers of each task: test items, train-set evaluation, and ablations."""
    positions: tuple[dict[str, list[int]], ...] = ({}, {}, {})
    for row, (task, role) in enumerate(zip(tasks, roles, strict=True)):
        positions[_SPLIT_OF_ROLE.get(role, 0)].setdefault(task, []).append(row)
    return tuple({task: _compact(rows) for task, rows in by_task.items()} for by_task in positions)


_SPLIT_OF_ROLE = {"train": 1, "control": 2}
"""Position in the result of `_split`; other roles are test items, 0."""


def _compact(rows: Sequence[int]) -> Positions:
    """Write contiguous row numbers as a slice."""
    first, last = rows[0], rows[-1]
    return slice(first, last + 1) if last - first + 1 == len(rows) else tuple(rows)
