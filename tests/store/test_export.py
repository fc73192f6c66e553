"""Export of stored trials as tables and as MLflow runs."""

import csv
import json
import shutil
from importlib import import_module
from pathlib import Path

import pyarrow as pa
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
    trials = Store(root).load()
    assert len(trials) == 2
    return trials


@pytest.fixture(scope="module")
def uri(tmp_path_factory):
    """A database for MLflow; making its tables takes seconds."""
    pytest.importorskip("mlflow")
    return f"sqlite:///{tmp_path_factory.mktemp('mlflow')}/mlflow.db"


@pytest.mark.parametrize("form", ["csv", "parquet"])
def test_both_tables_hold_every_trial_and_every_answer(stored, tmp_path, form):
    trials_file, examples_file = export.write_tables(stored, tmp_path / "out", form)
    if form == "csv":
        trials, examples = [list(csv.DictReader(path.open(encoding="utf-8"))) for path in (trials_file, examples_file)]
    else:
        trials, examples = [pq.read_table(path).to_pylist() for path in (trials_file, examples_file)]
    assert [row["key"] for row in trials] == [trial.record.trial.key for trial in stored]
    finished = [trial for trial in stored if isinstance(trial.record, Completed)]
    for record in (trial.record for trial in finished):
        row = next(row for row in trials if row["key"] == record.trial.key)
        for name, score in record.scores.items():
            assert float(row[f"score:{name}"]) == pytest.approx(score)
        predict_s = sum(span.wall_s for span in record.spans if span.phase == "predict")
        assert float(row["predict_s"]) == pytest.approx(predict_s)
    rows = [row for trial in finished for row in trial.rows()]
    assert [row["id"] for row in examples] == [row.id for row in rows]
    first = examples[0]["references"]
    assert (json.loads(first) if form == "csv" else first) == list(rows[0].references)


def test_a_folder_that_cannot_be_made_is_named(stored, tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(HarnessError, match="cannot be written"):
        export.write_tables(stored, tmp_path / "file" / "out", "csv")


def test_each_trial_is_one_run_of_mlflow_however_often_it_is_exported(stored, uri):
    finished = [trial for trial in stored if isinstance(trial.record, Completed)]
    assert export.log_to_mlflow(stored, uri) == len(finished)
    assert export.log_to_mlflow(stored, uri) == 0
    server = import_module("mlflow").MlflowClient(tracking_uri=uri)
    experiment = server.get_experiment_by_name("adaptbench/quickstart")
    runs = {run.data.tags["key"]: run for run in server.search_runs([experiment.experiment_id])}
    for record in (trial.record for trial in finished):
        run, step = runs[record.trial.key], record.trial.steps[0]["step"]
        for name, score in record.scores.items():
            assert run.data.metrics[f"score/{name.replace('@', '_at_')}"] == pytest.approx(score)
        assert run.data.params[f"0.{step}.step"] == step


def test_each_training_of_a_chain_is_a_curve_of_its_own(tmp_path, uri, monkeypatch):
    monkeypatch.setattr(export, "MAX_METRICS", 60)  # of a request: there are more
    folder = "quickstart/questions/smollm2-135m-instruct/lora-task-sentiment-+lora-task-questions-s0-3715c5af"
    shutil.copytree(REFERENCE / folder, tmp_path / "store" / folder)
    (trial,) = Store(tmp_path / "store").load()
    assert export.log_to_mlflow([trial], uri) == 1
    server = import_module("mlflow").MlflowClient(tracking_uri=uri)
    experiment = server.get_experiment_by_name("adaptbench/quickstart").experiment_id
    (run,) = server.search_runs([experiment], f"tags.key = '{trial.record.trial.key}'")
    points = trial.record.curves
    second = next(index for index, point in enumerate(points) if index and point["step"] < points[index - 1]["step"])
    for name, part in (("training_1", points[:second]), ("training_2", points[second:])):
        history = server.get_metric_history(run.info.run_id, f"{name}/loss")
        assert [(at.step, at.value) for at in history] == [(p["step"], p["loss"]) for p in part if "loss" in p]
        assert f"{name}/validation_loss" in run.data.metrics
    assert "training_3/loss" not in run.data.metrics


def test_no_text_in_a_csv_begins_a_formula():
    texts = ["=1+1", "+1", "-5", "@SUM(A1)", "\tx", "plain", None]
    column = export._csv_column(pa.chunked_array([texts]))
    assert column == ["'=1+1", "'+1", "'-5", "'@SUM(A1)", "'\tx", "plain", None]
    assert export._csv_column(pa.chunked_array([[-5]])).to_pylist() == [-5]
