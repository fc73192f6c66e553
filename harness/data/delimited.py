"""Tables of text with a character between cells: CSV as any program writes it, and TSV."""

import csv
import io
import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

from harness.data.table_rows import RowFault, TableRows
from harness.data.text_encoding import decode
from harness.errors import HarnessError

csv.field_size_limit((1 << 31) - 1)  # a cell may hold a whole document

DELIMITERS = {",": "commas", ";": "semicolons", "\t": "tabs", "|": "bars"}
SAMPLE_RECORDS, SAMPLE_CHARACTERS = 200, 4_000_000
_SEPARATOR_LINE = re.compile(r"sep=(.)(?:\r\n|\r|\n)")
"""What Excel writes, and reads, before the header."""


@dataclass(frozen=True)
class Dialect:
    """How cells are separated and quoted.

    Attributes:
        escape: what stands before a quote within a quoted cell; None: the quote is doubled.
    """

    delimiter: str = ","
    quote: str = '"'
    escape: str | None = None

    def reader(self, text: str) -> Any:
        """Return a reader of all records of a text."""
        return csv.reader(
            io.StringIO(text, newline=""),
            strict=True,
            delimiter=self.delimiter,
            quotechar=self.quote,
            escapechar=self.escape,
            doublequote=self.escape is None,
        )

    @property
    def description(self) -> str:
        """What is unlike a plain CSV, such as ``semicolons between cells``; empty: nothing."""
        delimiter = DELIMITERS.get(self.delimiter, repr(self.delimiter))
        between = "" if self.delimiter == "," else f"{delimiter} between cells"
        quotes = "single quotes" if self.quote == "'" else ""
        return ", ".join(filter(None, [between, quotes, self.escape and "quotes escaped by '\\'"]))


def read_csv(path: Path) -> TableRows:
    """Read a CSV of any dialect and encoding; what was guessed is noted, and a line with other cells is a fault.

    Raises:
        HarnessError: no encoding fits, a quote is never closed, or the header is missing or names a column twice.
    """
    decoded = decode(path.read_bytes(), path)
    text, first_line, separator = decoded.text, 1, _SEPARATOR_LINE.match(decoded.text)
    if separator:
        text, first_line = text[separator.end() :], 2
    dialect = _dialect(text, separator[1] if separator else None)
    header, rows, lines, faults = [], [], [], []
    for line, cells in _records(dialect.reader(text), path, first_line):
        if not header:
            header = _header(cells, path)
        elif len(cells) == len(header):
            rows.append(dict(zip(header, cells, strict=True)))
            lines.append(line)
        else:
            faults.append(
                RowFault(
                    line,
                    f"{len(cells)} cells, but the header has {len(header)} columns; a cell that contains "
                    f"{dialect.delimiter!r} must be in quotes",
                )
            )
    if not header:
        raise HarnessError(f"{path} has no header: its first line must name the columns.")
    notes = _note(path, ", ".join(filter(None, [dialect.description, decoded.encoding])))
    return TableRows(path.name, tuple(header), tuple(rows), tuple(lines), faults=tuple(faults), notes=notes)


def read_tsv(path: Path) -> TableRows:
    """Read lines of cells with tabs between; quotes are plain characters, as TSV has no way to quote.

    Raises:
        HarnessError: no encoding fits, or the header is missing or names a column twice.
    """
    decoded = decode(path.read_bytes(), path)
    first, *records = [line.split("\t") for line in re.split(r"\r\n|\r|\n", decoded.text)]
    header = _header(first, path)
    rows, lines, faults = [], [], []
    for number, cells in enumerate(records, 2):
        if cells == [""]:
            continue
        if len(cells) == len(header):
            rows.append(dict(zip(header, cells, strict=True)))
            lines.append(number)
        else:
            faults.append(
                RowFault(
                    number,
                    f"{len(cells)} cells, but the header has {len(header)} columns; quotes are plain characters in "
                    "TSV, so save a table whose cells hold tabs or line breaks as CSV",
                )
            )
    notes = _note(path, decoded.encoding)
    return TableRows(path.name, tuple(header), tuple(rows), tuple(lines), faults=tuple(faults), notes=notes)


def _records(reader: Any, path: Path, first_line: int) -> Iterator[tuple[int, list[str]]]:
    """Yield records that hold something, with the line that each begins in.

    Raises:
        HarnessError: a quote is open at the end, or closes in the middle of a cell.
    """
    line = first_line
    try:
        for cells in reader:
            if any(cells):
                yield line, cells
            line = first_line + reader.line_num
    except csv.Error as error:
        raise HarnessError(f"{path}, line {first_line - 1 + reader.line_num}: {error}.") from error


def _header(cells: list[str], path: Path) -> list[str]:
    header = [name.strip() for name in cells]
    if not any(header):
        raise HarnessError(f"{path} has no header: its first line must name the columns.")
    twice = next((name for name, count in Counter(header).items() if count > 1), None)
    if twice is not None:
        raise HarnessError(f"{path} has two columns called {twice!r}.")
    return header


def _dialect(text: str, delimiter: str | None) -> Dialect:
    """Return the dialect in which most records have the columns of the header; of equals the commonest."""
    delimiters = [delimiter] if delimiter else DELIMITERS
    dialects = [
        Dialect(delimiter, quote, escape)
        for quote, escape in (('"', None), ('"', "\\"), ("'", None))
        for delimiter in delimiters
    ]
    sample = text if len(text) <= SAMPLE_CHARACTERS else text[:SAMPLE_CHARACTERS]
    shares = [_fit(dialect, sample, is_cut=sample is not text) for dialect in dialects]
    best = max(shares)
    return dialects[shares.index(best)] if best else Dialect(delimiter or ",")


def _fit(dialect: Dialect, text: str, *, is_cut: bool) -> float:
    """Return the share of the first records that have as many cells as the header, which has two at least.

    Args:
        dialect: to try.
        text: the beginning of a table.
        is_cut: whether its last record is not whole.
    """
    widths: list[int] = []
    try:
        widths.extend(len(cells) for cells in islice(dialect.reader(text), SAMPLE_RECORDS) if any(cells))
    except csv.Error:
        widths.append(0)
    if is_cut and len(widths) < SAMPLE_RECORDS:
        widths = widths[:-1]
    return widths.count(widths[0]) / len(widths) if widths and widths[0] > 1 else 0.0


def _note(path: Path, read_as: str) -> tuple[str, ...]:
    remedy = "if that is wrong, save it as UTF-8 with commas"
    return (f"{path.name} was read with {read_as}: {remedy}.",) if read_as else ()
