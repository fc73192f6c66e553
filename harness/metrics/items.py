"""The items of one task as columns, which metrics read: from rows in memory or straight from a stored table."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import cached_property, lru_cache
from itertools import chain
from typing import Any, Protocol, cast

from harness.errors import HarnessError
from harness.records.record import Row

FIELDS: Mapping[str, str] = {
    "ids": "id",
    "answers": "answer",
    "outputs": "output",
    "references": "references",
    "choices": "choices",
    "clusters": "cluster",
    "passages": "passages",
    "evidence": "evidence",
    "parsed": "parsed",
    "inputs": "input",
    "rejected": "rejected",
    "choice_scores": "choice_scores",
    "cited": "cited",
    "votes": "votes",
    "groups": "groups",
}
"""Every column of `Items`, and the field of `Row` that it holds."""
COLUMNS = tuple(FIELDS)
DEFAULTS: Mapping[str, Any] = {"inputs": "", "rejected": None, "cited": None, "votes": (), "groups": ()}
"""Columns that rows stored by earlier versions lack, and what stands for them."""
_REQUIRED = frozenset(field for column, field in FIELDS.items() if column not in DEFAULTS)
SHARED = ("ids", "references", "choices", "clusters", "inputs", "evidence", "groups")
"""Columns that are the same in most trials of a task."""

Positions = tuple[int, ...] | slice
"""Rows of a table: rising positions, or all from one to another."""
ReadColumn = Callable[[str], tuple[Any, ...]]
"""Returns a column of `Items` by its name."""


class Columns(Protocol):
    """A trial's stored rows, whose columns are named as the fields of `Row`; each is read when it is asked for."""

    @property
    def names(self) -> frozenset[str]:
        """Names of the columns."""
        ...

    def values(self, name: str, /) -> tuple[Any, ...]:
        """Values of one column, lists as tuples."""
        ...


