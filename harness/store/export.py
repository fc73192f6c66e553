"""Export of stored trials: two tables (one row a trial, one row an answer), or MLflow runs."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal

import pyarrow as pa
import pyarrow.csv as pa_csv
import pyarrow.parquet as pq

from harness.errors import HarnessError
from harness.records import loss_curves
from harness.records.record import Completed
from harness.store.redaction import redact
from harness.store.results_store import StoredTrial

Value = str | int | float | bool | None
MAX_METRICS = 1000
"""Of one request to MLflow, by its REST API (runs/log-batch)."""


def write_tables(
    stored: Sequence[StoredTrial], folder: Path, form: Literal["csv", "parquet"], *, redacted: bool = False
) -> list[Path]:
    """Write ``trials`` and ``examples``, which share the column ``key``; lists are JSON in CSV.

    Args:
        stored: finished or not.
        folder: created if missing; files of these names in it are replaced.
        form: of the files.
        redacted: leave out the texts of restricted rows.

    Returns:
        The files.

    Raises:
        HarnessError: the rows of a trial are damaged, or a file cannot be written.
    """
    rows = [flatten(trial) for trial in stored]
    names = list(dict.fromkeys(name for row in rows for name in row))
    arrow_tables = {"trials": pa.table({name: [row.get(name) for row in rows] for name in names})}
    answers = [_answers(trial, redacted=redacted) for trial in stored if isinstance(trial.record, Completed)]
    if answers:
        arrow_tables["examples"] = pa.concat_tables(answers, promote_options="default")
    try:
        folder.mkdir(parents=True, exist_ok=True)
        return [_write(table, folder / f"{name}.{form}") for name, table in arrow_tables.items()]
    except OSError as error:
        raise HarnessError(f"{folder} cannot be written ({error.strerror or error}): free or change it.") from error


def flatten(stored: StoredTrial) -> dict[str, Value]:
    """Return one trial as a flat row: its plan and status, scores, and seconds and peak bytes by phase."""
    record, trial = stored.record, stored.record.trial
    values: dict[str, Value] = {
        "key": trial.key,
        "suite": trial.suite,
        "task": trial.task,
        "strategy": trial.strategy,
        "model": trial.model,
        "seed": trial.seed,
        "train_items": trial.train_items,
        "budget": str(trial.budget) if trial.budget else None,
        "answers": trial.answers,
        "status": record.status,
        "reason": None if isinstance(record, Completed) else record.reason,
    }
    if not isinstance(record, Completed):
        return values
    environment = record.environment
    values |= {
        "started_at": record.started_at,
        "git_commit": environment.git_commit,
        "processor": environment.processor,
    }
    values |= {"gpu": environment.gpu, "model_hash": record.model.hash, "suite_version": record.suite_version}
    values |= {f"score:{name}": value for name, value in record.scores.items()}
    for phase in dict.fromkeys(span.phase for span in record.spans):
        spans = [span for span in record.spans if span.phase == phase]
        peaks = [span.host_peak_bytes for span in spans if span.host_peak_bytes is not None]
        values |= {f"{phase}_s": sum(span.wall_s for span in spans), f"{phase}_peak_bytes": max(peaks, default=None)}
    return values | {"adapted_bytes": record.adapted_bytes, "trained_parameters": record.trained_parameters}


def log_to_mlflow(stored: Sequence[StoredTrial], uri: str) -> int:
    """Write each finished trial as an MLflow run, in an experiment named after its suite; existing runs stay.

    A run has parameters of the strategy, scores and costs, and what was logged at each step of training, e.g.
    ``training_1/loss``.

    Args:
        stored: unfinished ones are left out.
        uri: of a tracking server or database, e.g. ``sqlite:///mlflow.db`` or ``http://localhost:5000``.

    Returns:
        Number of new runs.

    Raises:
        HarnessError: MLflow is not installed, or cannot be reached.
    """
    try:
        from mlflow import MlflowClient  # noqa: PLC0415 - an optional dependency
        from mlflow.exceptions import MlflowException  # noqa: PLC0415
    except ImportError as error:
        raise HarnessError("MLflow is not installed: pip install 'adaptbench[mlflow]'.") from error
    try:
        client = MlflowClient(tracking_uri=uri)
        return sum(_log(client, trial) for trial in stored if isinstance(trial.record, Completed))
    except MlflowException as error:
        raise HarnessError(f"MLflow at {uri}: {str(error).splitlines()[0][:200]}") from error


def _log(client: Any, stored: StoredTrial) -> bool:
    """Write one run; False: there is one with its key already."""
    from mlflow.entities import Metric  # noqa: PLC0415 - an optional dependency

    values = flatten(stored)
    trial = stored.record.trial
    name = f"adaptbench/{trial.suite}"
    existing = client.get_experiment_by_name(name)
    experiment = existing.experiment_id if existing else client.create_experiment(name)
    if client.search_runs([experiment], f"tags.key = '{trial.key}'", max_results=1):
        return False
    text = {name: str(value) for name, value in values.items() if isinstance(value, str | bool)}
    run = client.create_run(experiment, tags=text, run_name=f"{trial.label} on {trial.task}, seed {trial.seed}")
    for index, step in enumerate(trial.steps):
        for parameter, value in step.items():
            client.log_param(run.info.run_id, f"{index}.{step.get('step')}.{parameter}", _short(value))
    figures = [
        (name.replace(":", "/"), float(value), 0)
        for name, value in values.items()
        if isinstance(value, int | float) and not isinstance(value, bool)
    ]
    if isinstance(stored.record, Completed):
        figures += _training_curves(stored.record)
    at_ms = run.info.start_time
    metrics = [Metric(name.replace("@", "_at_"), value, at_ms, step) for name, value, step in figures]
    for start in range(0, len(metrics), MAX_METRICS):
        client.log_batch(run.info.run_id, metrics[start : start + MAX_METRICS])
    client.set_terminated(run.info.run_id)
    return True


def _training_curves(record: Completed) -> list[tuple[str, float, int]]:
    """List what was logged while training: a name such as ``training_1/loss``, its value, and the step."""
    return [
        (f"training_{number}/{name}", value, int(point.get("step", 0)))
        for number, points in enumerate(loss_curves.runs(record.curves), start=1)
        for point in points
        for name, value in point.items()
        if name != "step"
    ]


_FORMULA = tuple("=+-@\t\r")


def _answers(stored: StoredTrial, *, redacted: bool) -> Any:
    table = stored.table()
    if redacted and "restricted" in table.column_names:
        table = pa.Table.from_pylist([redact(row) for row in table.to_pylist()], schema=table.schema)
    return table.replace_schema_metadata(None).add_column(0, "key", pa.array([stored.record.trial.key] * len(table)))


def _write(table: Any, path: Path) -> Path:
    if path.suffix == ".parquet":
        pq.write_table(table, path, compression="zstd")
    else:
        pa_csv.write_csv(_without_lists(table), path)
    return path


def _without_lists(table: Any) -> Any:
    return pa.table({name: _csv_column(table.column(name)) for name in table.column_names})


def _csv_column(column: Any) -> Any:
    """Write lists as JSON, and an apostrophe before texts that a spreadsheet would take for a formula."""
    if pa.types.is_list(column.type):
        return [json.dumps(value, ensure_ascii=False) for value in column.to_pylist()]
    if not pa.types.is_string(column.type):
        return column
    return [text if text is None or text[:1] not in _FORMULA else f"'{text}" for text in column.to_pylist()]


def _short(value: Any) -> str:
    return str(value)[:500]
