"""Reads tables from files: CSV, TSV, JSON, JSON lines, Parquet and Excel."""

import json
from collections.abc import Callable, Generator
from contextlib import contextmanager
from datetime import datetime, time
from importlib import import_module
from pathlib import Path
from typing import Any
from zipfile import ZipFile

import psutil

from harness.data.delimited import read_csv, read_tsv
from harness.data.table_rows import RowFault, TableRows, columns_of
from harness.data.text_encoding import decode
from harness.errors import HarnessError, first_line
from harness.measure.template_limits import memory_limit
from harness.measure.units import GIB, gib

MAX_BYTES, MAX_CELLS = 4 * GIB, 100_000_000
"""Of a table, which is held in memory."""
_LIBRARIES = {".parquet": "pyarrow.parquet", ".xlsx": "openpyxl"}
"""What reads a kind of file, some 0.2 s to load."""


def read_table(path: Path) -> TableRows:
    """Read a table by its file name's ending, one of `READERS`.

    Lines that are no rows are the table's `faults`.

    Raises:
        HarnessError: another ending, a file that can't be read or is in no encoding that can be told; or no rows.
    """
    read = READERS.get(path.suffix.lower())
    if read is None:
        raise HarnessError(f"{path} is none of {', '.join(READERS)} by its name: convert or rename it.")
    _require_regular(path)
    if module := _LIBRARIES.get(path.suffix.lower()):
        import_module(module)  # first: one that the limit keeps from being loaded would be taken for a missing one
    free_bytes = psutil.virtual_memory().available
    try:
        with memory_limit(free_bytes):
            table = read(path)
    except OSError as error:
        raise HarnessError(f"{path} can't be read ({error.strerror or error}).") from error
    except MemoryError as error:
        raise HarnessError(f"{path} takes more memory than the {gib(free_bytes)} that are free: sample it.") from error
    if not table.rows and table.faults:
        raise HarnessError(f"{path}, {table.unit} {table.faults[0].line}: {table.faults[0].reason}.")
    if not table.rows:
        raise HarnessError(f"{path} has no rows.")
    return table


def _require_regular(path: Path) -> None:
    """Refuse a pipe or a device, whose reading may never end, a folder, and what is too large to be held in memory."""
    if path.exists() and not path.is_file():
        raise HarnessError(f"{path} is no regular file.")
    if path.exists() and path.stat().st_size > MAX_BYTES:
        raise HarnessError(f"{path} has more than {gib(MAX_BYTES)}: a table is held in memory, so cut or sample it.")


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


def _json_lines(path: Path) -> TableRows:
    return _rows_of_lines(path, decode(path.read_bytes(), path).text)


def _rows_of_lines(path: Path, text: str) -> TableRows:
    rows: list[dict[str, Any]] = []
    lines: list[int] = []
    faults: list[RowFault] = []
    for number, line in enumerate(text.split("\n"), 1):
        if not line.strip():
            continue
        try:
            row = json.loads(line)
        except json.JSONDecodeError as error:
            faults.append(RowFault(number, f"not JSON ({error.msg} at column {error.colno})"))
        except (ValueError, RecursionError):  # a number of thousands of digits; lists within lists
            faults.append(RowFault(number, "a number too long or a nesting too deep to be read"))
        else:
            if isinstance(row, dict):
                rows.append(row)
                lines.append(number)
            else:
                faults.append(RowFault(number, "not a JSON object ({...}) with the columns as keys"))
    return TableRows(path.name, columns_of(rows), tuple(rows), tuple(lines), faults=tuple(faults))


def _json(path: Path) -> TableRows:
    """Read a list of objects, or an object with one such list in it; many files called .json are JSON lines."""
    text = decode(path.read_bytes(), path).text
    try:
        content = json.loads(text)
    except json.JSONDecodeError as error:
        if error.msg == "Extra data":
            return _rows_of_lines(path, text)
        raise HarnessError(f"{path}, line {error.lineno}: not JSON ({error.msg} at column {error.colno}).") from error
    except (ValueError, RecursionError) as error:
        raise HarnessError(f"{path}: a number too long or a nesting too deep to be read.") from error
    lists = [content] if isinstance(content, list) else list(content.values()) if isinstance(content, dict) else []
    tables = [entries for entries in lists if isinstance(entries, list) and any(isinstance(e, dict) for e in entries)]
    if len(tables) != 1:
        raise HarnessError(
            f"{path} holds {len(tables)} lists of JSON objects, where one is the table: give [{{...}}, ...]."
        )
    numbered = list(enumerate(tables[0], 1))
    rows = tuple(entry for _, entry in numbered if isinstance(entry, dict))
    reason = "not a JSON object ({...}) with the columns as keys"
    faults = tuple(RowFault(number, reason) for number, entry in numbered if not isinstance(entry, dict))
    numbers = tuple(number for number, entry in numbered if isinstance(entry, dict))
    return TableRows(path.name, columns_of(rows), rows, numbers, "row", faults)


