"""Comparison of stored records: one table a task, one row a strategy and model, seeds pooled."""

from __future__ import annotations

from collections.abc import Sequence
from math import inf
from typing import NamedTuple

from harness.compare.cost import resources
from harness.compare.cost.pricing import Economics
from harness.compare.prose import verdict
from harness.compare.prose.warnings import (
    machine_warnings,
    missing_point_warnings,
    noise_warnings,
    price_warnings,
    retention_warnings,
    row_warnings,
    size_warnings,
    task_warnings,
    version_warnings,
)
from harness.compare.report.priced import priced
from harness.compare.table.confidence_figures import with_confidence
from harness.compare.table.extraction import extraction
from harness.compare.table.findings import TaskWarning
from harness.compare.table.learning_curves import by_size, learning_curves, missing_points
from harness.compare.table.readings import with_readings
from harness.compare.table.result import Comparison, SuiteResult, TaskResult
from harness.compare.table.retention import BASELINE
from harness.compare.table.rows import rows_of
from harness.compare.table.slices import slices_of
from harness.compare.trials.groups import group_trials, seed_mismatch
from harness.compare.trials.stored_trials import StoredTrialItems
from harness.errors import HarnessError
from harness.metrics import get
from harness.records.record import Completed, TaskInfo


class _SuiteContext(NamedTuple):
    """What the tasks of a suite share: trials of the unchanged model, prices, and `compare`'s `each_seed`."""

    baselines: Sequence[StoredTrialItems]
    economics: Economics
    each_seed: bool


def compare(
    stored: Sequence[StoredTrialItems],
    notes: Sequence[str] = (),
    economics: Economics | None = None,
    *,
    each_seed: bool = True,
) -> Comparison:
    """Compare stored trials; nothing is run.

    Args:
        stored: at most one record for each suite, task, strategy, model, seed, size and budget.
        notes: records that the store left out, and why; shown with the comparison.
        economics: prices and usage; None: the built-in price table at the default usage.
        each_seed: whether each trial gets its own scores, retention and gap, which takes most of the time; rows, which
            pool the seeds, are the same either way.

    Raises:
        HarnessError: a trial is given twice, or a record names an unknown metric.
    """
    _refuse_doubles(stored)
    suites: dict[str, list[StoredTrialItems]] = {}
    for trial in stored:
        suites.setdefault(trial.record.trial.suite, []).append(trial)
    economics = economics or Economics()
    suite_results = tuple(_suite(name, group, economics, each_seed=each_seed) for name, group in suites.items())
    rows = [row for suite in suite_results for task in suite.tasks for row in task.rows]
    return Comparison(
        suites=suite_results, notes=tuple(notes), assumed=economics.assumptions(row.money for row in rows)
    )


def _suite(name: str, stored: Sequence[StoredTrialItems], economics: Economics, *, each_seed: bool) -> SuiteResult:
    tasks: dict[str, list[StoredTrialItems]] = {}
    for trial in stored:
        tasks.setdefault(trial.record.trial.task, []).append(trial)
    records = [trial.record for trial in stored if isinstance(trial.record, Completed)]
    task_infos = sorted((info for record in records for info in record.tasks), key=lambda info: info.role == "probe")
    infos = {info.name: info for info in task_infos}  # a task that is a probe for any strategy is a probe
    order = sorted(tasks, key=lambda task: _order(infos.get(task)))
    baselines = [trial for trial in stored if trial.record.trial.strategy == BASELINE]
    context = _SuiteContext(baselines, economics, each_seed)
    return SuiteResult(
        name=name,
        tasks=tuple(
            _task(name, task, tasks[task], context).model_copy(update={"probe": _is_probe(infos.get(task))})
            for task in order
        ),
        models=tuple(dict.fromkeys(trial.record.trial.model for trial in stored)),
        machines=tuple(dict.fromkeys(resources.machine(record) for record in records)),
        warnings=tuple(version_warnings(records)),
    )


def _is_probe(info: TaskInfo | None) -> bool:
    return info is not None and info.role == "probe"


def _order(info: TaskInfo | None) -> tuple[bool, float]:
    """Sort key of tasks: targets before probes, each in the suite's order."""
    return (False, inf) if info is None else (_is_probe(info), inf if info.order is None else info.order)


def _task(suite: str, name: str, stored: Sequence[StoredTrialItems], context: _SuiteContext) -> TaskResult:
    table, sizes, labels_by_size = by_size(stored)
    records = [trial.record for trial in table if isinstance(trial.record, Completed)]
    declared = [metric for record in records for metric in record.tasks[0].metrics]
    scored = [key.removeprefix(f"{name}/") for record in records for key in record.scores if key.startswith(f"{name}/")]
    metrics = tuple(dict.fromkeys([*declared, *scored]))  # trials that retrieve add recall and MRR
    groups = group_trials(name, table)
    rows, unknown_retention = rows_of(groups, metrics, context.baselines, each_seed=context.each_seed)
    curves = learning_curves(name, sizes, metrics[0]) if metrics else {}
    rows = tuple(row.model_copy(update={"learning_curve": curves.get((row.label, row.model), ())}) for row in rows)
    rows, unpriced = priced(rows, groups, context.economics)
    rows = with_confidence(with_readings(rows, groups, metrics[0]), groups) if metrics else rows
    warnings = (
        *TaskWarning.of("sizes", size_warnings(labels_by_size)),
        *TaskWarning.of("retention", retention_warnings(unknown_retention)),
        *TaskWarning.of("curve", missing_point_warnings(missing_points(sizes, table))),
        *TaskWarning.of("price", price_warnings(unpriced)),
        *TaskWarning.of("row", row_warnings(groups)),
    )
    result = TaskResult(suite=suite, name=name, metrics=metrics, rows=rows, warnings=warnings)
    if metrics:
        result = _described(result, records, [mismatch for group in groups if (mismatch := seed_mismatch(group))])
        noise = TaskWarning.of("noise", noise_warnings(result))
        result = result.model_copy(
            update={
                "extraction": extraction(result, groups),
                "slices": slices_of(groups, metrics),
                "warnings": (*result.warnings, *noise),
            }
        )
    return result.model_copy(update={"verdict": verdict.sentences(result)})


def _described(result: TaskResult, records: Sequence[Completed], seeds: Sequence[str]) -> TaskResult:
    """Add the properties of the task that finished trials record, and warnings about these trials."""
    primary = result.metrics[0]
    first = next((row.scores[primary] for row in result.rows if primary in row.scores), None)
    unlike = machine_warnings(records)
    return result.model_copy(
        update={
            "kind": records[0].tasks[0].kind,
            "primary": primary,
            "higher_is_better": get(primary).higher_is_better,
            "items": first.n if first else None,
            "clusters": first.clusters if first else None,
            "chance": records[0].tasks[0].chance,
            "best": 0 if first else None,
            "speed_comparable": not unlike,
            "warnings": (
                *TaskWarning.of("data", task_warnings(records)),
                *TaskWarning.of("machine", unlike),
                *TaskWarning.of("seeds", seeds),
                *result.warnings,
            ),
        }
    )


def _refuse_doubles(stored: Sequence[StoredTrialItems]) -> None:
    keys: set[object] = set()
    for stored_trial in stored:
        trial = stored_trial.record.trial
        if trial.place in keys:
            raise HarnessError(
                f"two records of {trial.label} on {trial.suite}/{trial.task} with {trial.model} and seed "
                f"{trial.seed}: keep one, for one of them would count twice"
            )
        keys.add(trial.place)
