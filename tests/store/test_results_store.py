"""Records on disk: written atomically, damage noticed, the newest of the same data selected for a report."""

import hashlib
import json
import math
import os
import subprocess
import sys
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.errors import HarnessError
from harness.records.record import SCHEMA_VERSION, Failed, Skipped
from harness.store import record_file
from harness.store.results_store import Store, select_newest, slug
from tests.store.record_builders import ROWS, completed, trial


def test_a_completed_trial_is_read_back_as_it_was_written(store):
    folder = store.write(completed(), ROWS)
    assert folder.relative_to(store.root).as_posix() == "s/t/org-m/lora-s0-abababab"
    (read,) = store.load("s")
    assert read.record == completed()
    assert read.rows() == list(ROWS)
    assert store.is_completed("ab" * 32)
    assert store.problems == []


def test_a_label_that_was_not_read_is_read_back_as_such(store):
    rows = [row.model_copy(update={"choices": ("a", "b"), "choice_scores": (-1.5, None)}) for row in ROWS]
    store.write(completed(), rows)
    (stored,) = store.load()
    assert stored.rows() == rows
    assert str(record_file.row_schema().field("choice_scores").type.value_type) == "double"


def test_another_key_is_not_completed(store):
    store.write(completed())
    assert not store.is_completed("ab" * 4 + "cd" * 28)
    assert not store.is_completed("cd" * 32)


def test_only_the_suite_asked_for_is_loaded(store):
    store.write(completed())
    assert store.load("other") == []


def test_a_diverged_training_curve_is_kept(store):
    store.write(completed(curves=({"loss": math.inf}, {"loss": math.nan})))
    (read,) = store.load()
    assert read.record.curves[0] == {"loss": math.inf}
    assert math.isnan(read.record.curves[1]["loss"])


def test_rows_are_compressed_with_zstd(store):
    folder = store.write(completed(), ROWS)
    assert pq.ParquetFile(folder / "examples.parquet").metadata.row_group(0).column(0).compression == "ZSTD"


def test_a_failed_or_skipped_trial_is_stored_without_rows(store):
    store.write(Failed(trial=trial(key="1" * 64), started_at="2026-01-01T00:00:00+00:00", reason="killed"))
    store.write(Skipped(trial=trial(key="2" * 64), reason="no corpus"))
    assert [trial.record.status for trial in store.load()] == ["failed", "skipped"]
    assert [trial.rows() for trial in store.load()] == [[], []]
    assert not store.is_completed("1" * 64)


def test_a_failed_trial_gives_way_to_a_completed_one_but_not_the_other_way(store):
    failed = Failed(trial=trial(), started_at="2026-01-01T00:00:00+00:00", reason="killed")
    store.write(failed)
    store.write(completed())
    assert [trial.record.status for trial in store.load()] == ["completed"]
    store.write(failed)
    assert [trial.record.status for trial in store.load()] == ["completed"]
    assert not list(store.root.rglob(".tmp-*"))


def test_a_finished_trial_stays_when_it_is_written_again(store):
    store.write(completed(scores={"t/accuracy": 0.5}))
    store.write(completed(scores={"t/accuracy": 0.9}))
    assert store.load()[0].record.scores == {"t/accuracy": 0.5}


