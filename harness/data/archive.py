"""Reads a pinned archive without installing it: single members, or a part of it as a folder in the cache."""

import shutil
import zipfile
from collections.abc import Callable, Sequence
from pathlib import Path

from filelock import FileLock

from harness.api import ProgressCallback
from harness.data import content_hash, manifest
from harness.data.fetch import fetch, fetch_all
from harness.data.sources import Source
from harness.errors import HarnessError

Read = Callable[[str], bytes]
"""Returns the content of a member by its path within the archive; a `HarnessError` where there is none."""


def reader(source: str, progress: ProgressCallback | None = None) -> Read:
    """Return a function that reads members of a pinned source, fetching the archive first."""
    path = fetch(source, progress)
    return lambda member: _read(path, member)


def extract(source: str, prefix: str, to: Path, progress: ProgressCallback | None = None) -> Path:
    """Unpack the members under `prefix` into the folder `to`, which is there whole or not at all.

    A folder with a file that is missing or was changed since is unpacked again.

    Args:
        source: name of a pinned source.
        prefix: a member, or a folder within the archive (with a closing ``/``), which is cut off the names.
        to: returned as it is if it is whole.
        progress: told how far the download is.

    Raises:
        HarnessError: no member lies under `prefix`, or the disk is full.
    """
    if not manifest.is_whole(to):
        path = fetch(source, progress)
        _make(to, path.name, lambda scratch: _unpack(path, prefix, scratch))
    return to


def join(pinned: Source, to: Path, progress: ProgressCallback | None = None) -> Path:
    """Join the pieces of a source's file in the folder `to`, which is there whole or not at all.

    Raises:
        HarnessError: the file is not the pinned one, or the disk is full.
    """
    if not manifest.is_whole(to):
        paths = fetch_all(pinned, progress)
        _make(to, pinned.name, lambda scratch: _join(pinned, paths, scratch))
    return to


def _make(to: Path, name: str, write: Callable[[Path], None]) -> None:
    """Make a folder by writing a scratch folder beside it; only one process does."""
    try:
        to.parent.mkdir(parents=True, exist_ok=True)
        with FileLock(to.with_name(to.name + ".lock")):
            if not manifest.is_whole(to):
                _replace(to, write)
                manifest.write(to)
    except OSError as error:
        raise HarnessError(
            f"{name} can't be unpacked into {to} ({error.strerror or error}): make room on the disk, "
            "or set HARNESS_CACHE to a folder on another one."
        ) from error


def _replace(to: Path, write: Callable[[Path], None]) -> None:
    scratch = to.with_name(f".{to.name}.partial")
    shutil.rmtree(scratch, ignore_errors=True)  # left by a process that was killed: the lock is ours
    try:
        write(scratch)
        if to.is_dir():
            shutil.rmtree(to)
        scratch.replace(to)
    finally:
        shutil.rmtree(scratch, ignore_errors=True)


def _join(pinned: Source, paths: Sequence[Path], scratch: Path) -> None:
    joined = pinned.joined
    assert joined is not None  # noqa: S101 - `join` is for sources that have one
    scratch.mkdir(parents=True)
    with (scratch / joined.name).open("wb") as file:
        for archive, path in zip(pinned.archives, paths, strict=True):
            with zipfile.ZipFile(path) as opened, opened.open(archive.members[0]) as data:
                shutil.copyfileobj(data, file)
    digest = content_hash.sha256_of(scratch / joined.name)
    if digest != joined.sha256:
        raise HarnessError(
            f"{joined.name}, joined of its pieces, has sha256 {digest[:12]}...: it is not the pinned one."
        )


def _read(path: Path, member: str) -> bytes:
    with zipfile.ZipFile(path) as archive:
        try:
            return archive.read(member)
        except KeyError as error:
            raise HarnessError(f"{path.name} has no member {member!r}.") from error


def _unpack(path: Path, prefix: str, scratch: Path) -> None:
    cut = prefix.rfind("/") + 1
    with zipfile.ZipFile(path) as archive:
        members = [name for name in archive.namelist() if name.startswith(prefix) and not name.endswith("/")]
        if not members:
            raise HarnessError(f"{path.name} has nothing under {prefix!r}.")
        for name in members:
            out = scratch / name[cut:]
            if not out.resolve().is_relative_to(scratch.resolve()):
                raise HarnessError(f"{path.name} holds a path outside its folder: {name!r}.")
            out.parent.mkdir(parents=True, exist_ok=True)
            with archive.open(name) as data, out.open("wb") as file:
                shutil.copyfileobj(data, file)
