"""Suites that have results, a line each: from records alone, so that a folder of thousands is listed at once."""

from __future__ import annotations

from collections.abc import Iterable
from statistics import fmean

from harness.metrics import get
from harness.records.measurements import StoredModel
from harness.records.record import Completed
from harness.store.results_store import StoredTrial, select_newest


class HighestScore(StoredModel):
    """The highest score of a task in its primary metric, a mean over seeds; whether others tie is not asked."""

    task: str
    strategy: str
    metric: str
    score: float


class SuiteOverview(StoredModel):
    """What is stored of a suite.

    Attributes:
        tasks: that strategies were measured on; tasks that are asked before and after only have no scores here.
        rows: of the tables: completed strategies, a task and model each.
        measured: day of the newest trial, ``2026-11-28``.
        highest: of each task, in the order of the tasks.
    """

    suite: str
    tasks: tuple[str, ...]
    rows: int
    measured: str
    highest: tuple[HighestScore, ...]


def overview(stored: Iterable[StoredTrial]) -> list[SuiteOverview]:
    """Summarise each suite, by name; of repeated trials the newest count, as in a report."""
    by_suite: dict[str, list[Completed]] = {}
    for trial in select_newest(stored).trials:
        if isinstance(trial.record, Completed):
            by_suite.setdefault(trial.record.trial.suite, []).append(trial.record)
    return [_suite(name, records) for name, records in sorted(by_suite.items())]


def _suite(name: str, records: list[Completed]) -> SuiteOverview:
    tasks: dict[str, list[Completed]] = {}
    for record in sorted(records, key=lambda record: record.tasks[0].order or 0):
        tasks.setdefault(record.trial.task, []).append(record)
    highest = [best for task, of_task in tasks.items() if (best := _highest(task, of_task))]
    return SuiteOverview(
        suite=name,
        tasks=tuple(tasks),
        rows=sum(len(_rows(of_task)) for of_task in tasks.values()),
        measured=max(record.started_at for record in records)[:10],
        highest=tuple(highest),
    )


def _rows(records: Iterable[Completed]) -> dict[tuple[str, str], list[Completed]]:
    """Group the records of a task by strategy and model; those of a learning curve are the row's largest size."""
    rows: dict[tuple[str, str], list[Completed]] = {}
    for record in records:
        rows.setdefault((record.trial.label, record.trial.model), []).append(record)
    return {row: _largest(trials) for row, trials in rows.items()}


def _largest(records: list[Completed]) -> list[Completed]:
    sizes = [record.trial.train_items or float("inf") for record in records]
    return [record for record, size in zip(records, sizes, strict=True) if size == max(sizes)]


def _highest(task: str, records: list[Completed]) -> HighestScore | None:
    metric = records[0].tasks[0].metrics[0]
    scores = {
        label: [record.scores[f"{task}/{metric}"] for record in trials if f"{task}/{metric}" in record.scores]
        for (label, _), trials in _rows(records).items()
    }
    means = {label: fmean(values) for label, values in scores.items() if values}
    if not means:
        return None
    choose = max if get(metric).higher_is_better else min
    label = choose(means, key=lambda name: means[name])
    return HighestScore(task=task, strategy=label, metric=metric, score=means[label])