class Items:
    """The items of one task, one entry an item in every column; n items.

    Make them by `from_rows`, `from_columns` or `pooled`. A column is read at its first use, once.

    Attributes:
        labels: the labels of the whole task (not per item); empty where it has no fixed ones.
    """

    def __init__(self, read: ReadColumn, labels: Sequence[str] = ()) -> None:
        """Check the ids; the other columns are read at their first use.

        Raises:
            HarnessError: two items have one id: pairing two systems on them would be arbitrary.
        """
        self._read = read
        self.labels = tuple(labels)
        if len(set(self.ids)) != len(self.ids):
            repeated = next(name for name in self.ids if self.ids.count(name) > 1)
            raise HarnessError(
                f"item {repeated!r} occurs more than once in one trial: ids must be unique, so remove that result "
                "and run the trial again"
            )

    @cached_property
    def ids(self) -> tuple[str, ...]:
        """Unique within the task; systems are paired on them."""
        return self._read("ids")

    @cached_property
    def answers(self) -> tuple[str | None, ...]:
        """What was parsed from the output; None where parsing failed, which counts as wrong."""
        return self._read("answers")

    @cached_property
    def outputs(self) -> tuple[str, ...]:
        """What the model wrote."""
        return self._read("outputs")

    @cached_property
    def references(self) -> tuple[tuple[str, ...], ...]:
        """The acceptable answers."""
        return self._read("references")

    @cached_property
    def choices(self) -> tuple[tuple[str, ...], ...]:
        """What could be answered; empty where anything could."""
        return self._read("choices")

    @cached_property
    def clusters(self) -> tuple[str | None, ...]:
        """Items with one cluster are not independent; None: on its own."""
        return self._read("clusters")

    @cached_property
    def passages(self) -> tuple[tuple[str, ...], ...]:
        """Ids of the retrieved passages, best first."""
        return self._read("passages")

    @cached_property
    def evidence(self) -> tuple[tuple[str, ...], ...]:
        """Ids of the passages that hold the answer; empty where unknown."""
        return self._read("evidence")

    @cached_property
    def parsed(self) -> tuple[str, ...]:
        """How the answer was read."""
        return self._read("parsed")

    @cached_property
    def inputs(self) -> tuple[str, ...]:
        """What was asked; empty where an earlier version did not store it."""
        return self._read("inputs")

    @cached_property
    def rejected(self) -> tuple[str | None, ...]:
        """An answer that is known to be worse, or out of date; None where there is none."""
        return self._read("rejected")

    @cached_property
    def choice_scores(self) -> tuple[tuple[float, ...], ...]:
        """Log-likelihood of each choice, nats; empty where the answer was generated, or not all choices were read."""
        scores: tuple[tuple[float | None, ...], ...] = self._read("choice_scores")
        return tuple(() if None in known else cast("tuple[float, ...]", known) for known in scores)

    @cached_property
    def has_unread_choices(self) -> bool:
        """Whether choices were left unread that could not be the best."""
        return any(None in known for known in self._read("choice_scores"))

    @cached_property
    def cited(self) -> tuple[tuple[str, ...] | None, ...]:
        """Ids of the passages sent in which the answer stands; None where an earlier version did not look."""
        return self._read("cited")

    @cached_property
    def votes(self) -> tuple[tuple[str, ...], ...]:
        """The answer of each sample that was voted on; empty where there was one."""
        return self._read("votes")

    @cached_property
    def groups(self) -> tuple[tuple[str, ...], ...]:
        """Value of each column that divides the items into slices; empty where there is none."""
        return self._read("groups")

    def __len__(self) -> int:
        return len(self.ids)

    @classmethod
    def from_rows(cls, rows: Sequence[Row], labels: Sequence[str] = ()) -> Items:
        """Take the items from the rows of one task.

        Args:
            rows: in any order; their `task` and `role` are not looked at.
            labels: the task's labels, in the order in which tables show them.

        Raises:
            HarnessError: two rows have one id.
        """
        rows = tuple(rows)
        return cls(lambda column: tuple([getattr(row, FIELDS[column]) for row in rows]), labels)

    @classmethod
    def from_columns(cls, columns: Columns, labels: Sequence[str] = (), positions: Positions | None = None) -> Items:
        """Take the items of one task from stored rows.

        Args:
            columns: of the rows.
            labels: the task's labels, in the order in which tables show them.
            positions: the task's rows; None: all of them.

        Raises:
            HarnessError: a column is missing, or two rows have one id.
        """
        names = columns.names
        if missing := sorted(_REQUIRED - names):
            raise HarnessError(
                f"stored rows lack the column {missing[0]!r}: the file was written by another version or is damaged, "
                "so remove that result and run the trial again"
            )

        def read(column: str) -> tuple[Any, ...]:
            if FIELDS[column] not in names:
                return (DEFAULTS[column],) * len(read("ids"))
            stored = columns.values(FIELDS[column])
            if positions is None:
                return stored
            selected = stored[positions] if isinstance(positions, slice) else tuple([stored[i] for i in positions])
            return _interned(selected) if column in SHARED and selected is not stored else selected

        return cls(read, labels)

    @classmethod
    def pooled(cls, seeds: Sequence[Items]) -> Items:
        """Put the items of several seeds one after the other; ids get the index of their seed in front."""
        if len(seeds) == 1:
            return seeds[0]

        def read(column: str) -> tuple[Any, ...]:
            if column == "ids":
                return tuple(f"{seed}/{name}" for seed, items in enumerate(seeds) for name in items.ids)
            return tuple(chain.from_iterable(getattr(items, column) for items in seeds))

        return cls(read, seeds[0].labels)

    def with_labels(self, labels: Sequence[str]) -> Items:
        """Return the same items with the task's labels set."""
        return self if self.labels == tuple(labels) else Items(lambda column: getattr(self, column), labels)

    def with_answers(self, answers: Sequence[str | None]) -> Items:
        """Return the same items with other answers."""
        answers = tuple(answers)
        return Items(lambda column: answers if column == "answers" else getattr(self, column), self.labels)

    def at(self, positions: Sequence[int]) -> Items:
        """Return the items at these positions, in this order."""
        return Items(lambda column: tuple([getattr(self, column)[i] for i in positions]), self.labels)


@lru_cache(maxsize=512)
def _interned(column: tuple[Any, ...]) -> tuple[Any, ...]:
    """Keep equal columns of trials as one object: most trials ask the same items, and one object compares quickly."""
    return column
