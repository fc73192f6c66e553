"""Damaged results: named and skipped before anything parses them; what cannot be read is set aside, never deleted."""

import shutil
from pathlib import Path

import pytest

from harness.records.record import Completed, Failed, Row
from harness.store.results_store import Store
from tests.store.record_builders import ROWS, completed, trial

STORES = Path(__file__).parent / "records"


def test_any_damaged_byte_of_the_rows_is_noticed_before_they_are_parsed(store):
    rows = [Row(task="t", id=str(i), references=(f"{i}",), prompt=f"prompt {i}") for i in range(8)]
    path = store.write(completed(), rows) / "examples.parquet"
    content = path.read_bytes()
    damages = [content[:i] + bytes([content[i] ^ 1 << i % 8]) + content[i + 1 :] for i in range(0, len(content), 3)]
    damages += [content[:end] for end in range(0, len(content), 64)]
    for damaged in damages:
        path.write_bytes(damaged)
        assert store.load() == []
        assert "examples.parquet is damaged (its sha256 is not that in SHA256SUMS)" in store.problems[0]
    path.write_bytes(content)
    assert len(store.load()[0].rows()) == 8


def test_rows_without_their_digest_are_not_read(store):
    folder = store.write(completed(), ROWS)
    (folder / "SHA256SUMS").unlink()
    assert store.load() == []
    assert "has no SHA256SUMS" in store.problems[0]


@pytest.mark.parametrize("name", ["record.json", "examples.parquet", "SHA256SUMS"])
def test_what_cannot_be_read_is_set_aside_when_its_trial_runs_again(store, name):
    folder = store.write(completed(), ROWS)
    edited = b"{" + (folder / name).read_bytes()
    (folder / name).write_bytes(edited)
    store.write(completed(), ROWS)
    assert [stored.record for stored in store.load()] == [completed()]
    assert store.problems == []
    (aside,) = store.set_aside
    assert (aside / name).read_bytes() == edited
    (folder / name).write_bytes(edited)
    store.write(completed(), ROWS)
    assert len(store.set_aside) == 2
    assert (aside / name).read_bytes() == edited


def test_a_failed_trial_is_replaced_and_not_set_aside(store):
    store.write(Failed(trial=trial(), started_at="2026-01-01T00:00:00+00:00", reason="killed"))
    store.write(completed(), ROWS)
    assert store.set_aside == []


def test_damaged_rows_of_an_early_version_are_named_and_end_no_process(tmp_path):
    source = STORES / "v1"
    before = [stored for stored in Store(source).load() if isinstance(stored.record, Completed)]
    root = Path(shutil.copytree(source, tmp_path / "store"))
    (path,) = root.rglob("examples.parquet")
    content = path.read_bytes()
    names = set(before[0].columns().names)
    footer = len(content) - 8 - int.from_bytes(content[-8:-4], "little")
    aborts = [(35518, 2), (35626, 0), (35977, 3), (37459, 5)]  # these ended the process
    spread = [(place, place % 8) for place in range(footer, len(content), 53)]
    problems = []
    for place, bit in [*aborts, *spread]:
        path.write_bytes(content[:place] + bytes([content[place] ^ 1 << bit]) + content[place + 1 :])
        store = Store(root)
        for stored in store.load():
            if isinstance(stored.record, Completed):
                assert stored.columns().names == names
                assert [row.id for row in stored.rows()]
        problems += store.problems
    assert len(problems) >= len(aborts)
    assert all("examples.parquet is damaged" in problem or "record.json" in problem for problem in problems)
