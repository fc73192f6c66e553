"""What a metric reads: the items of one task as columns, made from records or straight from a stored table."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields, replace
from functools import lru_cache
from itertools import chain
from typing import Any, Protocol

from harness.errors import HarnessError
from harness.records import Row

SINGULAR = {"ids": "id", "answers": "answer", "outputs": "output", "clusters": "cluster", "inputs": "input"}
"""Where a column here is the plural of the field in `Row`; every other name is the same in both."""
LATER: Mapping[str, Any] = {"inputs": "", "rejected": None, "cited": None}
"""Columns that rows stored by earlier versions lack, and what stands for them."""


ALIKE = ("ids", "references", "choices", "clusters", "inputs", "evidence")
"""Columns that are the same in most trials of a task."""


class Table(Protocol):
    """As much of a `pyarrow.Table` as is used here, so that scoring a trial doesn't import it."""

    @property
    def column_names(self) -> list[str]:
        """Names of the columns."""
        ...

    def column(self, i: str, /) -> Any:
        """One column, which has `to_pylist`."""
        ...

    def take(self, indices: Any, /) -> Any:
        """The table of the rows at these places."""
        ...

    def slice(self, offset: int = 0, length: int | None = None) -> Any:
        """The table of so many rows from an offset on, not copied."""
        ...


@dataclass(frozen=True, eq=False)
class Items:
    """The items of one task, one entry an item in every column; n items.

    Attributes:
        ids: unique within the task; systems are paired on them.
        answers: what was parsed from the output; None where parsing failed, which counts as wrong.
        references: the acceptable answers.
        choices: what could be answered; empty where anything could.
        clusters: items with one cluster are not independent; None: on its own.
        passages: ids of the retrieved passages, best first.
        evidence: ids of the passages that hold the answer; empty where unknown.
        parsed: how the answer was read.
        inputs: what was asked; empty where an earlier version did not store it.
        rejected: an answer that is known to be worse, or out of date; None where there is none.
        choice_scores: log-likelihood of each choice, nats; empty where the answer was generated.
        cited: ids of the passages sent in which the answer stands; None where an earlier version did not look.
        labels: the labels of the whole task (not per item); empty where it has no fixed ones.
    """

    ids: tuple[str, ...]
    answers: tuple[str | None, ...]
    outputs: tuple[str, ...]
    references: tuple[tuple[str, ...], ...]
    choices: tuple[tuple[str, ...], ...]
    clusters: tuple[str | None, ...]
    passages: tuple[tuple[str, ...], ...]
    evidence: tuple[tuple[str, ...], ...]
    parsed: tuple[str, ...]
    inputs: tuple[str, ...]
    rejected: tuple[str | None, ...]
    choice_scores: tuple[tuple[float, ...], ...]
    cited: tuple[tuple[str, ...] | None, ...] = ()
    labels: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        """Refuse items that can't be told apart: pairing two systems on them would be arbitrary."""
        if len(set(self.ids)) != len(self.ids):
            twice = next(i for i in self.ids if self.ids.count(i) > 1)
            raise HarnessError(
                f"item {twice!r} occurs more than once in one trial: ids must be unique, so remove that result "
                "and run the trial again"
            )

    def __len__(self) -> int:
        return len(self.ids)

    @classmethod
    def from_rows(cls, rows: Sequence[Row], labels: Sequence[str] = ()) -> Items:
        """Read the rows of one task as columns.

        Args:
            rows: in any order; their `task` and `role` are not looked at.
            labels: the task's labels, in the order in which tables show them.
        """
        columns = {name: tuple(getattr(row, SINGULAR.get(name, name)) for row in rows) for name in COLUMNS}
        return cls(**columns, labels=tuple(labels))

    @classmethod
    def from_table(cls, table: Table, labels: Sequence[str] = ()) -> Items:
        """Read a stored table of one task's rows, whose columns are named as the fields of `Row`.

        Raises:
            HarnessError: the table lacks a column.
        """
        names = {name: SINGULAR.get(name, name) for name in COLUMNS}
        there = {column: name for column, name in names.items() if name in table.column_names}
        missing = sorted(names[column] for column in names.keys() - there.keys() - LATER.keys())
        if missing:
            raise HarnessError(
                f"stored rows lack the column {missing[0]!r}: the file was written by another version or is damaged, "
                "so remove that result and run the trial again"
            )
        values = {column: _tuples(table.column(name).to_pylist()) for column, name in there.items()}
        values |= {column: _shared(values[column]) for column in ALIKE if column in values}
        size = len(values["ids"])
        values |= {column: (LATER[column],) * size for column in names.keys() - there.keys()}
        return cls(**values, labels=tuple(labels))

    @classmethod
    def pooled(cls, many: Sequence[Items]) -> Items:
        """Put the items of several seeds one after the other; ids get the place of their seed in front."""
        if len(many) == 1:
            return many[0]
        columns = {name: tuple(chain.from_iterable(getattr(items, name) for items in many)) for name in COLUMNS}
        columns["ids"] = tuple(f"{place}/{name}" for place, items in enumerate(many) for name in items.ids)
        return cls(**columns, labels=many[0].labels)

    def having(self, labels: Sequence[str]) -> Items:
        """Return the same items with the task's labels set."""
        return self if self.labels == tuple(labels) else replace(self, labels=tuple(labels))


COLUMNS = tuple(f.name for f in fields(Items) if f.name != "labels")


def by_task(table: Table, labels: Mapping[str, Sequence[str]]) -> dict[str, Items]:
    """Split a trial's stored table into the items of each task, in the order of first appearance.

    Args:
        table: columns named as the fields of `Row`.
        labels: the labels of each task that has fixed ones.
    """
    places: dict[str, list[int]] = {}
    tasks: list[str] = table.column("task").to_pylist()
    if len(set(tasks)) == 1:
        return {tasks[0]: Items.from_table(table, labels.get(tasks[0], ()))}
    for place, task in enumerate(tasks):
        places.setdefault(task, []).append(place)
    return {task: Items.from_table(part(table, chosen), labels.get(task, ())) for task, chosen in places.items()}


def part(table: Table, places: Sequence[int]) -> Table:
    """Give the rows at these places, rising; without copying where they stand side by side."""
    if places and places[-1] - places[0] + 1 == len(places):
        return table.slice(places[0], len(places))
    return table.take(places)


def _tuples(values: list[Any]) -> tuple[Any, ...]:
    """Turn a column's lists into tuples; a list that was stored as null is an empty one."""
    if list in set(map(type, values)):
        return tuple([tuple(value) if value else () for value in values])
    return tuple(values)


@lru_cache(maxsize=512)
def _shared(values: tuple[Any, ...]) -> tuple[Any, ...]:
    """Keep a column once where trials have it alike: most ask the same items, and equal ones are then quick to tell."""
    return values
