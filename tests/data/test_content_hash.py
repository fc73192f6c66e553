"""Hashes of files are remembered only as long as no byte can have changed."""

import os

import pytest

from harness.data import cache, content_hash
from harness.data.content_hash import LARGE_BYTES, file_hash, folder_hash, sha256_of
from harness.errors import HarnessError


@pytest.fixture(autouse=True)
def memory(tmp_path, monkeypatch):
    monkeypatch.setenv("HARNESS_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache" / "hashes"


@pytest.fixture
def large(tmp_path, monkeypatch):
    """A large file that is old enough for its hash to be remembered."""
    monkeypatch.setattr(content_hash, "SETTLED_NS", -1)
    file = tmp_path / "weights.safetensors"
    file.write_bytes(bytes(LARGE_BYTES))
    return file


def test_other_bytes_with_the_same_size_and_time_have_another_hash(large):
    state, before = large.stat(), file_hash(large)
    with large.open("r+b") as stream:  # the same inode
        stream.seek(LARGE_BYTES // 2)
        stream.write(b"x")
    os.utime(large, ns=(state.st_atime_ns, state.st_mtime_ns))
    assert (large.stat().st_size, large.stat().st_mtime_ns) == (state.st_size, state.st_mtime_ns)
    assert file_hash(large) == sha256_of(large) != before


def test_an_unchanged_file_is_not_read_again(large, memory, monkeypatch):
    before = file_hash(large)
    assert len(list(memory.iterdir())) == 1
    monkeypatch.setattr(content_hash, "sha256_of", lambda path: pytest.fail("it was read again"))
    assert file_hash(large) == before


def test_a_file_that_was_written_just_now_is_not_remembered(tmp_path, memory):
    file = tmp_path / "weights.safetensors"
    file.write_bytes(bytes(LARGE_BYTES))
    file_hash(file)
    assert not memory.exists()


@pytest.mark.parametrize("damage", [lambda text: text[:40], lambda text: "0" + text[1:], lambda text: ""])
def test_a_damaged_memory_is_not_believed(large, memory, damage):
    before = file_hash(large)
    (file,) = memory.iterdir()
    text = file.read_text()
    file.write_text("f" + text[1:] if damage(text) == text else damage(text))
    assert file_hash(large) == before


def test_a_cache_that_cannot_be_written_costs_time_only(large, tmp_path, monkeypatch):
    (tmp_path / "file").touch()
    monkeypatch.setenv("HARNESS_CACHE", str(tmp_path / "file"))
    assert file_hash(large) == sha256_of(large)
    cache.remember(cache.root() / "hashes" / "x", "text")


def test_a_folders_hash_covers_every_byte_and_name(tmp_path):
    folder = tmp_path / "model"
    folder.mkdir()
    (folder / "a").write_bytes(bytes(6 << 20))
    seen = {folder_hash(folder)}
    content = bytearray(6 << 20)
    content[5_000_001] = 1
    (folder / "a").write_bytes(content)
    seen.add(folder_hash(folder))
    (folder / "a").rename(folder / "b")
    seen.add(folder_hash(folder))
    assert len(seen) == 3


def test_a_folder_that_cannot_be_listed_is_an_error_and_not_an_empty_one(tmp_path, monkeypatch):
    """Root may list any folder, so the call that lists is made to refuse one."""
    (tmp_path / "model" / "parts").mkdir(parents=True)
    (tmp_path / "model" / "parts" / "a").touch()
    listing = os.scandir

    def refuse(path):
        if os.fspath(path).endswith("parts"):
            raise PermissionError(13, "Permission denied", os.fspath(path))
        return listing(path)

    monkeypatch.setattr(os, "scandir", refuse)
    with pytest.raises(HarnessError, match="Permission denied"):
        folder_hash(tmp_path / "model")
