"""One trial's folder, written and checked: ``record.json``, and ``examples.parquet`` with one row per test item.

The Parquet footer holds two digests of the record, so that edits and truncation are noticed: of its content, whatever
the spaces and line ends, and of its bytes, which is quick to compare. ``SHA256SUMS`` holds the digest of the rows,
which is compared before anything parses them: a damaged footer can end a process. Records before version 3 have none.
"""

from __future__ import annotations

import hashlib
import json
import math
import os
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any, get_args

import pyarrow as pa
import pyarrow.parquet as pq
from pydantic import TypeAdapter, ValidationError

from harness.errors import HarnessError
from harness.records.home_path import without_home
from harness.records.record import SCHEMA_VERSION, Completed, Failed, Row, RunRecord, Skipped

Record = Completed | Failed | Skipped

ROWS, SUMS = "examples.parquet", "SHA256SUMS"
_FIRST_WITH_SUMS = 3
_RECORD, _DIGEST, _EXACT = "record.json", b"record_sha256", b"record_bytes_sha256"
_ADAPTER: TypeAdapter[Record] = TypeAdapter(RunRecord)
_VERSION = re.compile(rb'"schema_version":\s*(\d{1,9})')
_DIFFERENCE = re.compile(r"log-likelihoods differ by at most (\S+) nats")
"""A note of version 2; version 3 stores the number."""


class NewerRecordError(HarnessError):
    """A record of a newer version, which may hold fields that this one does not know."""


def read(folder: Path) -> Record:
    """Read and check one folder.

    Raises:
        NewerRecordError: a newer version wrote the record.
        HarnessError: the record is missing, damaged or was edited; the message names the folder.
    """
    path = folder / _RECORD
    try:
        content = path.read_bytes()
        if record := _read_unchanged(content, folder):
            return record
        raw = json.loads(content)
        version = raw["schema_version"]
        if isinstance(version, int) and version > SCHEMA_VERSION:
            raise _newer(path, version)
        if raw.get("status") == "completed":
            _check_sum(folder, version)
        record = _ADAPTER.validate_python(_migrated(raw))
        if not _belongs(record, folder):
            raise HarnessError(f"{path} does not belong into its folder: the key of its trial is another one.")
        if isinstance(record, Completed):
            _check_rows(folder / ROWS, raw)
    except FileNotFoundError as error:
        missing = Path(error.filename or _RECORD).name
        raise HarnessError(f"{folder} has no {missing}: delete the folder.") from error
    except ValidationError as error:
        first = error.errors()[0]
        field = ".".join(str(part) for part in first["loc"])
        raise HarnessError(f"{path} is no valid record ({field}: {first['msg']}): restore or delete it.") from error
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise HarnessError(f"{path} cannot be read ({_one_line(error)}): restore or delete it.") from error
    return record


def refuse_newer(folder: Path) -> None:
    """Look at the version of a record, which stands at its beginning, and at nothing else.

    Raises:
        NewerRecordError: a newer version wrote it.
    """
    try:
        with (folder / _RECORD).open("rb") as file:
            match = _VERSION.search(file.read(200))
    except OSError:
        return
    if match and int(match[1]) > SCHEMA_VERSION:
        raise _newer(folder / _RECORD, int(match[1]))


def write(folder: Path, record: Record, rows: Sequence[Row]) -> None:
    """Write a record, and its rows if the trial completed, into an existing folder, and sync it to disk.

    Paths below the user's home folder are written as ``~/…``, wherever in the record they stand.
    """
    raw = without_home(_json_safe(record.model_dump(mode="json")))
    content = (json.dumps(raw, indent=2, ensure_ascii=False, allow_nan=False) + "\n").encode()
    _save(folder / _RECORD, content)
    if isinstance(record, Completed):
        table = pa.Table.from_pylist([row.model_dump() for row in rows], schema=row_schema())
        sink = pa.BufferOutputStream()
        table = table.replace_schema_metadata({_DIGEST: _digest(raw), _EXACT: _sha256(content)})
        pq.write_table(table, sink, compression="zstd", write_page_checksum=True)
        content = sink.getvalue().to_pybytes()
        _save(folder / ROWS, content)
        _save(folder / SUMS, f"{_sha256(content)}  {ROWS}\n".encode())
    sync(folder)


def read_table(folder: Path) -> Any:
    """Read the rows of a completed trial as a `pyarrow.Table`.

    Raises:
        HarnessError: the file is damaged.
    """
    try:
        content = pa.BufferReader((folder / ROWS).read_bytes())
        with pq.ParquetFile(content, page_checksum_verification=True, pre_buffer=False) as file:
            return file.read(use_threads=False)  # a trial's rows are few: threads would cost more
    except FileNotFoundError:
        raise
    except (OSError, ValueError, pa.ArrowException) as error:
        raise HarnessError(f"{folder / ROWS} is damaged ({_one_line(error)}): delete {folder}.") from error


def row_schema() -> Any:
    """Return the columns of examples.parquet as a `pyarrow.Schema`: the fields of `Row`."""
    return pa.schema([_column(name, info.annotation) for name, info in Row.model_fields.items()])


def schema() -> dict[str, Any]:
    """Return the JSON schema of record.json."""
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **_ADAPTER.json_schema(mode="serialization")}