@pytest.mark.parametrize(
    ("name", "damage", "message"),
    [
        ("record.json", lambda content: content[:200], "cannot be read"),
        (
            "record.json",
            lambda content: content.replace(b'"suite_version": 1', b'"suite_version": "x"'),
            "suite_version",
        ),
        ("record.json", lambda content: content.replace(b"0.5", b"0.9"), "was changed after the trial"),
        ("record.json", lambda content: content.replace(b'"abab', b'"cbab'), "does not belong"),
        ("record.json", lambda content: content.replace(b'"schema_version": 3', b'"schema_version": 99'), "schema 99"),
        ("record.json", lambda _: b"[]", "cannot be read"),
        ("record.json", lambda _: b"\xff\xfe", "cannot be read"),
        ("record.json", None, "has no record.json"),
        ("examples.parquet", lambda content: content[:-20], "is damaged"),
        ("examples.parquet", None, "has no examples.parquet"),
    ],
)
def test_a_damaged_record_is_named_and_the_others_are_read(store, name, damage, message):
    folder = store.write(completed(), ROWS)
    store.write(completed(trial(key="9" * 64)), ROWS)
    if damage is None:
        (folder / name).unlink()
    else:
        (folder / name).write_bytes(damage((folder / name).read_bytes()))
    assert [trial.record.trial.key for trial in store.load()] == ["9" * 64]
    (problem,) = store.problems
    assert message in problem
    assert str(folder) in problem
    if "schema 99" not in problem:
        assert not store.is_completed("ab" * 32)


def make_newer(folder, digests):
    """Turn a record into one of a later version, with a field that this one does not know."""
    path = folder / "record.json"
    raw = json.loads(path.read_text()) | {"schema_version": 99, "carbon_g": 3.0}
    path.write_text(json.dumps(raw, indent=2) + "\n")
    if digests:  # as the later version would have written them
        table = pq.read_table(folder / "examples.parquet")
        content = {record_file._DIGEST: record_file._digest(raw), record_file._EXACT: sha256(path)}
        pq.write_table(table.replace_schema_metadata(content), folder / "examples.parquet")


def sha256(path):
    return hashlib.sha256(path.read_bytes()).hexdigest()


@pytest.mark.parametrize("digests", [True, False])
def test_a_record_of_a_newer_version_says_so_wherever_it_is_read(store, digests):
    folder = store.write(completed(), ROWS)
    make_newer(folder, digests)
    assert store.load() == []
    assert len(store.problems) == 1
    assert "was written by a newer version (schema 99" in store.problems[0]
    for read in (record_file.read, lambda _: store.is_completed("ab" * 32), lambda _: store.write(completed(), ROWS)):
        with pytest.raises(HarnessError, match="newer version"):
            read(folder)


def test_a_newer_version_without_new_fields_is_not_read_as_this_one(store):
    folder = store.write(completed(), ROWS)
    path = folder / "record.json"
    path.write_text(path.read_text().replace(f'"schema_version": {SCHEMA_VERSION}', '"schema_version": 99'))
    content = {record_file._EXACT: sha256(path), record_file._DIGEST: record_file._digest(json.loads(path.read_text()))}
    table = pq.read_table(folder / "examples.parquet")
    pq.write_table(table.replace_schema_metadata(content), folder / "examples.parquet")
    with pytest.raises(HarnessError, match="newer version"):
        record_file.read(folder)


def test_a_finished_trial_of_a_newer_version_is_never_replaced(store):
    folder = store.write(completed(), ROWS)
    make_newer(folder, digests=True)
    content = (folder / "record.json").read_bytes()
    with pytest.raises(HarnessError, match="newer version"):
        store.write(completed(), ROWS)
    assert (folder / "record.json").read_bytes() == content
    assert not list(store.root.rglob(".tmp-*"))


def test_new_line_ends_and_spaces_do_not_count_as_a_change(store):
    path = store.write(completed(), ROWS) / "record.json"
    path.write_text(json.dumps(json.loads(path.read_text())), newline="\r\n")
    assert len(store.load()) == 1


def test_a_record_with_unchanged_bytes_reads_as_one_that_is_checked_in_full(store, monkeypatch):
    path = store.write(completed(scores={"t/accuracy": float("nan"), "t/bits": float("inf")}), ROWS) / "record.json"
    with monkeypatch.context() as patch:
        patch.setattr(record_file, "_migrated", lambda raw: pytest.fail("it was checked in full"))
        (unchanged,) = store.load()
    path.write_text(json.dumps(json.loads(path.read_text())))
    (reformatted,) = store.load()
    assert repr(unchanged.record) == repr(reformatted.record)


