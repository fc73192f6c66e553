"""A trial's rows as columns, read lazily and decoded once.

A report of thousands of trials reads a third of their rows' bytes, and most trials have the same test items: a column
is not decoded again if its stored bytes were decoded before.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from harness.errors import HarnessError

_CACHED_COLUMNS = 1024
"""Decoded columns in the cache, for trials that stored the same bytes; the least recently used are dropped."""
_MAX_CACHED_BYTES = 1 << 16
"""Stored bytes of a cached column, at most: ids, references and choices of some thousand items."""


class ColumnFile:
    """The columns of one Parquet file, each decoded once; the file is not kept open between reads.

    Attributes:
        names: of its columns.
    """

    def __init__(self, path: Path, preload: Sequence[str] = (), if_any: Mapping[str, str] | None = None) -> None:
        """Open a file.

        Args:
            path: of the file.
            preload: columns to read at once; those that the file lacks are left out.
            if_any: a further column to preload by a preloaded one, if that has any value that is not empty.

        Raises:
            HarnessError: the file is damaged.
        """
        self._path = path
        self._columns: dict[str, tuple[Any, ...]] = {}
        self.names: frozenset[str] = frozenset()
        self._read(preload, if_any or {})

    def values(self, name: str) -> tuple[Any, ...]:
        """Return a column's values, a stored list as a tuple; equal columns of several files can be one object.

        Raises:
            HarnessError: the file is damaged.
        """
        if name not in self._columns:
            self._read([name], {})
        return self._columns[name]

    def _read(self, names: Sequence[str], if_any: Mapping[str, str]) -> None:
        try:
            content = self._path.read_bytes()
            with pq.ParquetFile(pa.BufferReader(content), page_checksum_verification=True, pre_buffer=False) as file:
                indexes = _column_indexes(file)
                self.names = frozenset(indexes)
                for name in names:
                    if name in indexes:
                        self._columns[name] = _column(content, file, indexes[name])
                for name, extra in if_any.items():
                    if extra in indexes and any(self._columns.get(name, ())):
                        self._columns[extra] = _column(content, file, indexes[extra])
        except (OSError, ValueError, pa.ArrowException) as error:
            reason = " ".join(str(error).split())[:200]
            raise HarnessError(f"{self._path} is damaged ({reason}): delete {self._path.parent}.") from error


class TableColumns:
    """The columns of a table in memory, with the interface of `ColumnFile`.

    Attributes:
        names: of its columns.
    """

    def __init__(self, table: Any) -> None:
        self._table = table
        self.names: frozenset[str] = frozenset(table.column_names)

    def values(self, name: str) -> tuple[Any, ...]:
        """Return a column's values, a list as a tuple."""
        return _as_tuples(self._table.column(name).to_pylist())


def _as_tuples(values: Sequence[Any]) -> tuple[Any, ...]:
    """Turn a column's lists into tuples; a null list becomes an empty tuple."""
    if list in set(map(type, values)):
        return tuple([tuple(value) if value else () for value in values])
    return tuple(values)


_INDEXES: list[tuple[Any, dict[str, int]]] = []
"""Column indexes by schema: a store has one schema, or two after an upgrade."""


def _column_indexes(file: Any) -> dict[str, int]:
    """Return the index of each column by its name."""
    schema = file.metadata.schema
    for cached_schema, indexes in _INDEXES:
        if cached_schema.equals(schema):
            return indexes
    indexes = {path[0]: index for index, path in enumerate(file.reader.column_paths)}
    _INDEXES.append((schema, indexes))
    return indexes


_DECODED: OrderedDict[tuple[str, bytes], tuple[Any, ...]] = OrderedDict()


def _column(content: bytes, file: Any, index: int) -> tuple[Any, ...]:
    """Decode a column, or return the cached one of the same type and bytes, encodings and checksums included."""
    if file.metadata.num_row_groups != 1:
        return _decode(file, index)
    chunk = file.metadata.row_group(0).column(index)
    size, dictionary = chunk.total_compressed_size, chunk.dictionary_page_offset
    if size > _MAX_CACHED_BYTES:
        return _decode(file, index)
    start = chunk.data_page_offset if dictionary is None else dictionary
    key = (chunk.path_in_schema, content[start : start + size])
    if key in _DECODED:
        _DECODED.move_to_end(key)
    else:
        _DECODED[key] = _decode(file, index)
        if len(_DECODED) > _CACHED_COLUMNS:
            _DECODED.popitem(last=False)
    return _DECODED[key]


def _decode(file: Any, index: int) -> tuple[Any, ...]:
    return _as_tuples(file.reader.read_all(column_indices=[index], use_threads=False).column(0).to_pylist())
