"""Trial keys: hashes of all that decides a result, so that a finished trial is found again, and no other one."""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict
from typing import Any

from harness.data.prepare import PreparedTask
from harness.records.planned_trial import DEFAULTS, MeasurementOptions
from harness.records.record import PROTOCOL_VERSION, Trial

_LATER_FIELDS = ("train_items", "budget", "fresh", "answers")
"""Fields of `Trial` that are left out of its key where they are None: keys from before they existed stay the same."""


def key_fields(trial: Trial) -> dict[str, Any]:
    """Return what a trial's key says of the trial itself."""
    unset = {name for name in _LATER_FIELDS if getattr(trial, name) is None}
    return trial.model_dump(mode="json", exclude=unset)


def check_options(task: PreparedTask, measurement: MeasurementOptions) -> list[dict[str, Any]]:
    """Return the options of self-tests that differ from the defaults.

    Paraphrases are part of the key, so that other wordings are asked and never taken for those of before; they are no
    part of the basis, because no score depends on them: records with and without them stand in one table.
    """
    items = measurement.check_items
    options: list[dict[str, Any]] = [{"check_items": items}] if items != DEFAULTS.check_items else []
    return options + ([{"paraphrases": task.paraphrases}] if task.paraphrases and items else [])


def request_options(measurement: MeasurementOptions) -> list[dict[str, Any]]:
    """Return the options of requests that differ from the defaults."""
    names = ("requests", "arrival_rate", "latency_target_s", "all_scores")
    options = {name: getattr(measurement, name) for name in names}
    changed = {name: value for name, value in options.items() if value != getattr(DEFAULTS, name)}
    return [changed] if changed else []


def basis_of(task: PreparedTask) -> str:
    """Hash what trials must share to stand in one table: data after limits, wording, metrics, protocol."""
    definition = {name: part for name, part in asdict(task.task_data.task).items() if name != "written"}
    return key_hash([PROTOCOL_VERSION, task.info.data_hash, definition, task.info.metrics])


def key_hash(parts: Any) -> str:
    """Return the sha256 of JSON values; the order of an object's keys does not matter."""
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()
