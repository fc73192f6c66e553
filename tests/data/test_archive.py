"""Members of a pinned archive, read or unpacked."""

import errno
import os
from pathlib import Path
from typing import IO, Any

import pytest

from harness.data import archive, cache, fetch
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
