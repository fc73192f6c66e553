"""Faults of reading a kept artifact: EIO, EMFILE, cut files. It is whole, or made again; never half used."""

import os
from contextlib import suppress

import pytest

from harness.errors import HarnessError
from harness.records.measurements import Span
from harness.trial import artifacts
from harness.trial.artifacts import Account, artifact_key, find, keep
from tests.store.faults import PAGE, cuts, few_handles, unreadable

ACCOUNT = Account(span=Span(phase="adapt", step="lora", wall_s=2.5), curves=({"loss": 1.0},) * 400)
KEY = artifact_key({"what": "this"})
CONTENT = os.urandom(5 * PAGE)
FILES = ("adapter.safetensors", "index.faiss", "inner/adapter_config.json")


def save(folder):
    (folder / "inner").mkdir()
    for name in FILES:
        (folder / name).write_bytes(CONTENT)


@pytest.fixture
def kept(tmp_path):
    return keep(tmp_path, KEY, save, ACCOUNT)


def is_damaged(root):
    """Whether an artifact is not believed; what is believed is as it was kept."""
    try:
        artifact = find(root, KEY)
    except HarnessError as error:
        return "\n" not in str(error)
    assert artifact is None or all((artifact.folder / name).read_bytes() == CONTENT for name in FILES)
    return artifact is None


@pytest.mark.parametrize("name", ["../account.json", *FILES])
def test_a_file_that_gives_eio_or_is_cut_at_any_page_makes_the_artifact_damaged(kept, tmp_path, name):
    file = kept.folder / name
    with unreadable(file):
        assert is_damaged(tmp_path)
    assert file.stat().st_size > 2 * PAGE
    assert all(is_damaged(tmp_path) for _ in cuts(file))
    assert find(tmp_path, KEY) == kept
    (kept.folder.parent / "account.json").write_text("")
    assert keep(tmp_path, KEY, save, ACCOUNT) == kept  # made again in its place
    assert find(tmp_path, KEY) == kept


@pytest.mark.parametrize("free", range(6))
def test_without_handles_an_artifact_is_whole_or_damaged(kept, tmp_path, free):
    with few_handles(free):
        try:
            found = find(tmp_path, KEY)
        except HarnessError:
            found = None
    assert found in (None, kept)
    assert find(tmp_path, KEY) == kept


def test_a_full_table_of_handles_costs_no_kept_artifact(kept, tmp_path):
    with few_handles(0), suppress(OSError):
        keep(tmp_path, KEY, save, ACCOUNT)
    assert find(tmp_path, KEY) == kept
    assert artifacts.size(tmp_path)[0] == 1
