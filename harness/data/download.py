"""Downloads one file into a partial file that a later attempt resumes (HTTP Range, RFC 9110 section 14)."""

import errno
import os
import shutil
import ssl
from pathlib import Path
from typing import IO
from urllib.parse import urlsplit
from urllib.request import url2pathname

import httpx2

from harness.api import ProgressCallback
from harness.errors import HarnessError

CHUNK_BYTES = 1 << 20
TRIES = 3
NO_SPACE = (errno.ENOSPC, errno.EDQUOT)


def download(url: str, part: Path, size_bytes: int, progress: ProgressCallback) -> None:
    """Download into `part` until it has its full size, resuming from the bytes that it has.

    A broken connection is resumed as long as each attempt brings bytes, and at most three times in a row where none
    does. On a full disk the partial file is cut back to its size before.

    Args:
        url: http(s), or a file: address as pip gives for a local mirror.
        part: the partial file.
        size_bytes: what it must hold in the end.
        progress: called with (bytes there, bytes in all).

    Raises:
        HarnessError: no network, a refusal by the server, a full disk, or more bytes than there should be.
    """
    partial_bytes = size_of(part)
    _check_space(part.parent, size_bytes - partial_bytes)
    try:
        if url.startswith("file:"):
            shutil.copyfile(url2pathname(urlsplit(url).path), part)
        else:
            _retry(url, part, size_bytes, progress)
    except OSError as error:
        if part.exists():
            os.truncate(part, min(partial_bytes, size_of(part)))
        if error.errno in NO_SPACE:
            raise _disk_full(part.parent, size_bytes - partial_bytes) from error
        raise HarnessError(f"can't write {part} ({error.strerror or error}).") from error


def size_of(path: Path) -> int:
    """Return a file's size in bytes, 0 if there is none."""
    return path.stat().st_size if path.exists() else 0


def _retry(url: str, part: Path, size_bytes: int, progress: ProgressCallback) -> None:
    """Try until the file is complete, or until three attempts in a row brought no byte."""
    fruitless = 0
    while True:
        previous_bytes = size_of(part)
        try:
            _attempt(url, part, size_bytes, progress)
        except httpx2.HTTPStatusError as error:
            status = error.response.status_code
            raise HarnessError(f"{urlsplit(url).hostname} refused the download of {part.stem} ({status}).") from error
        except httpx2.RequestError as error:
            fruitless = 0 if size_of(part) > previous_bytes else fruitless + 1
            if fruitless == TRIES:
                raise HarnessError(
                    f"the download of {part.stem} broke off after {size_of(part):,} of {size_bytes:,} bytes "
                    f"({type(error).__name__}: {error}): check the network and run again, it goes on from there."
                ) from error
        else:
            return


def _attempt(url: str, part: Path, size_bytes: int, progress: ProgressCallback) -> None:
    """Ask for the bytes that are missing, and append them."""
    partial_bytes = size_of(part)
    if partial_bytes == size_bytes:
        progress(partial_bytes, size_bytes)
        return
    headers = {"Accept-Encoding": "identity"}
    if 0 < partial_bytes < size_bytes:
        headers["Range"] = f"bytes={partial_bytes}-"
    with _client() as client, client.stream("GET", url, headers=headers) as response:
        if response.status_code == 416:
            part.unlink()
            raise httpx2.ReadError("the server no longer knows the range that was asked for")
        response.raise_for_status()
        resumes = response.headers.get("Content-Range", "").startswith(f"bytes {partial_bytes}-")
        with part.open("ab" if resumes else "wb") as file:
            _copy(response, file, partial_bytes if resumes else 0, size_bytes, progress)


def _copy(
    response: httpx2.Response, file: IO[bytes], written_bytes: int, size_bytes: int, progress: ProgressCallback
) -> None:
    progress(written_bytes, size_bytes)
    for chunk in response.iter_raw(CHUNK_BYTES):
        written_bytes += len(chunk)
        if written_bytes > size_bytes:
            raise HarnessError(f"the server sent more than the {size_bytes:,} bytes that {response.url} should have.")
        file.write(chunk)
        progress(written_bytes, size_bytes)


def _client() -> httpx2.Client:
    """Build a client with the certificates and the proxy that pip would use."""
    context = httpx2.create_ssl_context()
    for variable in ("PIP_CERT", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"):
        bundle = os.environ.get(variable)
        if bundle:
            _trust(context, Path(bundle), variable)
            break
    return httpx2.Client(
        verify=context, proxy=os.environ.get("PIP_PROXY") or None, follow_redirects=True, timeout=httpx2.Timeout(60)
    )


def _trust(context: ssl.SSLContext, bundle: Path, variable: str) -> None:
    try:
        context.load_verify_locations(*((None, bundle) if bundle.is_dir() else (bundle, None)))
    except OSError as error:
        raise HarnessError(f"the certificates in {bundle}, which {variable} names, can't be read ({error}).") from error


def _check_space(folder: Path, needed_bytes: int) -> None:
    if shutil.disk_usage(folder).free < needed_bytes:
        raise _disk_full(folder, needed_bytes)


def _disk_full(folder: Path, needed_bytes: int) -> HarnessError:
    free = shutil.disk_usage(folder).free
    return HarnessError(
        f"the disk is full: {needed_bytes / 1e6:,.0f} MB are needed in {folder} and {free / 1e6:,.0f} MB are free. "
        "Make room, or set HARNESS_CACHE to a folder on another disk."
    )