def _newer(path: Path, version: int) -> NewerRecordError:
    return NewerRecordError(
        f"{path} was written by a newer version (schema {version}, this one reads up to {SCHEMA_VERSION}): "
        "upgrade adaptbench to read it."
    )


def _read_unchanged(content: bytes, folder: Path) -> Record | None:
    """Read a record whose bytes match the digest, written by this version or an earlier one; None: check it in full."""
    rows = folder / ROWS
    if not (rows.exists() and _footer_contains(rows, _sha256(content))):
        return None
    try:
        record = _ADAPTER.validate_json(content)
    except ValidationError:
        return None
    if record.schema_version > SCHEMA_VERSION:
        return None
    _check_sum(folder, record.schema_version)
    if record.schema_version < SCHEMA_VERSION:
        record = _ADAPTER.validate_python(_migrated(json.loads(content)))
    return record if _belongs(record, folder) else None


def _check_sum(folder: Path, version: int) -> None:
    """Compare the rows' file with its digest; of records before version 3, which have none, check the columns.

    Raises:
        HarnessError: the file is damaged, or its digest is missing.
    """
    path = folder / ROWS
    if version < _FIRST_WITH_SUMS and not (folder / SUMS).exists():
        _check_columns(path)
        return
    if _sha256(path.read_bytes()) != (folder / SUMS).read_text(encoding="utf-8").partition(" ")[0]:
        raise HarnessError(f"{path} is damaged (its sha256 is not that in {SUMS}): delete {folder}.")


def _check_columns(path: Path) -> None:
    """Parse all rows, which raises where looking at a damaged footer's columns would end the process, and compare."""
    stored = read_table(path.parent).schema
    expected = {field.name: field.type for field in row_schema()}
    if len(set(stored.names)) < len(stored) or any(field.type != expected.get(field.name) for field in stored):
        raise HarnessError(f"{path} is damaged (its columns are not those of a record): delete {path.parent}.")


def _belongs(record: Record, folder: Path) -> bool:
    """Whether a folder's name ends in the key of the trial in it."""
    return record.trial.key.startswith(folder.name.rpartition("-")[2])


def _migrated(raw: dict[str, Any]) -> dict[str, Any]:
    """Convert a record of an earlier version to this one; fields that it lacks stay unknown.

    Version 2 added requests, parts of memory, forecasts, self-tests and controls. Version 3 holds the largest
    difference of a self-test as a number, which version 2 wrote into its note.
    """
    checks = [_migrated_check(check) for check in raw.get("checks", ())]
    return {**raw, "schema_version": SCHEMA_VERSION, **({"checks": checks} if checks else {})}


def _migrated_check(check: dict[str, Any]) -> dict[str, Any]:
    match = _DIFFERENCE.fullmatch(check.get("note") or "")
    return {**check, "largest_difference": float(match[1]), "note": None} if match else check


def _column(name: str, annotation: Any) -> Any:
    nullable = type(None) in get_args(annotation)
    kinds = [kind for kind in get_args(annotation) if kind not in (type(None), ...)] or [annotation]
    kinds = [kind for kind in get_args(kinds[0]) if kind is not type(None)] or kinds  # elements may lack
    element = {str: pa.string(), int: pa.int64(), float: pa.float64(), bool: pa.bool_()}.get(kinds[0], pa.string())
    return pa.field(
        name, pa.list_(element) if getattr(annotation, "__origin__", None) is tuple else element, nullable=nullable
    )


def _check_rows(path: Path, raw: Any) -> None:
    digest = _digest(raw)
    if _footer_contains(path, digest):
        return
    try:
        metadata = pq.read_schema(path).metadata or {}
    except pa.ArrowException as error:
        raise HarnessError(f"{path} is damaged ({_one_line(error)}): delete {path.parent}.") from error
    if metadata.get(_DIGEST, b"").decode() != digest:
        raise HarnessError(f"{path.with_name(_RECORD)} was changed after the trial: restore it, or delete its folder.")


def _footer_contains(path: Path, digest: str) -> bool:
    """Search a Parquet footer (footer, its length in 4 bytes, PAR1) for a digest: ten times faster than parsing it."""
    with path.open("rb") as file:
        size = file.seek(0, os.SEEK_END)
        file.seek(max(0, size - 8))
        tail = file.read(8)
        length = int.from_bytes(tail[:4], "little")
        if tail[4:] != b"PAR1" or length > size - 12:
            return False
        file.seek(size - 8 - length)
        return digest.encode() in file.read(length)


def _json_safe(value: Any) -> Any:
    """Replace numbers that JSON lacks by text that a float field reads back: ``"nan"``, ``"inf"``."""
    if isinstance(value, dict):
        return {name: _json_safe(item) for name, item in value.items()}
    if isinstance(value, list):
        return [_json_safe(item) for item in value]
    return str(value) if isinstance(value, float) and not math.isfinite(value) else value


def _digest(raw: Any) -> str:
    """Hash a record's content, whatever its spaces and line ends."""
    return _sha256(json.dumps(raw, sort_keys=True, separators=(",", ":")).encode())


def _sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def _save(path: Path, content: bytes) -> None:
    with path.open("wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())


def sync(folder: Path) -> None:
    """Sync a folder's entries to disk; Windows has no such call and needs none."""
    if os.name == "posix":
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)


def _one_line(error: Exception) -> str:
    return " ".join(str(error).split())[:200]
