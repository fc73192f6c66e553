"""sha256 of files and folders; a large file's is remembered until the file changes.

A hash is remembered under the file's device, inode, size, time of modification and time of its last status change
(ctime), in nanoseconds. No program can set the last one: writing, replacing or moving a file and setting its time of
modification back all change it. So 16 GB of weights are read once (about 10 s), and a lookup costs one ``stat``.
Not remembered are files of less than 4 MiB, files that changed within the last two seconds (two writes within one tick
of the file system's clock look alike), and anything on Windows, which has no such time.
"""

from __future__ import annotations

import hashlib
import os
import time
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from harness.data import cache
from harness.data.folder_files import visible_files
from harness.errors import HarnessError

LARGE_BYTES = 4 << 20
SETTLED_NS = 2_000_000_000
_THREADS = 4


def sha256_of(path: Path) -> str:
    """Read a file and return its sha256 in hex.

    Raises:
        OSError: it cannot be read.
    """
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def file_hash(path: Path) -> str:
    """Return a file's sha256 in hex; a large one is read only if it changed since it was last hashed.

    Raises:
        OSError: it cannot be read.
    """
    stamp = _stamp(path)
    memory = cache.root() / "hashes" / f"{hashlib.sha256(stamp.encode()).hexdigest()}.txt"
    if stamp and (digest := cache.recall(memory)):
        return digest
    digest = sha256_of(path)
    if stamp and stamp == _stamp(path):
        cache.remember(memory, digest)
    return digest


def file_hashes(folder: Path) -> Mapping[str, str]:
    """Return the sha256 of each file below a folder by its relative path, in order; hidden ones are left out.

    Raises:
        HarnessError: a file cannot be read.
    """
    try:
        visible = {path.relative_to(folder).as_posix(): path for path in visible_files(folder)}
        with ThreadPoolExecutor(_THREADS) as pool:  # hashing releases the interpreter's lock
            return dict(zip(visible, pool.map(file_hash, visible.values()), strict=True))
    except OSError as error:
        raise HarnessError(f"folder {folder} cannot be read: {error.strerror or error}.") from error


def folder_hash(folder: Path) -> str:
    """Return one sha256 over the names and the whole contents of a folder's files; hidden ones are left out.

    Raises:
        HarnessError: a file cannot be read.
    """
    lines = [f"{name}\0{digest}\n" for name, digest in file_hashes(folder).items()]
    return hashlib.sha256("".join(lines).encode()).hexdigest()


def _stamp(path: Path) -> str:
    """Return what changes whenever a file does; empty for a file whose hash is not remembered."""
    state = path.stat()
    age_ns = time.time_ns() - max(state.st_ctime_ns, state.st_mtime_ns)
    if os.name == "nt" or state.st_size < LARGE_BYTES or age_ns < SETTLED_NS:
        return ""
    return f"{state.st_dev} {state.st_ino} {state.st_size} {state.st_mtime_ns} {state.st_ctime_ns}"
