"""Faults of reading the cache: EIO, EMFILE, cut and flipped files. What it holds is right, or is made again."""

import hashlib
import json
import os
from pathlib import Path

import pytest

from harness.data import archive, cache, content_hash, fetch
from harness.errors import HarnessError
from tests.data.small_archive import NAME, source_of, wheel
from tests.store.faults import PAGE, cuts, few_handles, unreadable

TEXT = json.dumps([os.urandom(40).hex() for _ in range(300)])


@pytest.fixture
def remembered(tmp_path: Path) -> Path:
    cache.remember(tmp_path / "cache" / "x.json", TEXT)
    return tmp_path / "cache" / "x.json"


def test_what_was_remembered_is_recalled_or_nothing(remembered: Path):
    assert cache.recall(remembered) == TEXT
    assert cache.recall(remembered.with_name("y.json")) is None
    assert remembered.stat().st_size > 4 * PAGE
    assert {cache.recall(remembered) for _ in cuts(remembered)} == {None}
    with unreadable(remembered):
        assert cache.recall(remembered) is None
    with few_handles(0):
        assert cache.recall(remembered) is None
    content = remembered.read_bytes()
    for place in range(0, len(content), 7):
        remembered.write_bytes(content[:place] + bytes([content[place] ^ 1 << place % 8]) + content[place + 1 :])
        assert cache.recall(remembered) is None


@pytest.fixture
def unpacked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder that was unpacked from a pinned archive in the cache."""
    monkeypatch.setenv("HARNESS_CACHE", str(tmp_path / "cache"))
    (cache.archives() / NAME).write_bytes(wheel())
    monkeypatch.setattr(fetch, "source", lambda _: source_of(wheel()))
    return archive.extract("tiny", "tiny/data/", tmp_path / "out")


def extract_again(folder: Path) -> bool:
    """Unpack into the folder if need be; whether that was done. What is there afterwards is right."""
    before = folder.stat().st_ino
    archive.extract("tiny", "tiny/data/", folder)
    assert (folder / "rows.txt").read_text() == "one\ntwo\n"
    return folder.stat().st_ino != before


def test_a_whole_folder_is_not_unpacked_again(unpacked: Path):
    assert not extract_again(unpacked)


@pytest.mark.parametrize("name", ["out/rows.txt", "out.files.json"])
def test_a_folder_is_unpacked_again_where_it_or_its_list_cannot_be_read(unpacked: Path, name: str):
    file = unpacked.parent / name
    aside = unpacked.with_name("aside")
    file.rename(aside)
    file.symlink_to("/proc/self/mem")
    assert extract_again(unpacked)
    file.unlink()
    file.write_bytes(aside.read_bytes()[:-3])
    assert extract_again(unpacked)
    assert not extract_again(unpacked)


def test_an_archive_that_gives_eio_is_named_and_stays(unpacked: Path):
    pinned = cache.archives() / NAME
    (unpacked / "rows.txt").unlink()
    with unreadable(pinned), pytest.raises((HarnessError, OSError), match=r"Input/output error"):
        archive.extract("tiny", "tiny/data/", unpacked)
    assert hashlib.sha256(pinned.read_bytes()).digest() == hashlib.sha256(wheel()).digest()
    assert extract_again(unpacked)


@pytest.mark.parametrize("free", range(6))
def test_without_handles_a_folder_is_whole_or_an_error(unpacked: Path, free: int):
    with few_handles(free):
        try:
            archive.extract("tiny", "tiny/data/", unpacked)
        except (HarnessError, OSError) as error:
            assert "Too many open files" in str(error)  # noqa: PT017 - either way is right
    extract_again(unpacked)


@pytest.mark.parametrize("free", range(3))
def test_without_handles_a_hash_is_right_or_an_error(tmp_path: Path, free: int):
    (tmp_path / "inner").mkdir()
    (tmp_path / "inner" / "a").write_bytes(b"x" * PAGE)
    right, outcome = content_hash.folder_hash(tmp_path), ""
    with few_handles(free):
        try:
            outcome = content_hash.folder_hash(tmp_path)
        except HarnessError as error:
            outcome = str(error)
    assert outcome == right or "Too many open files" in outcome
    assert outcome == right or not free
