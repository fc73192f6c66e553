"""What a comparison reads: a record with the items of each task that it asked."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any, Protocol

from harness.metrics.items import Columns, Items, Places
from harness.records.record import Completed, Failed, Skipped


class TrialWithRows(Protocol):
    """A record as a store gives it: the rows are read when asked for."""

    @property
    def record(self) -> Completed | Failed | Skipped:
        """What the trial left."""
        ...

    def columns(self) -> Columns:
        """Its rows, of which only what is asked for is read, if it completed."""
        ...

    def table(self) -> Any:
        """All of its rows as a `pyarrow.Table`."""
        ...


@dataclass(frozen=True)
class StoredTrialItems:
    """A record, and by task name the items that it was scored on; no items if it did not complete.

    Attributes:
        seen: items of the training split that were asked again; None where none was.
        controls: the task's items asked in other ways, by way, e.g. ``oracle``; no score is made of them.
    """

    record: Completed | Failed | Skipped
    items: Mapping[str, Items] = field(default_factory=dict[str, Items])
    seen: Items | None = None
    controls: Mapping[str, Items] = field(default_factory=dict[str, Items])


def read(trials: Iterable[TrialWithRows]) -> list[StoredTrialItems]:
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
    asked, seen, controls = (
        {task: Items.from_columns(columns, labels.get(task, ()), places) for task, places in split.items()}
        for split in _split(columns.values("task"), columns.values("role"))
    )
    ways = {name.removeprefix(f"{record.trial.task}@"): items for name, items in controls.items()}
    return StoredTrialItems(record, asked, seen.get(record.trial.task), ways)


@lru_cache(maxsize=64)
def _split(tasks: tuple[str, ...], roles: tuple[str, ...]) -> tuple[Mapping[str, Places], ...]:
    """Tell where each task's rows stand: those asked, those trained on, and those asked in other ways."""
    places: tuple[dict[str, list[int]], ...] = ({}, {}, {})
    for place, (task, role) in enumerate(zip(tasks, roles, strict=True)):
        places[_ASIDE.get(role, 0)].setdefault(task, []).append(place)
    return tuple({task: _run(own) for task, own in held.items()} for held in places)


_ASIDE = {"train": 1, "control": 2}
"""Where rows of a role go that are no test items."""


def _run(places: Sequence[int]) -> Places:
    """Name rows that stand side by side by their ends."""
    first, last = places[0], places[-1]
    return slice(first, last + 1) if last - first + 1 == len(places) else tuple(places)
