"""A trial's rows column by column: what is asked of a file is read, the rest is left where it is.

A report of thousands of trials needs a third of what they stored, and most of them asked the same items: a column
whose stored bytes were read before is not decoded again.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from harness.errors import HarnessError

_KEPT = 1024
"""Columns that are kept decoded in case another trial stored the same; those longest not asked for go first."""
_LARGEST_BYTES = 1 << 16
"""Stored bytes up to which a column is kept: ids, references and choices of some thousand items."""


class ColumnFile:
    """The columns of one Parquet file, each decoded once; between two reads the file is not held open.

    Attributes:
        names: of its columns.
    """

    def __init__(self, path: Path, first: Sequence[str] = (), then: Mapping[str, str] | None = None) -> None:
        """Open a file.

        Args:
            path: of the file.
            first: columns that are read at once, because they will be asked for; one that it lacks is left out.
            then: a column to read with one of the first, where that one has a value that is not empty.

        Raises:
            HarnessError: the file is damaged.
        """
        self._path = path
        self._known: dict[str, tuple[Any, ...]] = {}
        self.names: frozenset[str] = frozenset()
        self._read(first, then or {})

    def values(self, name: str) -> tuple[Any, ...]:
        """Give a column's values, a stored list as a tuple; equal columns of several files can be one object.

        Raises:
            HarnessError: the file is damaged.
        """
        if name not in self._known:
            self._read([name], {})
        return self._known[name]

    def _read(self, names: Sequence[str], then: Mapping[str, str]) -> None:
        try:
            content = self._path.read_bytes()
            with pq.ParquetFile(pa.BufferReader(content), page_checksum_verification=True, pre_buffer=False) as file:
                places = _places(file)
                self.names = frozenset(places)
                for name in names:
                    if name in places:
                        self._known[name] = _column(content, file, places[name])
                for name, other in then.items():
                    if other in places and any(self._known.get(name, ())):
                        self._known[other] = _column(content, file, places[other])
        except (OSError, pa.ArrowException) as error:
            reason = " ".join(str(error).split())[:200]
            raise HarnessError(f"{self._path} is damaged ({reason}): delete {self._path.parent}.") from error


class TableColumns:
    """The columns of a table in memory, given as a file gives them.

    Attributes:
        names: of its columns.
    """

    def __init__(self, table: Any) -> None:
        self._table = table
        self.names: frozenset[str] = frozenset(table.column_names)

    def values(self, name: str) -> tuple[Any, ...]:
        """Give a column's values, a list as a tuple."""
        return _plain(self._table.column(name).to_pylist())


def _plain(values: Sequence[Any]) -> tuple[Any, ...]:
    """Turn a column's lists into tuples; a list that was stored as null is an empty one."""
    if list in set(map(type, values)):
        return tuple([tuple(value) if value else () for value in values])
    return tuple(values)


_PLACES: list[tuple[Any, dict[str, int]]] = []
"""Schemas that were seen, and where their columns stand: a store has one, or two after an upgrade."""


def _places(file: Any) -> dict[str, int]:
    """Tell where each column stands."""
    schema = file.metadata.schema
    for cached_schema, places in _PLACES:
        if cached_schema.equals(schema):
            return places
    places = {path[0]: index for index, path in enumerate(file.reader.column_paths)}
    _PLACES.append((schema, places))
    return places


_DECODED: OrderedDict[tuple[str, bytes], tuple[Any, ...]] = OrderedDict()


def _column(content: bytes, file: Any, index: int) -> tuple[Any, ...]:
    """Decode a column, unless one of the same type and bytes was: pages, encodings and checksums are all in them."""
    if file.metadata.num_row_groups != 1:
        return _decode(file, index)
    chunk = file.metadata.row_group(0).column(index)
    size, dictionary = chunk.total_compressed_size, chunk.dictionary_page_offset
    if size > _LARGEST_BYTES:
        return _decode(file, index)
    start = chunk.data_page_offset if dictionary is None else dictionary
    key = (chunk.path_in_schema, content[start : start + size])
    if key in _DECODED:
        _DECODED.move_to_end(key)
    else:
        _DECODED[key] = _decode(file, index)
        if len(_DECODED) > _KEPT:
            _DECODED.popitem(last=False)
    return _DECODED[key]


def _decode(file: Any, index: int) -> tuple[Any, ...]:
    return _plain(file.reader.read_all(column_indices=[index], use_threads=False).column(0).to_pylist())
