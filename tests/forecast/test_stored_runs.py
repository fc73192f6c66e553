"""Forecasts of the stored reference trials, made again without a model: do they come near the memory that was measured?

What the forecasts rest on is kept in `stored_runs.json`: token counts of the tasks, and a calibration of the same kind
of machine. Seconds depend on what else the machine does: of time, only the counts of tokens are compared.
"""

import json
from pathlib import Path
from types import SimpleNamespace

from harness.forecast import forecast_trial
from harness.forecast.architecture_lookup import llama
from harness.forecast.calibration import Calibration
from harness.forecast.embedder import Embedder
from harness.forecast.token_lengths import TokenLengths
from harness.records.planned_trial import MeasurementOptions, PlannedTrial
from harness.records.record import Completed
from harness.store.record_file import read

HERE = Path(__file__).parent
STORED = HERE.parents[1] / "results" / "reference" / "quickstart"
KEPT = json.loads((HERE / "stored_runs.json").read_text(encoding="utf-8"))
MACHINE = Calibration.model_validate(KEPT["calibration"])
SMOLLM = llama(576, 30, 9, 3, 1536, 49152, tied=True)
MINILM = llama(384, 6, 12, 12, 1024, 30522, tied=True)
"""As many weights as all-MiniLM-L6-v2 has, within 1 %."""


class Minilm(Embedder):
    def lengths(self, task):
        return [*[130] * 3, 256]  # of 803 passages 130,028 tokens were counted, 162 in the mean, and none beyond 256


def stored():
    """Read the trials that were forecast; what learns from other tasks is left out, as a record holds its own only."""
    found = (read(file.parent) for file in sorted(STORED.rglob("record.json")))
    forecast = (one for one in found if isinstance(one, Completed) and one.forecast)
    return {f"{one.trial.strategy} on {one.trial.task}": one for one in forecast if "task=" not in one.trial.strategy}


def again(record, monkeypatch):
    """Forecast a stored trial as it would be forecast now."""
    monkeypatch.setattr(forecast_trial, "find", lambda _: Minilm(HERE, MINILM))
    tasks = {one.name: prepared(one) for one in record.tasks if one.role != "control"}
    phases = {one.phase for one in record.spans}
    planned = PlannedTrial(
        trial=record.trial,
        suite_folder="quickstart",
        model_reference="smollm2-135m-instruct",
        limits={},
        probes=tuple(name for name, one in tasks.items() if one.info.role == "probe" and name != record.trial.task),
        measurement=MeasurementOptions(
            seen_items=64 if "seen" in phases else 0, requests=20, check_items=16 if "check" in phases else 0
        ),
    )
    counts = {name: TokenLengths.model_validate(found) for name, found in KEPT["lengths"].items()}
    by = forecast_trial.Forecaster(SMOLLM, MACHINE, lambda task: counts[task.info.name], lambda _: None, retrieves=True)
    return by.forecast(planned, tasks)


def prepared(info):
    """Stand in for a task by what a forecast asks of it: how many items there are, and how they are answered."""
    sizes = {split: range(info.sizes.get(split, 0)) for split in ("train", "validation", "test", "corpus")}
    told = SimpleNamespace(choices=info.labels, max_new_tokens=16)
    words = range(3) if info.instruction else ()
    return SimpleNamespace(
        info=info,
        paraphrases=words,
        canaries=(),
        test=sizes["test"],
        task_data=SimpleNamespace(task=told, **sizes),
    )


def off(share, of):
    """Name the trials whose forecast is off by more than a share, with the ratio of forecast to measured."""
    ratios = {name: of(record) for name, record in stored().items()}
    return {name: round(ratio, 2) for name, ratio in ratios.items() if abs(ratio - 1) > share}


def test_memory_of_nine_in_ten_trials_is_forecast_within_15_percent(monkeypatch):
    found = off(0.15, lambda record: again(record, monkeypatch).host_peak_bytes / peak(record))
    assert len(found) <= len(stored()) / 10, found


def test_tokens_read_in_nine_in_ten_trials_are_forecast_within_a_quarter(monkeypatch):
    found = off(0.25, lambda record: again(record, monkeypatch).tokens_in / read_tokens(record))
    assert len(found) <= len(stored()) / 10, found


def peak(record):
    return max(one.host_peak_bytes or 0 for one in record.spans)


def read_tokens(record):
    return sum(one.tokens_in or 0 for one in record.spans)
