"""A plan as JSON: what `harness plan --format json` writes; docs/json.md explains the keys."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Literal

from harness.compare.cost.hourly_rate import HourlyRate
from harness.compare.power.sample_size import TaskPower
from harness.forecast.endpoint_questions import EndpointForecast
from harness.plan.planner import Plan, TaskPlan
from harness.records.measurements import StoredModel
from harness.records.planned_trial import PlannedTrial


class PlannedCost(StoredModel):
    """What a trial is expected to take; `seconds_low` if training stops as early as it may."""

    seconds_low: float
    seconds_high: float
    host_peak_bytes: int | None
    gpu_peak_bytes: int | None
    usd: float | None


class TrialEntry(StoredModel):
    """One trial of a plan."""

    key: str
    task: str
    strategy: str
    model: str
    seed: int
    train_items: int | None
    status: Literal["pending", "finished", "skipped"]
    reason: str | None
    forecast: PlannedCost | None


class TaskEntry(StoredModel):
    """One task of a plan: items by split, and the smallest difference that its test items show."""

    task: str
    role: str
    items: dict[str, int]
    detectable_difference: float
    warnings: tuple[str, ...]


class EndpointEntry(StoredModel):
    """What a model behind an address will be asked; `usd` are the least, the likely most and the most of all."""

    model: str
    questions: dict[str, int]
    tokens_in: tuple[float, float]
    tokens_out: tuple[float, float]
    usd: tuple[float, float, float] | None


class PlanDocument(StoredModel):
    """A whole plan."""

    suite: str
    version: int
    trials: tuple[TrialEntry, ...]
    tasks: tuple[TaskEntry, ...]
    endpoints: tuple[EndpointEntry, ...]
    power: tuple[TaskPower, ...]
    usd_per_hour: float | None


def document(
    plan: Plan,
    pending: Sequence[PlannedTrial],
    rate: HourlyRate | None,
    questions: Mapping[str, EndpointForecast],
    powers: Sequence[TaskPower],
) -> PlanDocument:
    """Put a plan together.

    Args:
        plan: the whole plan.
        pending: those of its trials that have yet to be run.
        rate: price of an hour of this machine; None: it is not known.
        questions: by the reference of a model behind an address.
        powers: what a difference needs; empty: that was not asked.
    """
    keys = {planned.trial.key for planned in pending}
    return PlanDocument(
        suite=plan.suite,
        version=plan.version,
        trials=tuple(_trial(planned, keys, rate) for planned in plan.trials),
        tasks=tuple(_task(task) for task in plan.tasks),
        endpoints=tuple(_endpoint(name, forecast) for name, forecast in questions.items()),
        power=tuple(powers),
        usd_per_hour=rate.usd if rate else None,
    )


def _trial(planned: PlannedTrial, pending: set[str], rate: HourlyRate | None) -> TrialEntry:
    trial = planned.trial
    return TrialEntry(
        key=trial.key,
        task=trial.task,
        strategy=trial.label,
        model=trial.model,
        seed=trial.seed,
        train_items=trial.train_items,
        status="skipped" if planned.skip else "pending" if trial.key in pending else "finished",
        reason=planned.skip,
        forecast=_cost(planned, rate),
    )


def _cost(planned: PlannedTrial, rate: HourlyRate | None) -> PlannedCost | None:
    forecast = planned.forecast
    if forecast is None:
        return None
    return PlannedCost(
        seconds_low=forecast.floor_s,
        seconds_high=forecast.total_s,
        host_peak_bytes=forecast.host_peak_bytes,
        gpu_peak_bytes=forecast.gpu_peak_bytes,
        usd=forecast.total_s / 3600 * rate.usd if rate else None,
    )


def _task(task: TaskPlan) -> TaskEntry:
    return TaskEntry(
        task=task.name,
        role=task.role,
        items=dict(task.sizes),
        detectable_difference=task.detectable_difference,
        warnings=task.warnings,
    )


def _endpoint(name: str, forecast: EndpointForecast) -> EndpointEntry:
    return EndpointEntry(
        model=name,
        questions={str(phase): number for phase, number in forecast.questions.items()},
        tokens_in=forecast.read_tokens,
        tokens_out=(forecast.tokens_out, forecast.most_out),
        usd=forecast.usd,
    )
