"""Where a report's figures come from: models, data, versions, machines, seeds, commits and commands of the records."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from pydantic import Field

from harness.api import ModelInfo
from harness.compare.cost import resources
from harness.compare.prose.warnings import machine_text
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
        packages: versions by package; more than one where records differ.
        machines: in words, with the number of trials that ran there.
        seeds: of the trials; commits: of the harness; commands: that repeat them.
        began, ended: when the first and the last trial began, ISO 8601; None where no trial finished.
    """

    models: tuple[ModelInfo, ...] = ()
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


def provenance(records: Iterable[Completed | Failed | Skipped]) -> Provenance:
    """Collect it from the finished records."""
    done = sorted((one for one in records if isinstance(one, Completed)), key=lambda one: one.started_at)
    there = [one.environment for one in done]
    machines = [machine_text(resources.machine(one)) for one in done]
    names = sorted({name for one in there for name in one.packages})
    return Provenance(
        models=tuple(dict.fromkeys(one.model for one in done)),
        data=_data(done),
        packages={name: _each(one.packages[name] for one in there if name in one.packages) for name in names},
        pythons=_each(one.python for one in there),
        platforms=_each(one.platform for one in there),
        machines=tuple((text, machines.count(text)) for text in dict.fromkeys(machines)),
        seeds=tuple(sorted({one.trial.seed for one in done})),
        commits=_each(one.git_commit for one in there if one.git_commit),
        commands=_each(one.command for one in there if one.command),
        began=done[0].started_at if done else None,
        ended=done[-1].started_at if done else None,
    )


def _data(done: Sequence[Completed]) -> tuple[DataUsed, ...]:
    found: dict[tuple[str, str, str], DataUsed] = {}
    for record in done:
        for task in record.tasks:
            if task.role != "control":
                found.setdefault((record.trial.suite, task.name, task.data_hash), _of(record, task))
    return tuple(found.values())


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
