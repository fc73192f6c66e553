"""What a comparison reads: a record with the items of each task that it asked."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Protocol

from harness.metrics.items import Items, Table, by_task, part
from harness.records import Completed, Failed, Skipped


class HasRows(Protocol):
    """A record as a store gives it: the rows are read when asked for."""

    @property
    def record(self) -> Completed | Failed | Skipped:
        """What the trial left."""
        ...

    def table(self) -> Table:
        """Its rows, with columns named as the fields of `Row`."""
        ...


@dataclass(frozen=True)
class Stored:
    """A record, and by task name the items that it was scored on; no items if it did not complete.

    Attributes:
        seen: items of the training split that were asked again; None where none was.
        controls: the task's items asked in other ways, by way, e.g. ``oracle``; no score is made of them.
    """

    record: Completed | Failed | Skipped
    items: Mapping[str, Items] = field(default_factory=dict[str, Items])
    seen: Items | None = None
    controls: Mapping[str, Items] = field(default_factory=dict[str, Items])


def read(trials: Iterable[HasRows]) -> list[Stored]:
    """Read the rows of stored trials.

    Raises:
        HarnessError: a trial's rows are damaged.
    """
    return [_read(trial) for trial in trials]


def _read(trial: HasRows) -> Stored:
    record = trial.record
    if not isinstance(record, Completed):
        return Stored(record)
    table = trial.table()
    labels = {task.name: task.labels for task in record.tasks}
    roles: list[str] = table.column("role").to_pylist()
    if _HOLDERS.keys().isdisjoint(roles):
        return Stored(record, by_task(table, labels))
    places = {"asked": list[int](), "seen": list[int](), "controls": list[int]()}
    for place, role in enumerate(roles):
        places[_HOLDERS.get(role, "asked")].append(place)
    asked = by_task(part(table, places["asked"]), labels)
    seen = by_task(part(table, places["seen"]), labels) if places["seen"] else {}
    controls = by_task(part(table, places["controls"]), labels) if places["controls"] else {}
    ways = {name.removeprefix(f"{record.trial.task}@"): items for name, items in controls.items()}
    return Stored(record, asked, seen.get(record.trial.task), ways)


_HOLDERS = {"train": "seen", "control": "controls"}
"""Where rows of a role go that are no test items."""
