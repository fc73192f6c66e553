"""Lists of the files of a kept folder, with sizes and sha256: a damaged folder is recognised and made again."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from pydantic import TypeAdapter, ValidationError

from harness.data import cache, content_hash
from harness.errors import HarnessError
from harness.records.measurements import StoredModel


class ListedFile(StoredModel):
    """Size and sha256 of a file."""

    size_bytes: int
    sha256: str


_FILES: TypeAdapter[dict[str, ListedFile]] = TypeAdapter(dict[str, ListedFile])


def list_files(folder: Path) -> dict[str, ListedFile]:
    """List the files of a folder by relative path; hidden ones are left out.

    Raises:
        HarnessError: a file cannot be read.
    """
    return {
        name: ListedFile(size_bytes=(folder / name).stat().st_size, sha256=digest)
        for name, digest in content_hash.file_hashes(folder).items()
    }


def damage(folder: Path, files: Mapping[str, ListedFile]) -> str:
    """Name the first difference between a folder and its list; empty: there is none.

    Raises:
        HarnessError: a file cannot be read.
    """
    for name, listed in files.items():  # sizes first: they cost nothing
        path = folder / name
        if not path.is_file():
            return f"{name} is missing"
        if path.stat().st_size != listed.size_bytes:
            return f"{name} has {path.stat().st_size:,} of {listed.size_bytes:,} bytes"
    present = content_hash.file_hashes(folder)
    return next(
        (f"{name} was changed" for name, digest in present.items() if name in files and digest != files[name].sha256),
        next((f"{name} was added" for name in present if name not in files), ""),
    )


def is_whole(folder: Path) -> bool:
    """Tell whether a folder is as `write` has listed it; False without a list."""
    try:
        files = _FILES.validate_json(cache.recall(_list_of(folder)) or "")
        return bool(files) and not damage(folder, files)
    except (OSError, ValidationError, HarnessError):
        return False


def write(folder: Path) -> None:
    """List a folder's files in a file beside it."""
    cache.remember(_list_of(folder), _FILES.dump_json(list_files(folder), indent=1).decode())


def _list_of(folder: Path) -> Path:
    return folder.with_name(f"{folder.name}.files.json")
