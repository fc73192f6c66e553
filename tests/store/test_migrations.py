"""Stores of earlier versions are read; a record of a later version is refused in a line, and the others are read."""

import json
import shutil
from pathlib import Path

import pytest

from harness.compare.report.comparison import compare
from harness.compare.trials.stored_trials import read_trials
from harness.records.record import SCHEMA_VERSION, Completed
from harness.store.results_store import Store, select_newest

STORES = Path(__file__).parent / "records"


def test_every_earlier_version_has_a_store():
    assert sorted(path.name for path in STORES.glob("v*")) == [f"v{version}" for version in range(1, SCHEMA_VERSION)]


@pytest.mark.parametrize("version", range(1, SCHEMA_VERSION))
def test_a_store_of_an_earlier_version_gives_the_report_that_it_gave(version):
    store = Store(STORES / f"v{version}")
    stored = store.load()
    assert not store.problems
    assert {trial.record.status for trial in stored} == {"completed", "skipped"}
    (finished,) = (trial for trial in stored if isinstance(trial.record, Completed))
    written = json.loads((finished.folder / "record.json").read_text(encoding="utf-8"))
    assert written["schema_version"] == version
    tables = [task for suite in compare(read_trials(select_newest(stored).trials)).suites for task in suite.tasks]
    scores = {
        f"{task.name}/{name}": row.scores[name].value for task in tables for row in task.rows for name in row.scores
    }
    assert {name: scores[name] for name in written["scores"]} == pytest.approx(written["scores"])


def test_a_later_version_is_refused_in_a_line_and_the_rest_is_read(tmp_path):
    shutil.copytree(STORES / "v1", tmp_path / "store")
    path = next((tmp_path / "store").rglob("record.json"))
    path.write_text(path.read_text(encoding="utf-8").replace('"schema_version": 1', '"schema_version": 99', 1))
    store = Store(tmp_path / "store")
    assert len(store.load()) == 1
    (problem,) = store.problems
    assert "newer version (schema 99" in problem
    assert "upgrade" in problem


def test_what_is_read_of_an_earlier_version_is_written_in_this_one(tmp_path):
    (finished,) = (trial for trial in Store(STORES / "v1").load() if isinstance(trial.record, Completed))
    store = Store(tmp_path)
    store.write(finished.record, finished.rows())
    (migrated,) = store.load()
    assert migrated.record.schema_version == SCHEMA_VERSION
    assert migrated.record.scores == finished.record.scores
    assert migrated.rows() == finished.rows()


def test_a_difference_that_version_2_wrote_into_a_note_is_a_number():
    (finished,) = (trial for trial in Store(STORES / "v2").load() if isinstance(trial.record, Completed))
    assert [(check.name, check.largest_difference, check.note) for check in finished.record.checks] == [
        ("batch", None, None),
        ("merged", 0.37, None),
    ]
