"""Warnings of a report: unlike machines, weights, data or versions, unknown retention, missing points and prices."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

from harness.api import ReturnedModel
from harness.compare.cost import resources
from harness.compare.cost.resource_types import Machine
from harness.compare.prose.numbers import count, listing
from harness.compare.stats.estimates import Difference
from harness.compare.table.agreement import agreement
from harness.compare.table.findings import UnknownRetention
from harness.compare.table.learning_curves import MissingPoint
from harness.compare.table.result import StrategyResult, TaskResult
from harness.compare.table.retention import BASELINE
from harness.compare.trials.groups import Group
from harness.endpoints.external_wire import EXTERNAL
from harness.measure.units import size
from harness.metrics import get
from harness.metrics.statistical_power import ALPHA
from harness.records.record import Completed

WATCHED = ("torch", "transformers", "peft", "sentence-transformers", "faiss-cpu", "bitsandbytes", "trl")
"""Packages whose version has been seen to move scores."""


def task_warnings(records: Sequence[Completed]) -> list[str]:
    """Return the tasks' own warnings, each once, where records used different data, and notes of trials."""
    warnings = list(dict.fromkeys(w for record in records for w in record.tasks[0].warnings))
    if len({record.trial.basis or record.tasks[0].data_hash for record in records}) > 1:
        warnings.append("the records used different data: strategies are compared on their common items.")
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
        of_model = [record for record in records if record.trial.model == model]
        returned = {(m.model or "unnamed", m.fingerprint or "") for r in of_model for m in _returned(r)}
        if len(returned) > 1:
            names = listing([" ".join(filter(None, name)) for name in sorted(returned)])
            warnings.append(
                f"compare scores with care: {len(returned)} models or configurations answered as {model}, {names}."
            )
        loaded = [record for record in of_model if record.model.name != EXTERNAL]  # a whole system elsewhere has none
        weights = {(r.model.hash, r.model.identity, r.model.dtype) for r in loaded}
        if len(weights) > 1:
            warnings.append(
                f"compare scores with care, and no seconds or memory: {model} stands for {len(weights)} different "
                "weights, tokenizers or number formats."
            )
    return warnings


def _returned(record: Completed) -> tuple[ReturnedModel, ...]:
    return record.model.endpoint.returned if record.model.endpoint else ()


def machine_text(machine: Machine) -> str:
    """Name the hardware: processor, threads used of the cores, memory and GPU."""
    return (
        f"{machine.processor} ({machine.threads} threads on {count(machine.cores, 'core')}, "
        f"{size(machine.memory_bytes)}, {machine.gpu or 'no GPU'})"
    )


def row_warnings(groups: Sequence[Group]) -> list[str]:
    """Name the rows whose seeds were run by several versions of the code, under several protocols or on machines.

    Their spread over seeds holds what those changed: another processor alone changes 2 to 4 % of labels, and up to a
    quarter of generated answers.
    """
    labels: dict[str, list[str]] = {}
    for group in groups:
        mixed = [
            f"{len(versions)} {what} ({listing(sorted(versions))})"
            for what, versions in _versions(group.records).items()
            if len(versions) > 1
        ]
        if mixed:
            labels.setdefault(listing(mixed), []).append(group.label)
    return [f"{listing(rows)}: seeds ran with {mixed}, which adds to their spread." for mixed, rows in labels.items()]


def noise_warnings(task: TaskResult) -> list[str]:
    """Say how many answers rounding alone changes, where a difference that is called clear is not larger.

    A batch pads and orders sums otherwise than a single item; a share of the answers that changes so can move a score
    by as much.
    """
    checks = [agreement(check) for row in task.rows for check in row.checks if check.name == "batch"]
    answers, differing = sum(check.answers for check in checks), sum(check.differing for check in checks)
    bottom, top = get(task.primary).bounds if task.primary else (0.0, math.inf)
    if not differing or math.isinf(top - bottom):
        return []
    share = differing / answers
    names = [row.label for row in task.rows if any(_is_small(d, share * (top - bottom)) for d in _clear(row))]
    if not names:
        return []
    text = (
        f"batching alone changes {differing} of {count(answers, 'answer')} ({share:.1%}): differences of "
        f"{share * (top - bottom):.2f} or less may be rounding ({listing(names)})."
    )
    return [text]


def _versions(records: Sequence[Completed]) -> dict[str, set[str]]:
    """Collect what seeds of one row should have in common."""
    packages = [record.environment.packages for record in records]
    versions = {
        "versions of the code": {record.environment.git_commit or "" for record in records} - {""},
        "protocols": {str(record.protocol) for record in records},
        "machines": {machine_text(resources.machine(record)) for record in records},
        **{
            f"versions of {name}": {version for installed in packages if (version := installed.get(name))}
            for name in ("adaptbench", *WATCHED)
        },
    }
    return versions | {"versions of the code": {commit[:8] for commit in versions["versions of the code"]}}


def _clear(row: StrategyResult) -> list[Difference]:
    differences = [difference for difference in (row.to_best, row.to_baseline) if difference]
    return [difference for difference in differences if difference.adjusted_p <= ALPHA]


def _is_small(difference: Difference, noise: float) -> bool:
    return 0 < abs(difference.value) <= noise


def size_warnings(labels_by_size: Mapping[int | None, Sequence[str]]) -> list[str]:
    """Warn where the rows of a table have unlike numbers of training items (None: all)."""
    if len(labels_by_size) < 2:
        return []
    differences = [
        f"{', '.join(labels)} with {'all' if items is None else f'{items:,}'} training items"
        for items, labels in labels_by_size.items()
    ]
    return [f"training sizes differ: {'; '.join(differences)}."]


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
        f"no price for {name}: add one with --prices FILE, with a part of that name as its matches."
        for name in hardware
    ]


def version_warnings(records: Sequence[Completed]) -> list[str]:
    """Name the packages whose versions differ between records: scores may differ with them."""
    warnings: list[str] = []
    for package in WATCHED:
        versions = sorted({v for record in records if (v := record.environment.packages.get(package))})
        if len(versions) > 1:
            warnings.append(
                f"{package} versions differ between records ({listing(versions)}): small differences may be due to it."
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
