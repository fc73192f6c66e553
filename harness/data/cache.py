"""The cache folder of fetched and derived files: the user's, or the one that HARNESS_CACHE names."""

import hashlib
import os
from contextlib import suppress
from pathlib import Path

from platformdirs import user_cache_dir

from harness.errors import HarnessError


def root() -> Path:
    """Return the cache folder, which need not exist yet."""
    configured = os.environ.get("HARNESS_CACHE")
    return (
        Path(configured).expanduser().absolute() if configured else Path(user_cache_dir("adaptbench", appauthor=False))
    )


def folder(*parts: str) -> Path:
    """Return a folder within the cache, made if need be.

    Raises:
        HarnessError: it can't be made, e.g. because the disk may not be written to.
    """
    path = root().joinpath(*parts)
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        reason = error.strerror or str(error)
        raise HarnessError(
            f"the cache folder {path} can't be made ({reason}): set HARNESS_CACHE to a folder that you can write to."
        ) from error
    return path


def archives() -> Path:
    """Return the folder of the pinned archives; a file put there by hand is used if its sha256 is the pinned one."""
    return folder("archives")


def remember(path: Path, text: str) -> None:
    """Write a text into the cache, whole or not at all; where that fails, it is computed again next time.

    Its sha256 stands in the file's first line, so that `recall` notices a damaged file.
    """
    with suppress(OSError):
        path.parent.mkdir(parents=True, exist_ok=True)
        scratch = path.with_name(f".{path.name}.{os.getpid()}")
        try:
            content = text.encode()
            scratch.write_bytes(f"{hashlib.sha256(content).hexdigest()}\n".encode() + content)
            scratch.replace(path)
        finally:
            scratch.unlink(missing_ok=True)


def recall(path: Path) -> str | None:
    """Return what `remember` wrote; None: nothing, or the file was damaged since, or cannot be read."""
    try:
        digest, _, content = path.read_bytes().partition(b"\n")
    except OSError:
        return None
    return content.decode() if digest.decode("latin-1") == hashlib.sha256(content).hexdigest() else None
