"""Faults of reading a results folder: EIO, EMFILE, cut files. What is damaged is named; nothing is deleted or wrong."""

import json
import os
import shutil
from pathlib import Path

import pytest

from harness.errors import HarnessError
from harness.records.record import Row
from harness.store.baselines import list_baselines, read_baseline, set_baseline
from harness.store.results_store import Store
from tests.store.faults import PAGE, cuts, few_handles, unreadable
from tests.store.record_builders import completed, trial

FILES = ("record.json", "examples.parquet", "SHA256SUMS")
FREE = range(6)


def stored_rows(store):
    return {stored.record.trial.key: (stored.record, stored.rows()) for stored in store.load()}


@pytest.fixture
def results(tmp_path):
    """A store with two large trials, a baseline of them, and what they hold."""
    store = Store(tmp_path / "results")
    for seed, key in enumerate(("ab" * 32, "cd" * 32)):
        rows = [Row(task="t", id=str(i), references=(f"{i}",), prompt=os.urandom(400).hex()) for i in range(60)]
        store.write(completed(trial(key=key, seed=seed), scores={f"t/s{i}": i / 500 for i in range(500)}), rows)
    set_baseline(store, "old", store.load())
    return store, stored_rows(store)


def tree(root):
    return {path.relative_to(root).as_posix(): path.read_bytes() for path in root.rglob("*") if path.is_file()}


def check_one_is_named(store, sound, folder):
    """One trial is left out and named; the other is as it was."""
    left = stored_rows(store)
    assert len(left) == 1
    assert left.items() <= sound.items()
    assert len(store.problems) == 1
    assert str(folder) in store.problems[0]


@pytest.mark.parametrize("name", FILES)
def test_a_trial_that_gives_eio_is_named_and_left_out(results, name):
    store, sound = results
    folder = store.load()[0].folder
    before = tree(store.root)
    with unreadable(folder / name):
        check_one_is_named(store, sound, folder)
    assert tree(store.root) == before
    assert stored_rows(store) == sound


@pytest.mark.parametrize("name", FILES)
def test_a_trial_cut_at_any_page_is_named_and_left_out(results, name):
    store, sound = results
    folder = store.load()[0].folder
    size = (folder / name).stat().st_size
    for length in cuts(folder / name):
        if length < size - 1 or name == "examples.parquet":
            check_one_is_named(store, sound, folder)
        else:  # the end of the last line is lost, and no more
            assert stored_rows(store) == sound
    assert name == "SHA256SUMS" or size > 2 * PAGE
    assert stored_rows(store) == sound


@pytest.mark.parametrize("free", FREE)
def test_without_handles_trials_are_named_or_right(results, free):
    store, sound = results
    before = tree(store.root)
    with few_handles(free):
        left = stored_rows(store)
        problems = list(store.problems)
    assert left.items() <= sound.items()
    assert len(left) == len(sound) or problems
    assert (len(left), problems) == (2, []) if free else len(left) == 0
    assert tree(store.root) == before


@pytest.mark.parametrize("free", FREE)
@pytest.mark.parametrize("name", FILES)
def test_a_trial_that_cannot_be_read_now_is_never_lost_by_running_it_again(results, name, free):
    store, sound = results
    stored = store.load()[0]
    key, content = stored.record.trial.key, {file: (stored.folder / file).read_bytes() for file in FILES}
    again = stored.record.model_copy(update={"started_at": "2027-01-01T00:00:00+00:00"})
    with unreadable(stored.folder / name) if free == 0 else few_handles(free):
        assert store.find_completed(key) in ((None, stored.record) if free else (None,))
        written, refusal = None, ""
        try:
            written = store.write(again, sound[key][1])
        except HarnessError as error:
            refusal = str(error)
        assert written or (free and "cannot be written" in refusal)
        if free == 0:
            assert written == stored.folder
            (aside,) = store.set_aside
            stored.folder.rename(stored.folder.with_name("new"))
            aside.rename(stored.folder)
    assert {file: (stored.folder / file).read_bytes() for file in FILES} == content


def test_a_folder_that_cannot_be_listed_is_named(results, monkeypatch):
    """Neither root nor this file system gives EACCES or EIO for a folder, so the call that lists it is made to fail."""
    store, sound = results
    task = store.load()[0].folder.parents[1]
    listing = os.scandir

    def refuse(path):
        if Path(path) == task:
            raise OSError(5, "Input/output error", str(path))
        return listing(path)

    monkeypatch.setattr(os, "scandir", refuse)
    assert store.load() == []
    assert store.problems == [f"{task} cannot be read (Input/output error): what it holds is left out."]
    monkeypatch.undo()
    assert stored_rows(store) == sound


def test_another_trial_in_the_way_is_set_aside(results):
    store, sound = results
    folder = store.load()[0].folder
    other = trial(key=sound and "ab" * 4 + "ef" * 28, seed=0)
    assert store.folder(other) == folder
    store.write(completed(other), [])
    (aside,) = store.set_aside
    assert json.loads((aside / "record.json").read_text())["trial"]["key"] == "ab" * 32


@pytest.mark.parametrize("name", ["baseline.json", *FILES])
def test_a_baseline_that_cannot_be_read_is_named_and_no_other_is_taken(results, name):
    store, _ = results
    shutil.copytree(store.root / "baselines" / "old", store.root / "baselines" / "other")
    folder = store.root / "baselines" / "old"
    file = next(folder.rglob(name))
    before = tree(store.root)

    def check():
        with pytest.raises(HarnessError, match="baseline 'old' is damaged"):
            read_baseline(folder)
        sound, problems = list_baselines(store.root)
        assert [baseline.folder.name for baseline in sound] == ["other"]
        assert len(problems) == 1
        assert str(file) in problems[0]

    with unreadable(file):
        check()
    whole = file.stat().st_size
    for length in cuts(file):
        if length < whole - 1 or name != "baseline.json":
            check()
        else:  # the end of the last line is lost, and no more
            read_baseline(folder)
    assert tree(store.root) == before
    assert len(list_baselines(store.root)[0]) == 2
