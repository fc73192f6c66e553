"""Stored trials as tables and as runs of MLflow."""

import csv
import json
import shutil
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from harness.errors import HarnessError
from harness.records.record import Completed
from harness.store import export
from harness.store.results_store import Store

REFERENCE = Path(__file__).parents[2] / "results" / "reference"


@pytest.fixture(scope="module")
def stored(tmp_path_factory):
    """Two real records of one task."""
    root = tmp_path_factory.mktemp("store")
    for folder in sorted((REFERENCE / "quickstart" / "questions").glob("*/*"))[:2]:
        shutil.copytree(folder, root / folder.relative_to(REFERENCE))
    found = Store(root).load()
    assert len(found) == 2
    return found


@pytest.mark.parametrize("form", ["csv", "parquet"])
def test_both_tables_hold_every_trial_and_every_answer(stored, tmp_path, form):
    trials, examples = export.tables(stored, tmp_path / "out", form)
    if form == "csv":
        read = [list(csv.DictReader(path.open(encoding="utf-8"))) for path in (trials, examples)]
    else:
        read = [pq.read_table(path).to_pylist() for path in (trials, examples)]
    assert [row["key"] for row in read[0]] == [one.record.trial.key for one in stored]
    done = [one for one in stored if isinstance(one.record, Completed)]
    for one in done:
        row = next(row for row in read[0] if row["key"] == one.record.trial.key)
        for name, value in one.record.scores.items():
            assert float(row[f"score:{name}"]) == pytest.approx(value)
        predict = sum(span.wall_s for span in one.record.spans if span.phase == "predict")
        assert float(row["predict_s"]) == pytest.approx(predict)
    rows = [row for one in done for row in one.rows()]
    assert [row["id"] for row in read[1]] == [row.id for row in rows]
    first = read[1][0]["references"]
    assert (json.loads(first) if form == "csv" else first) == list(rows[0].references)


def test_a_folder_that_cannot_be_made_is_named(stored, tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(HarnessError, match="cannot be written"):
        export.tables(stored, tmp_path / "file" / "out", "csv")


def test_each_trial_is_one_run_of_mlflow_however_often_it_is_exported(stored, tmp_path):
    client = pytest.importorskip("mlflow").MlflowClient
    uri = f"sqlite:///{tmp_path}/mlflow.db"
    done = [one for one in stored if isinstance(one.record, Completed)]
    assert export.mlflow(stored, uri) == len(done)
    assert export.mlflow(stored, uri) == 0
    found = client(tracking_uri=uri)
    experiment = found.get_experiment_by_name("adaptbench/quickstart")
    runs = {run.data.tags["key"]: run for run in found.search_runs([experiment.experiment_id])}
    for one in done:
        run = runs[one.record.trial.key]
        for name, value in one.record.scores.items():
            assert run.data.metrics[f"score/{name.replace('@', '_at_')}"] == pytest.approx(value)
        assert run.data.params["0." + one.record.trial.steps[0]["step"] + ".step"] == one.record.trial.steps[0]["step"]