def _parquet(path: Path) -> TableRows:
    import pyarrow.parquet as pq  # noqa: PLC0415 - 0.2 s that only Parquet needs

    with _read_by_a_library(path, "Parquet"), pq.ParquetFile(path) as file:
        groups = map(file.metadata.row_group, range(file.metadata.num_row_groups))
        _limit_cells(path, sum(group.column(n).num_values for group in groups for n in range(group.num_columns)))
        table = file.read()
        rows = tuple(table.to_pylist())
    return TableRows(path.name, tuple(table.column_names), rows, tuple(range(1, len(rows) + 1)), "row")


def _excel(path: Path) -> TableRows:
    """Read the first sheet of a workbook whose first row that is not empty names the columns; formulas have values."""
    from openpyxl import load_workbook  # noqa: PLC0415 - 0.3 s that only Excel needs

    with _read_by_a_library(path, "Excel"):
        with ZipFile(path) as archive:
            unpacked_bytes = sum(entry.file_size for entry in archive.infolist())
        if unpacked_bytes > MAX_BYTES:
            raise HarnessError(f"{path} unpacks to more than {gib(MAX_BYTES)}: cut or sample it.")
        book = load_workbook(path, read_only=True, data_only=True)
        sheets = book.worksheets
        filled = _filled_rows(path, sheets[0]) if sheets else []
        book.close()
    if not sheets:
        raise HarnessError(f"{path} has no sheet with cells.")
    header = [str(cell).strip() if cell is not None else "" for cell in filled[0][1]] if filled else []
    names = [name for name in header if name]
    if len(set(names)) < len(names):
        raise HarnessError(f"{path} has two columns called {next(name for name in names if names.count(name) > 1)!r}.")
    rows = [{name: cell for name, cell in zip(header, cells, strict=False) if name} for _, cells in filled[1:]]
    others = ", ".join(repr(sheet.title) for sheet in sheets[1:])
    notes = (f"{path.name}: read was the first sheet, {sheets[0].title!r}, and not {others}.",) if others else ()
    numbers = tuple(number for number, _ in filled[1:])
    return TableRows(path.name, tuple(names), tuple(rows), numbers, "row", notes=notes)


@contextmanager
def _read_by_a_library(path: Path, form: str) -> Generator[None]:
    """Turn whatever a library fails with on a damaged file, e.g. an index or a type, into one line."""
    try:
        yield
    except (FileNotFoundError, HarnessError, MemoryError):
        raise
    except Exception as error:
        raise HarnessError(f"{path} can't be read as {form} ({first_line(error)}).") from error


def _limit_cells(path: Path, count: int) -> None:
    if count > MAX_CELLS:
        raise HarnessError(f"{path} unpacks to more than {MAX_CELLS:,} cells: cut or sample it.")


def _filled_rows(path: Path, sheet: Any) -> list[tuple[int, list[Any]]]:
    """Return the rows that are not empty with their numbers; a single cell in the last row is millions of rows."""
    rows: list[tuple[int, list[Any]]] = []
    count = 0
    for number, row in enumerate(sheet.iter_rows(), 1):
        count += len(row)
        _limit_cells(path, count)
        cells = [_excel_cell(cell) for cell in row]
        if any(cell is not None for cell in cells):
            rows.append((number, cells))
    return rows


def _excel_cell(cell: Any) -> Any:
    """Return a cell's content: an error such as ``#N/A`` is a missing cell, and midnight is a day."""
    content = None if getattr(cell, "data_type", "") == "e" else cell.value
    return content.date() if isinstance(content, datetime) and content.time() == time() else content


READERS: dict[str, Callable[[Path], TableRows]] = {
    ".csv": read_csv,
    ".tsv": read_tsv,
    ".jsonl": _json_lines,
    ".ndjson": _json_lines,
    ".json": _json,
    ".parquet": _parquet,
    ".xlsx": _excel,
}
