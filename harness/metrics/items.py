"""What a metric reads: the items of one task as columns, made from records or straight from a stored table."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, fields
from functools import lru_cache
from itertools import chain
from typing import TYPE_CHECKING, Any, Protocol

from harness.errors import HarnessError
from harness.records.record import Row

SINGULAR = {"ids": "id", "answers": "answer", "outputs": "output", "clusters": "cluster", "inputs": "input"}
"""Where a column here is the plural of the field in `Row`; every other name is the same in both."""
LATER: Mapping[str, Any] = {"inputs": "", "rejected": None, "cited": None}
"""Columns that rows stored by earlier versions lack, and what stands for them."""


ALIKE = ("ids", "references", "choices", "clusters", "inputs", "evidence")
"""Columns that are the same in most trials of a task."""


Places = tuple[int, ...] | slice
"""Rows of a table: rising places, or all from one to another."""


class Columns(Protocol):
    """A trial's stored rows, whose columns are named as the fields of `Row`; each is read when it is asked for."""

    @property
    def names(self) -> frozenset[str]:
        """Names of the columns."""
        ...

    def values(self, name: str, /) -> tuple[Any, ...]:
        """Values of one column, lists as tuples."""
        ...


@dataclass(frozen=True, eq=False)
class Items:
    """The items of one task, one entry an item in every column; n items.

    Stored ones are read column by column, when a metric first looks at one.

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
    cited: tuple[tuple[str, ...] | None, ...] = field(default_factory=tuple)
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
    def from_columns(cls, columns: Columns, labels: Sequence[str] = (), places: Places | None = None) -> Items:
        """Take the items of one task out of stored rows.

        Args:
            columns: of the rows.
            labels: the task's labels, in the order in which tables show them.
            places: the task's rows; None: all of them.

        Raises:
            HarnessError: a column is not there.
        """
        names = columns.names
        missing = sorted(name for name in _STORED - names if name not in LATER)
        if missing:
            raise HarnessError(
                f"stored rows lack the column {missing[0]!r}: the file was written by another version or is damaged, "
                "so remove that result and run the trial again"
            )

        def read(column: str) -> tuple[Any, ...]:
            name = SINGULAR.get(column, column)
            if name not in names:
                return (LATER[column],) * len(read("ids"))
            values = columns.values(name)
            if places is None:
                return values
            some = values[places] if isinstance(places, slice) else tuple([values[place] for place in places])
            return _shared(some) if column in ALIKE and some is not values else some

        return cls._reading(read, tuple(labels))

    @classmethod
    def pooled(cls, many: Sequence[Items]) -> Items:
        """Put the items of several seeds one after the other; ids get the place of their seed in front."""
        if len(many) == 1:
            return many[0]

        def read(column: str) -> tuple[Any, ...]:
            if column == "ids":
                return tuple(f"{place}/{name}" for place, items in enumerate(many) for name in items.ids)
            return tuple(chain.from_iterable(getattr(items, column) for items in many))

        return cls._reading(read, many[0].labels)

    def with_labels(self, labels: Sequence[str]) -> Items:
        """Return the same items with the task's labels set."""
        return self if self.labels == tuple(labels) else self._changed(labels=tuple(labels))

    def answering(self, answers: Sequence[str | None]) -> Items:
        """Return the same items with other answers."""
        return self._changed(answers=tuple(answers))

    def at(self, places: Sequence[int]) -> Items:
        """Return some of the items, in the given order."""
        return self._reading(lambda column: tuple([getattr(self, column)[place] for place in places]), self.labels)

    @classmethod
    def _reading(cls, read: Callable[[str], tuple[Any, ...]], labels: tuple[str, ...]) -> Items:
        """Make items whose columns are asked of a function, each once."""
        made = object.__new__(cls)
        vars(made).update(_read=read, labels=labels)
        made.__post_init__()
        return made

    def _changed(self, **changes: Any) -> Items:
        """Copy without reading: what this one has not read yet, the copy reads itself."""
        made = object.__new__(type(self))
        vars(made).update(vars(self) | changes)
        return made

    if not TYPE_CHECKING:  # or a misspelt column would pass for one that is there

        def __getattr__(self, name: str) -> Any:
            """Read a column that was not read yet."""
            read = vars(self).get("_read")
            if read is None or name not in COLUMNS:
                raise AttributeError(name)
            values = vars(self)[name] = read(name)
            return values


COLUMNS = tuple(f.name for f in fields(Items) if f.name != "labels")


_STORED = frozenset(SINGULAR.get(name, name) for name in COLUMNS)


@lru_cache(maxsize=512)
def _shared(values: tuple[Any, ...]) -> tuple[Any, ...]:
    """Keep a column once where trials have it alike: most ask the same items, and equal ones are then quick to tell."""
    return values