def test_a_half_written_folder_is_never_read_and_is_removed_once_its_owner_is_gone(store):
    folder = store.write(completed(), ROWS)
    code = "import os,sys; from harness.store import results_store; print(results_store._temporary_name())"
    orphan = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.strip()
    (folder.parent / orphan).mkdir()
    (folder.parent / orphan / "record.json").write_text("{}")
    assert len(store.load()) == 1
    assert store.problems == []
    assert store.clean() == 1
    assert not (folder.parent / orphan).exists()


def test_a_half_written_folder_of_a_living_writer_stays(store):
    from harness.store.results_store import _temporary_name

    folder = store.write(completed(), ROWS)
    half_written = folder.parent / _temporary_name()
    half_written.mkdir()
    assert store.clean() == 0
    assert half_written.exists()


def test_a_second_run_on_the_same_results_is_refused_at_once(store):
    with store.lock():
        code = (
            "from pathlib import Path; from harness.store.results_store import Store\n"
            f"with Store(Path({str(store.root)!r})).lock(): pass"
        )
        second = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert "another run is writing to" in second.stderr
    with store.lock():
        pass


@pytest.mark.skipif(os.name != "posix" or os.geteuid() == 0, reason="root may write anywhere")
def test_a_results_folder_that_cannot_be_written_is_a_clear_error(tmp_path):
    tmp_path.chmod(0o500)
    with pytest.raises(HarnessError, match="cannot be"):
        Store(tmp_path / "results").write(completed())


def test_a_results_path_that_is_a_file_is_a_clear_error(tmp_path):
    (tmp_path / "results").write_text("")
    with pytest.raises(HarnessError, match="cannot be"):
        Store(tmp_path / "results").write(completed())


def test_the_newest_of_the_same_trial_is_reported(store):
    store.write(completed(trial(key="1" * 64), started_at="2026-01-01T00:00:00+00:00", scores={"t/a": 0.1}))
    store.write(completed(trial(key="2" * 64), started_at="2026-01-02T00:00:00+00:00", scores={"t/a": 0.2}))
    store.write(completed(trial(key="3" * 64, seed=1), started_at="2026-01-01T00:00:00+00:00"))
    store.write(Skipped(trial=trial(key="4" * 64), reason="no corpus"))
    selection = select_newest(store.load())
    assert sorted(trial.record.trial.key[0] for trial in selection.trials) == ["2", "3"]
    assert selection.notes == ()


def test_records_of_other_data_are_left_out_and_counted(store):
    old, new = "old data", "new data"
    store.write(completed(trial(key="1" * 64, basis=old), started_at="2026-01-01T00:00:00+00:00"))
    store.write(completed(trial("rag", key="2" * 64, basis=old), started_at="2026-01-03T00:00:00"))
    store.write(completed(trial("full", key="3" * 64, basis=new), started_at="2026-01-04T00:00:00+00:00"))
    store.write(Failed(trial=trial("rag", key="4" * 64, basis=new), started_at="2026-01-02T00:00:00", reason="x"))
    store.write(completed(trial(key="5" * 64, basis=old, task="u"), started_at="2026-01-01T00:00:00+00:00"))
    selection = select_newest(store.load())
    assert sorted(trial.record.trial.key[0] for trial in selection.trials) == ["3", "4", "5"]
    assert selection.notes == ("s/t: 2 records of other data, limits or scoring left out; the newest is shown.",)


def test_the_committed_schema_is_the_current_one():
    path = Path(__file__).parents[2] / "results" / "schema.json"
    assert json.loads(path.read_text(encoding="utf-8")) == record_file.schema(), (
        "write it again: python -c 'from harness.store.record_file import schema; import json; "
        "print(json.dumps(schema(), indent=2))' > results/schema.json"
    )


@settings(max_examples=100, deadline=None)
@given(st.text(max_size=200))
def test_a_slug_is_one_safe_path_part(text):
    name = slug(text)
    assert 0 < len(name) <= 80
    assert name[0] not in ".-"
    assert all(c.isascii() and (c.isalnum() or c in "._+-") for c in name)
