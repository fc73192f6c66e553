"""Rows of a table, each with its place, and the rows that cannot be used."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Any

from harness import errors
from harness.data.cells import cell_at, cell_text, paths_within
from harness.errors import HarnessError


@dataclass(frozen=True, order=True)
class RowFault:
    """Why a row cannot be used.

    Attributes:
        line: its number, in the unit of its table.
        reason: without a full stop.
    """

    line: int
    reason: str


class RowError(HarnessError):
    """One row cannot be used: an error of the whole table only where there are many (`bad_rows.check`)."""

    def __init__(self, location: str, fault: RowFault) -> None:
        super().__init__(f"{location}: {fault.reason}.")
        self.fault = fault


@dataclass(frozen=True)
class TableRows:
    """Rows with the location of each.

    Attributes:
        name: of the file, or of the function that made the rows.
        lines: line of each row in the file (its first one, from 1); for Parquet, the row's number.
        unit: what `lines` counts: ``line`` or ``row``.
        faults: lines that are no rows, in their order.
        notes: how the file was read, where that had to be guessed, a sentence each.
    """

    name: str
    columns: tuple[str, ...]
    rows: tuple[dict[str, Any], ...]
    lines: tuple[int, ...]
    unit: str = "line"
    faults: tuple[RowFault, ...] = ()
    notes: tuple[str, ...] = ()

    def location(self, index: int) -> str:
        """Return where a row is, for a message."""
        return f"{self.name}, {self.unit} {self.lines[index]}"

    def error(self, index: int, reason: str) -> RowError:
        """Return the error that a row cannot be used."""
        return RowError(self.location(index), RowFault(self.lines[index], reason))

    def select(self, indices: Iterable[int]) -> TableRows:
        """Return the table of some rows."""
        positions = tuple(indices)
        rows, lines = tuple(self.rows[i] for i in positions), tuple(self.lines[i] for i in positions)
        return replace(self, rows=rows, lines=lines)

    def has(self, column: str) -> bool:
        """Whether there is such a column, or a path that leads somewhere in at least one row."""
        return column in self.columns or any(cell_at(row, column) is not None for row in self.rows)

    def require(self, columns: Iterable[str]) -> None:
        """Check that the table has these columns.

        A path into a column (``answers.text``) must lead somewhere in at least one row.

        Raises:
            HarnessError: one is missing, with the nearest name.
        """
        for column in columns:
            if not self.has(column):
                name = column.partition(".")[0]
                nested = {path for row in self.rows for path in paths_within(name, row.get(name))}
                raise errors.unknown("column", column, (*self.columns, *sorted(nested)), where=self.name)

    def text(self, index: int, column: str) -> str:
        """Return a row's cell as text, empty where it is missing (`cells.cell_text`).

        Raises:
            RowError: it holds a list, an object or bytes that are no text.
        """
        cell = cell_at(self.rows[index], column)
        try:
            return cell_text(cell)
        except ValueError as error:
            path = next(paths_within(column, cell), "")
            remedy = f"name one of its parts, such as {path!r}" if path else "write text into it"
            raise self.error(index, f"column {column!r} holds {error}, where a text is needed: {remedy}") from error

    def texts(self, column: str) -> list[str]:
        """Return the texts of a column, without missing cells and without those that hold no text.

        Raises:
            RowError: no row has a text, and one holds something else.
        """
        texts: list[str] = []
        first_error: RowError | None = None
        for index in range(len(self.rows)):
            try:
                texts.append(self.text(index, column))
            except RowError as error:
                first_error = first_error or error
        texts = [text for text in texts if text]
        if first_error and not texts:
            raise first_error
        return texts

    def part_texts(self, index: int, column: str, cells: Iterable[object]) -> list[str]:
        """Return the parts of a row's cell that holds a list.

        Raises:
            RowError: one of them is no text either.
        """
        try:
            return list(map(cell_text, cells))
        except ValueError as error:
            raise self.error(index, f"a part of column {column!r} holds {error}, where a text is needed") from error


def from_rows(name: str, rows: Iterable[dict[str, Any]]) -> TableRows:
    """Make a table of rows that a function yields, or that a file holds without lines of their own."""
    table_rows = tuple(rows)
    return TableRows(name, columns_of(table_rows), table_rows, tuple(range(1, len(table_rows) + 1)), "row")


def columns_of(rows: Iterable[dict[str, Any]]) -> tuple[str, ...]:
    """Return all keys, in the order in which they first occur."""
    return tuple(dict.fromkeys(column for row in rows for column in row))
