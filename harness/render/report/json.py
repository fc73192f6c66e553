"""A comparison as JSON: one entry a trial, so that nothing has to be parsed out of a table.

``{"trials": [{suite, task, strategy, model, seed, status, reason, scores, spans}], "tasks": [...], "notes": [...]}``
"""

from __future__ import annotations

from typing import Any

from harness.compare.cost.resource_types import Cost, PhaseCost
from harness.compare.prose.self_test_sentences import note
from harness.compare.stats.estimates import Difference, Estimate
from harness.compare.table.agreement import agreement
from harness.compare.table.findings import Extraction
from harness.compare.table.result import Comparison, StrategyResult, TaskResult, TrialResult
from harness.records.measurements import Check
from harness.render.text.json_text import json_text


def render(comparison: Comparison) -> str:
    """Write a comparison as indented JSON, ending in a newline; unknown is null, and no number is NaN."""
    return json_text(document(comparison))


def document(comparison: Comparison) -> dict[str, Any]:
    """Return what `render` writes."""
    tasks = [task for suite in comparison.suites for task in suite.tasks]
    return {
        "trials": [_trial(task, row, trial) for task in tasks for row in task.rows for trial in _trials(row)],
        "tasks": [_task(task) for task in tasks],
        "warnings": [warning for suite in comparison.suites for warning in suite.warnings],
        "assumed": comparison.assumed.model_dump(mode="json"),
        "notes": list(comparison.notes),
    }


def _trials(row: StrategyResult) -> list[TrialResult]:
    """The trials of the table, and those of the learning curve that are not in it."""
    smaller = [trial for point in row.learning_curve for trial in point.trials]
    table_sizes = {trial.train_items for trial in row.trials}
    return [*row.trials, *[trial for trial in smaller if trial.train_items not in table_sizes]]


def _trial(task: TaskResult, row: StrategyResult, trial: TrialResult) -> dict[str, Any]:
    scores = {name: _interval(estimate) for name, estimate in trial.scores.items()}
    scores |= {"gap": _interval(trial.gap.change)} if trial.gap else {}
    scores |= {f"retention/{probe.task}": _interval(probe.change) for probe in trial.retention}
    return {
        "suite": task.suite,
        "task": task.name,
        "strategy": row.strategy,
        "model": row.model,
        "seed": trial.seed,
        "train_items": trial.train_items,
        "budget": row.budget.model_dump() if row.budget else None,
        "status": trial.status,
        "reason": trial.reason,
        "scores": scores,
        "curves": [curve.model_dump() for curve in trial.curves],
        "search": trial.search.model_dump() if trial.search else None,
        "spans": {name: _span(phase) for name, phase in trial.cost.phases.items()} if trial.cost else {},
        "adapted_bytes": trial.cost.adapted_bytes if trial.cost else None,
        "trained_parameters": trial.cost.trained_parameters if trial.cost else None,
        **_speed(trial.cost),
    }


def _task(task: TaskResult) -> dict[str, Any]:
    """The task's table: statements about several trials."""
    return {
        "suite": task.suite,
        "task": task.name,
        "primary_metric": task.primary,
        "chance": task.chance,
        "speed_comparable": task.speed_comparable,
        "strategies": [_row(row) for row in task.rows],
        "slices": [part.model_dump() for part in task.slices],
        "extraction": _extraction(task.extraction),
        "verdict": list(task.verdict),
        "warnings": [warning.text for warning in task.warnings],
    }


def _extraction(extraction: Extraction | None) -> dict[str, Any] | None:
    return None if extraction is None else extraction.model_dump() | {"flips": extraction.flips}


def _row(row: StrategyResult) -> dict[str, Any]:
    return {
        "strategy": row.strategy,
        "model": row.model,
        "budget": row.budget.model_dump() if row.budget else None,
        "status": row.status,
        "seeds": row.seeds,
        "tied_for_best": row.tied_for_best,
        "same_as": row.same_as,
        "scores": {name: estimate.model_dump() for name, estimate in row.scores.items()},
        "to_best": row.to_best.model_dump() if row.to_best else None,
        "to_zero_shot": row.to_baseline.model_dump() if row.to_baseline else None,
        "retention": {probe.task: probe.model_dump(exclude={"task"}) for probe in row.retention},
        "interactions": [interaction.model_dump() for interaction in row.interactions],
        "forgetting": row.forgetting.model_dump() if row.forgetting else None,
        "learning_curve": [point.model_dump(exclude={"trials"}) for point in row.learning_curve],
        "gap": row.gap.model_dump() if row.gap else None,
        "unparsed": row.unparsed,
        "reading": row.reading,
        "readings": row.readings.model_dump() if row.readings else None,
        "confidence": [figures.model_dump() for figures in row.confidence],
        "single_answer": row.single_answer.model_dump() if row.single_answer else None,
        "money": _money(row),
        "traits": row.traits.model_dump() if row.traits else None,
        "checks": [_agreement(check) for check in row.checks],
        "controls": {control.ablation: control.model_dump(exclude={"ablation"}) for control in row.controls},
        "planted": [canary.model_dump() for canary in row.planted],
        "tokens_per_s": row.cost.tokens_per_s if row.cost else None,
        "items_per_s": row.cost.items_per_s if row.cost else None,
        **_speed(row.cost),
        "classes": [label.model_dump() for label in row.classes],
        "confusion": {"labels": row.confusion[0], "counts": row.confusion[1]} if row.confusion else None,
    }


def _money(row: StrategyResult) -> dict[str, Any] | None:
    """The parts of the money, with the sums that reports show."""
    if row.money is None:
        return None
    parts = row.money.model_dump(mode="json", exclude={"usage"})
    return parts | {
        "per_1000_usd": row.money.per_1000_usd,
        "fixed_usd": row.money.fixed_usd,
        "monthly_usd": row.money.monthly_usd,
        "update_usd": row.money.update_usd,
        "total_usd": row.money.total_usd(),
    }


def _speed(cost: Cost | None) -> dict[str, Any]:
    """Speed of batches, energy, memory and latency of requests."""
    return {
        "prefill_tokens_per_s": cost.prefill_tokens_per_s if cost else None,
        "decode_tokens_per_s": cost.decode_tokens_per_s if cost else None,
        "energy_j": cost.energy_j if cost else None,
        "energy_source": cost.energy_source if cost else None,
        "held": cost.held.model_dump() if cost and cost.held else None,
        "latency": cost.latency.model_dump() if cost and cost.latency else None,
    }


def _interval(estimate: Estimate | Difference) -> dict[str, Any]:
    return {"value": estimate.value, "low": estimate.low, "high": estimate.high, "n": estimate.n}


def _span(phase: PhaseCost) -> dict[str, Any]:
    """One trial's phase, whose tokens are whole numbers: only means over seeds are not."""
    span = phase.model_dump(include={"wall_s", "host_peak_bytes", "gpu_peak_bytes"})
    tokens = {"tokens_in": phase.tokens_in, "tokens_out": phase.tokens_out}
    token_counts = {name: None if count is None else round(count) for name, count in tokens.items()}
    return span | token_counts | {"reused": phase.reused}


def _agreement(check: Check) -> dict[str, Any]:
    test = agreement(check)
    return test.model_dump(exclude={"largest_difference"}) | {"note": note(test)}
