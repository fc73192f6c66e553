"""Reads tables from files: CSV, TSV, JSON lines and Parquet."""

import csv
import io
import json
import re
from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from harness import errors
from harness.data.cells import cell_at, cell_text, paths_within
from harness.errors import HarnessError
from harness.measure.units import GIB, gib

MAX_BYTES, MAX_CELLS = 4 * GIB, 100_000_000
"""Of a table, which is held in memory."""


@dataclass(frozen=True)
class TableRows:
    """Rows with the location of each.

    Attributes:
        name: of the file, or of the function that made the rows.
        lines: line of each row in the file (its first one, from 1); for Parquet, the row's number.
        unit: what `lines` counts: ``line`` or ``row``.
    """

    name: str
    columns: tuple[str, ...]
    rows: tuple[dict[str, Any], ...]
    lines: tuple[int, ...]
    unit: str = "line"

    def location(self, index: int) -> str:
        """Return where a row is, for a message."""
        return f"{self.name}, {self.unit} {self.lines[index]}"

    def select(self, indices: Iterable[int]) -> "TableRows":
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
            HarnessError: it holds a list, an object or bytes that are no text.
        """
        cell = cell_at(self.rows[index], column)
        try:
            return cell_text(cell)
        except ValueError as error:
            path = next(paths_within(column, cell), "")
            remedy = f"name one of its parts, such as {path!r}" if path else "write text into it"
            raise HarnessError(
                f"{self.location(index)}: column {column!r} holds {error}, where a text is needed: {remedy}."
            ) from error

    def part_texts(self, index: int, column: str, cells: Iterable[object]) -> list[str]:
        """Return the parts of a row's cell that holds a list.

        Raises:
            HarnessError: one of them is no text either.
        """
        try:
            return list(map(cell_text, cells))
        except ValueError as error:
            raise HarnessError(
                f"{self.location(index)}: a part of column {column!r} holds {error}, where a text is needed."
            ) from error


def read_table(path: Path) -> TableRows:
    """Read a table by its file name's ending: .csv, .tsv, .jsonl (or .ndjson), .parquet.

    Raises:
        HarnessError: another ending, an unreadable file, a wrong encoding or a broken row, with its line; or no rows.
    """
    suffix = path.suffix.lower()
    _require_regular(path)
    try:
        if suffix == ".csv":
            table = _csv(path)
        elif suffix == ".tsv":
            table = _tsv(path)
        elif suffix in (".jsonl", ".ndjson"):
            table = _json_lines(path)
        elif suffix == ".parquet":
            table = _parquet(path)
        else:
            raise HarnessError(f"{path} is no CSV, TSV, JSONL or Parquet file by its name: convert or rename it.")
    except OSError as error:
        raise HarnessError(f"{path} can't be read ({error.strerror or error}).") from error
    if not table.rows:
        raise HarnessError(f"{path} has no rows.")
    return table


def _require_regular(path: Path) -> None:
    """Refuse a pipe or a device, whose reading may never end, a folder, and what is too large to be held in memory."""
    if path.exists() and not path.is_file():
        raise HarnessError(f"{path} is no regular file.")
    if path.exists() and path.stat().st_size > MAX_BYTES:
        raise HarnessError(f"{path} has more than {gib(MAX_BYTES)}: a table is held in memory, so cut or sample it.")


def from_rows(name: str, rows: Iterable[dict[str, Any]]) -> TableRows:
    """Make a table of rows that a function yields."""
    table_rows = tuple(rows)
    return TableRows(name, _columns(table_rows), table_rows, tuple(range(1, len(table_rows) + 1)), "row")


def read_text(path: Path) -> str:
    """Read a UTF-8 text file, with or without a byte order mark.

    Raises:
        HarnessError: it can't be read, or a byte isn't UTF-8: names the line.
    """
    _require_regular(path)
    try:
        content = path.read_bytes()
    except OSError as error:
        raise HarnessError(f"{path} can't be read ({error.strerror or error}).") from error
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise HarnessError(
            f"{path} isn't UTF-8: byte 0x{content[error.start]:02x} in line {line}. Save it as UTF-8."
        ) from error


def _csv(path: Path) -> TableRows:
    reader = csv.reader(io.StringIO(read_text(path), newline=""), strict=True)
    rows: list[dict[str, Any]] = []
    lines: list[int] = []
    try:
        header = [name.strip() for name in next(reader, [])]
        _check_header(header, path)
        previous_line = reader.line_num
        for cells in reader:
            if cells and len(cells) != len(header):
                raise HarnessError(
                    f"{path}, line {previous_line + 1}: {len(cells)} cells, but the header has {len(header)} columns; "
                    "a cell that contains ',' must be in double quotes."
                )
            if cells:
                rows.append(dict(zip(header, cells, strict=True)))
                lines.append(previous_line + 1)
            previous_line = reader.line_num
    except csv.Error as error:
        raise HarnessError(f"{path}, line {reader.line_num}: {error}.") from error
    return TableRows(path.name, tuple(header), tuple(rows), tuple(lines))


def _tsv(path: Path) -> TableRows:
    """Read lines of cells with tabs between; quotes are plain characters, as TSV has no way to quote."""
    header, *lines = [line.split("\t") for line in re.split(r"\r\n|\r|\n", read_text(path))]
    header = [name.strip() for name in header]
    _check_header(header, path)
    rows: list[dict[str, Any]] = []
    numbers: list[int] = []
    for number, cells in enumerate(lines, 2):
        if cells == [""]:
            continue
        if len(cells) != len(header):
            raise HarnessError(
                f"{path}, line {number}: {len(cells)} cells, but the header has {len(header)} columns; quotes are "
                "plain characters in TSV, so save a table whose cells hold tabs or line breaks as CSV."
            )
        rows.append(dict(zip(header, cells, strict=True)))
        numbers.append(number)
    return TableRows(path.name, tuple(header), tuple(rows), tuple(numbers))


def _check_header(header: list[str], path: Path) -> None:
    if not any(header):
        raise HarnessError(f"{path} has no header: its first line must name the columns.")
    twice = next((name for name in header if header.count(name) > 1), None)
    if twice is not None:
        raise HarnessError(f"{path} has two columns called {twice!r}.")


def _json_lines(path: Path) -> TableRows:
    rows: list[dict[str, Any]] = []
    lines: list[int] = []
    for number, line in enumerate(read_text(path).split("\n"), 1):
        if not line.strip():
            continue
        try:
            row = json.loads(line)
        except json.JSONDecodeError as error:
            raise HarnessError(f"{path}, line {number}: not JSON ({error.msg} at column {error.colno}).") from error
        except (ValueError, RecursionError) as error:  # a number of thousands of digits; lists within lists
            raise HarnessError(f"{path}, line {number}: a number too long or a nesting too deep to be read.") from error
        if not isinstance(row, dict):
            raise HarnessError(f"{path}, line {number}: not a JSON object ({{...}}) with the columns as keys.")
        rows.append(row)
        lines.append(number)
    return TableRows(path.name, _columns(rows), tuple(rows), tuple(lines))


def _parquet(path: Path) -> TableRows:
    import pyarrow as pa  # noqa: PLC0415 - 0.2 s that only Parquet needs
    import pyarrow.parquet as pq  # noqa: PLC0415

    try:
        with pq.ParquetFile(path) as file:
            if file.metadata.num_rows * file.metadata.num_columns > MAX_CELLS:
                raise HarnessError(f"{path} unpacks to more than {MAX_CELLS:,} cells: cut or sample it.")
            table = file.read()
        rows = tuple(table.to_pylist())
    except FileNotFoundError:
        raise
    except (OSError, ValueError, MemoryError, pa.ArrowException) as error:
        reason = next(iter(str(error).splitlines()), type(error).__name__)
        raise HarnessError(f"{path} can't be read as Parquet ({reason}).") from error
    return TableRows(path.name, tuple(table.column_names), rows, tuple(range(1, len(rows) + 1)), "row")


def _columns(rows: Iterable[dict[str, Any]]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(column for row in rows for column in row))
