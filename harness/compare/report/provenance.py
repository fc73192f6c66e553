"""Where a report's figures come from: models, data, versions, machines, seeds, commits and commands of the records."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from pydantic import Field

from harness.api import ModelInfo
from harness.compare.cost import resources
from harness.compare.prose.warnings import machine_text
from harness.compare.trials.answering_models import answering_name
from harness.records.measurements import StoredModel
from harness.records.record import Completed, Failed, Skipped, TaskInfo


class DataUsed(StoredModel):
    """The data of one task.

    Attributes:
        data_hash: sha256 of the items; suite_hash: of the suite's definition.
        sizes: items of each split.
    """

    suite: str
    suite_version: int
    suite_hash: str
    task: str
    data_hash: str
    sizes: dict[str, int]
    preparation: tuple[str, ...] = ()


class Provenance(StoredModel):
    """Everything needed to make the figures again.

    Attributes:
        answering: who answered for each model that is asked over HTTP, and when, a sentence each.
        packages: versions by package; more than one where records differ.
        machines: in words, with the number of trials that ran there.
        seeds: of the trials; commits: of the harness; commands: that repeat them.
        began, ended: when the first and the last trial began, ISO 8601; None where no trial finished.
    """

    models: tuple[ModelInfo, ...] = ()
    answering: tuple[str, ...] = ()
    data: tuple[DataUsed, ...] = ()
    packages: dict[str, tuple[str, ...]] = Field(default_factory=dict[str, tuple[str, ...]])
    pythons: tuple[str, ...] = ()
    platforms: tuple[str, ...] = ()
    machines: tuple[tuple[str, int], ...] = ()
    seeds: tuple[int, ...] = ()
    commits: tuple[str, ...] = ()
    commands: tuple[str, ...] = ()
    began: str | None = None
    ended: str | None = None


def _distinct(models: Iterable[ModelInfo]) -> Iterator[ModelInfo]:
    """Yield each model once, whatever replies told of its endpoint."""
    seen: set[ModelInfo] = set()
    for model in models:
        weights = model.model_copy(update={"endpoint": None})
        if weights not in seen:
            seen.add(weights)
            yield weights


def provenance(records: Iterable[Completed | Failed | Skipped]) -> Provenance:
    """Collect it from the finished records."""
    completed = sorted(
        (record for record in records if isinstance(record, Completed)), key=lambda record: record.started_at
    )
    environments = [record.environment for record in completed]
    machines = [machine_text(resources.machine(record)) for record in completed]
    names = sorted({name for environment in environments for name in environment.packages})
    return Provenance(
        models=tuple(_distinct(record.model for record in completed)),
        answering=_each(answering_name(record.model) for record in completed if record.model.endpoint),
        data=_data(completed),
        packages={
            name: _each(environment.packages[name] for environment in environments if name in environment.packages)
            for name in names
        },
        pythons=_each(environment.python for environment in environments),
        platforms=_each(environment.platform for environment in environments),
        machines=tuple((text, machines.count(text)) for text in dict.fromkeys(machines)),
        seeds=tuple(sorted({record.trial.seed for record in completed})),
        commits=_each(environment.git_commit for environment in environments if environment.git_commit),
        commands=_each(environment.command for environment in environments if environment.command),
        began=completed[0].started_at if completed else None,
        ended=completed[-1].started_at if completed else None,
    )


def _data(completed: Sequence[Completed]) -> tuple[DataUsed, ...]:
    data_used: dict[tuple[str, str, str], DataUsed] = {}
    for record in completed:
        for task in record.tasks:
            if task.role != "control":
                data_used.setdefault((record.trial.suite, task.name, task.data_hash), _of(record, task))
    return tuple(data_used.values())


def _of(record: Completed, task: TaskInfo) -> DataUsed:
    return DataUsed(
        suite=record.trial.suite,
        suite_version=record.suite_version,
        suite_hash=record.suite_hash,
        task=task.name,
        data_hash=task.data_hash,
        sizes=task.sizes,
        preparation=task.preparation,
    )


def _each(values: Iterable[str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(values))
