"""Warnings of a report: unlike machines, weights, data or versions, unknown retention, missing points and prices."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from harness.compare.cost import resources
from harness.compare.cost.resource_types import Machine
from harness.compare.prose.numbers import count, listing
from harness.compare.table.findings import UnknownRetention
from harness.compare.table.learning_curves import MissingPoint
from harness.compare.table.retention import BASELINE
from harness.measure.units import size
from harness.records.record import Completed

WATCHED = ("torch", "transformers", "peft", "sentence-transformers", "faiss-cpu", "bitsandbytes", "trl")
"""Packages whose version has been seen to move scores."""


def task_warnings(records: Sequence[Completed]) -> list[str]:
    """Return the tasks' own warnings, each once, where records used different data, and notes of trials."""
    warnings = list(dict.fromkeys(w for record in records for w in record.tasks[0].warnings))
    if len({record.trial.basis or record.tasks[0].data_hash for record in records}) > 1:
        warnings.append("the records used different data: strategies are compared on the items that they share.")
    return [*warnings, *(f"{record.trial.label}: {note}" for record in records for note in record.notes)]


def machine_warnings(records: Sequence[Completed]) -> list[str]:
    """Say why seconds and bytes must not be compared; empty where they may."""
    warnings: list[str] = []
    machines = dict.fromkeys(resources.machine(record) for record in records)
    if len(machines) > 1:
        warnings.append(
            f"seconds and memory are not compared: the records come from {len(machines)} kinds of machine, "
            f"{listing([machine_text(m) for m in machines])}."
        )
    for model in dict.fromkeys(record.trial.model for record in records):
        weights = {(r.model.hash, r.model.identity, r.model.dtype) for r in records if r.trial.model == model}
        if len(weights) > 1:
            warnings.append(
                f"seconds and memory are not compared, and scores only with care: {len(weights)} different weights, "
                f"tokenizers or number formats stand behind the name {model}."
            )
    return warnings


def machine_text(machine: Machine) -> str:
    """Name the hardware: processor, threads used of the cores, memory and GPU."""
    return (
        f"{machine.processor} ({machine.threads} threads on {count(machine.cores, 'core')}, "
        f"{size(machine.memory_bytes)}, {machine.gpu or 'no GPU'})"
    )


def size_warnings(labels_by_size: Mapping[int | None, Sequence[str]]) -> list[str]:
    """Warn where the rows of a table have unlike numbers of training items (None: all)."""
    if len(labels_by_size) < 2:
        return []
    differences = [
        f"{', '.join(labels)} with {'all' if items is None else f'{items:,}'} training items"
        for items, labels in labels_by_size.items()
    ]
    return [f"strategies learned from unlike numbers of items: {'; '.join(differences)}."]


def retention_warnings(unknown: Sequence[UnknownRetention]) -> list[str]:
    """Say why retention is unknown, each text once."""
    texts = [f"retention on {retention.probe} is unknown: {_unknown_because(retention)}." for retention in unknown]
    return list(dict.fromkeys(texts))


def missing_point_warnings(points: Sequence[MissingPoint]) -> list[str]:
    """Name the points that a learning curve lacks, and why."""
    return [f"{point.label} with {point.train_items} training items has no result: {point.reason}" for point in points]


def price_warnings(hardware: Sequence[str]) -> list[str]:
    """Name the hardware without a price."""
    return [
        f"no price is known for {name}: --prices FILE adds one, with a part of that name as its matches."
        for name in hardware
    ]


def version_warnings(records: Sequence[Completed]) -> list[str]:
    """Name the packages whose versions differ between records: scores may differ with them."""
    warnings: list[str] = []
    for package in WATCHED:
        versions = sorted({v for record in records if (v := record.environment.packages.get(package))})
        if len(versions) > 1:
            warnings.append(
                f"{package} differs between records ({listing(versions)}): small differences may come from it."
            )
    if len(versions := sorted({record.suite_version for record in records})) > 1:
        warnings.append(f"the records used versions {listing(list(map(str, versions)))} of the suite.")
    return warnings


def _unknown_because(retention: UnknownRetention) -> str:
    if retention.reason == "no baseline":
        return f"run {BASELINE} on {retention.baseline_task} with {retention.model}"
    if retention.reason == "data changed":
        return f"its data have changed, so run {BASELINE} on it again"
    return "no item was answered both before and after"
