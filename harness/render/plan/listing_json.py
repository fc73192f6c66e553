"""Strategies, suites and memory needs as JSON; docs/json.md explains the keys."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from harness.records.measurements import StoredModel

if TYPE_CHECKING:  # a list of strategies need not load what measures memory
    from harness.data.suite import Suite
    from harness.forecast.fits import Gpu, MemoryNeed
    from harness.plan.discover import StrategyListing


class ParameterEntry(StoredModel):
    """A parameter; `default` is the text of its value, null where it has to be given."""

    name: str
    type: str
    default: str | None
    description: str


class StrategyEntry(StoredModel):
    """A strategy; `error` says why it cannot be used."""

    name: str
    origin: str
    summary: str
    needs: tuple[str, ...]
    paper: str
    parameters: tuple[ParameterEntry, ...]
    error: str | None


class StrategiesDocument(StoredModel):
    """All strategies, or those that were asked for."""

    strategies: tuple[StrategyEntry, ...]


class SuiteTaskEntry(StoredModel):
    """A task of a suite."""

    name: str
    kind: str
    role: str
    metrics: tuple[str, ...]


class SuiteEntry(StoredModel):
    """A suite."""

    name: str
    version: int
    description: str
    tasks: tuple[SuiteTaskEntry, ...]
    strategies: tuple[str, ...]


class SuitesDocument(StoredModel):
    """All suites, and by name what is wrong with those that cannot be read."""

    suites: tuple[SuiteEntry, ...]
    broken: dict[str, str]


class GpuEntry(StoredModel):
    """A GPU; `headroom_bytes` is negative where the model does not fit."""

    name: str
    title: str
    memory_gib: float
    fits: bool
    headroom_bytes: float


class FitsDocument(StoredModel):
    """Memory that a model and a strategy need, by part, and the GPUs that were asked about."""

    model: str
    strategy: str
    tokens: int
    batch: int
    parameters: int
    trained_parameters: int
    parts_bytes: dict[str, float]
    total_bytes: float
    gpus: tuple[GpuEntry, ...]


def strategies(listings: Sequence[StrategyListing]) -> StrategiesDocument:
    """Put strategies together."""
    return StrategiesDocument(
        strategies=tuple(
            StrategyEntry(
                name=listed.name,
                origin=listed.origin,
                summary=listed.summary,
                needs=listed.needs,
                paper=listed.paper,
                parameters=tuple(
                    ParameterEntry(name=p.name, type=p.type, default=p.default, description=p.description)
                    for p in listed.parameters
                ),
                error=listed.error,
            )
            for listed in listings
        )
    )


def suites(loaded: Sequence[Suite], broken: Mapping[str, str]) -> SuitesDocument:
    """Put suites together."""
    return SuitesDocument(suites=tuple(map(_suite, loaded)), broken=dict(broken))


def fits(model: str, strategy: str, shape: tuple[int, int], need: MemoryNeed, gpus: Sequence[Gpu]) -> FitsDocument:
    """Put a memory need together.

    Args:
        model: as it was named.
        strategy: as it was written.
        shape: tokens of an example, and examples in one pass.
        need: memory by part.
        gpus: that are compared with it.
    """
    return FitsDocument(
        model=model,
        strategy=strategy,
        tokens=shape[0],
        batch=shape[1],
        parameters=need.parameters,
        trained_parameters=need.trained_parameters,
        parts_bytes=dict(need.peak.parts),
        total_bytes=need.peak.total,
        gpus=tuple(
            GpuEntry(
                name=gpu.name,
                title=gpu.title,
                memory_gib=gpu.memory_gib,
                fits=need.headroom(gpu) >= 0,
                headroom_bytes=need.headroom(gpu),
            )
            for gpu in gpus
        ),
    )


def _suite(suite: Suite) -> SuiteEntry:
    return SuiteEntry(
        name=suite.name,
        version=suite.version,
        description=suite.description,
        tasks=tuple(
            SuiteTaskEntry(name=task.name, kind=task.kind, role=task.role, metrics=tuple(task.all_metrics))
            for task in suite.tasks
        ),
        strategies=tuple(suite.strategies),
    )
