"""What a reader must know before comparing: unlike machines, weights, data or versions behind the records."""

from __future__ import annotations

from collections.abc import Sequence

from harness.compare.cost import resources
from harness.compare.cost.resource_types import Machine
from harness.compare.prose.numbers import count, listing
from harness.measure.units import size
from harness.records.record import Completed

WATCHED = ("torch", "transformers", "peft", "sentence-transformers", "faiss-cpu", "bitsandbytes", "trl")
"""Packages whose version has been seen to move scores."""


def task_warnings(records: Sequence[Completed]) -> list[str]:
    """Repeat the tasks' own warnings, each once, and tell of records that used other data."""
    warnings = list(dict.fromkeys(w for record in records for w in record.tasks[0].warnings))
    if len({record.trial.basis or record.tasks[0].data_hash for record in records}) > 1:
        warnings.append("the records used different data: strategies are compared on the items that they share.")
    return warnings


def machine_warnings(records: Sequence[Completed]) -> list[str]:
    """Tell why seconds and bytes must not be compared; empty where they may."""
    warnings: list[str] = []
    machines = dict.fromkeys(resources.machine(record) for record in records)
    if len(machines) > 1:
        warnings.append(
            f"seconds and memory are not compared: the records come from {len(machines)} kinds of machine, "
            f"{listing([machine_text(m) for m in machines])}."
        )
    for model in dict.fromkeys(record.trial.model for record in records):
        weights = {(r.model.hash, r.model.dtype) for r in records if r.trial.model == model}
        if len(weights) > 1:
            warnings.append(
                f"seconds and memory are not compared, and scores only with care: {len(weights)} different weights "
                f"or number formats stand behind the name {model}."
            )
    return warnings


def machine_text(machine: Machine) -> str:
    """Name the hardware: processor, threads used of the cores, memory and GPU."""
    return (
        f"{machine.processor} ({machine.threads} threads on {count(machine.cores, 'core')}, "
        f"{size(machine.memory_bytes)}, {machine.gpu or 'no GPU'})"
    )


def version_warnings(records: Sequence[Completed]) -> list[str]:
    """Tell which packages differ between records: the same settings can score differently under another version."""
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
