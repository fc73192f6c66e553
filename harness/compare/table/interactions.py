"""Interactions of chained strategies and forgetting: rows of one table whose strategies contain each other."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from harness.compare.stats.estimates import Difference
from harness.compare.stats.intervals import holm
from harness.compare.stats.panel import Panel
from harness.compare.table.findings import Forgetting, Interaction
from harness.compare.table.result import StrategyResult
from harness.compare.table.retention import BASELINE
from harness.compare.trials.groups import ScoreKey
from harness.errors import HarnessError
from harness.metrics import get
from harness.metrics.statistical_power import ALPHA
from harness.plan import chain
from harness.plan.chain import Call
from harness.records.record import Budget

Shape = tuple[tuple[str, tuple[tuple[str, Any], ...]], ...]
"""A chain without what makes no difference to one task: two texts with one shape are the same system there."""


def chained(
    task: str, rows: Mapping[ScoreKey, StrategyResult], scored: Panel[ScoreKey], primary: str
) -> dict[ScoreKey, StrategyResult]:
    """Add to each row of a task what its chain does beyond its parts, and what it has forgotten.

    Args:
        task: name of the task that the rows are about.
        rows: by the keys of the panel.
        scored: the primary metric.
        primary: its name.
    """
    table = _Table(task, rows, scored)
    up = 1 if get(primary).higher_is_better is not False else -1
    interactions = _interactions(table, up)
    forgetting = _forgetting(table)
    return {
        key: row.model_copy(update={"interactions": interactions.get(key, ()), "forgetting": forgetting.get(key)})
        for key, row in rows.items()
    }


class _Table:
    """Rows that can be found by the chain that they stand for."""

    def __init__(self, task: str, rows: Mapping[ScoreKey, StrategyResult], scored: Panel[ScoreKey]) -> None:
        self.task, self.rows, self.scored = task, rows, scored
        self.calls = {key: _parsed(row.strategy) for key, row in rows.items() if key in scored}
        self._by_shape: dict[tuple[Shape, str, str], ScoreKey] = {}
        for key, calls in self.calls.items():
            self._by_shape[_shape(calls, task), key[1], _settings(rows[key].budget, rows[key].answers)] = key

        self._tuning = {call.name for calls in self.calls.values() for call in calls if _tasks(call)}
        self._tuning |= {calls[0].name for key, calls in self.calls.items() if len(calls) == 1 and _trained(rows[key])}

    def learned(self, call: Call) -> list[str]:
        """Name the tasks that a step learns; one that tunes and names none, or all, learns the table's own."""
        tasks = _tasks(call)
        return [self.task] if tasks == ["all"] or (not tasks and call.name in self._tuning) else tasks

    def find(self, calls: Sequence[Call], like: ScoreKey) -> ScoreKey | None:
        """Find the row of a chain with the same model: with the same budget, or where it had nothing to search."""
        shape, model = _shape(calls, self.task), like[1]
        row = self.rows[like]
        indices = self._by_shape.get((shape, model, _settings(row.budget, row.answers)))
        return indices or self._by_shape.get((shape, model, _settings(None, row.answers)))


def _settings(budget: Budget | None, answers: str | None) -> str:
    return f"{budget or ''} {answers or ''}"


def _interactions(table: _Table, up: int) -> dict[ScoreKey, tuple[Interaction, ...]]:
    changes: list[tuple[ScoreKey, tuple[str, str], Difference]] = []
    for key, calls in table.calls.items():
        if any("task" in call.parameters for call in calls):
            continue  # a sequence of tasks is no combination of two ways: see forgetting
        for index in range(1, len(calls)):
            head, tail = table.find(calls[:index], key), table.find(calls[index:], key)
            start = table.find([Call(BASELINE)], key)
            if head and tail and start and (change := table.scored.contrast([key, start], [head, tail])):
                changes.append((key, (table.rows[head].label, table.rows[tail].label), change))
    interactions: dict[ScoreKey, tuple[Interaction, ...]] = {}
    for (key, parts, change), p in zip(changes, holm([change.p for _, _, change in changes]), strict=True):
        clear = p <= ALPHA
        kind = "unclear" if not clear else "more" if change.value * up > 0 else "less"
        interaction = Interaction(parts=parts, change=change.model_copy(update={"p_holm": p}), kind=kind)
        interactions[key] = (*interactions.get(key, ()), interaction)
    return interactions


def _forgetting(table: _Table) -> dict[ScoreKey, Forgetting]:
    changes: list[tuple[ScoreKey, tuple[str, ...], ScoreKey, Difference]] = []
    for key, calls in table.calls.items():
        learned = [table.learned(call) for call in calls]
        positions = [position for position, tasks in enumerate(learned) if table.task in tasks]
        later = [position for position, tasks in enumerate(learned) if positions and tasks and position > positions[-1]]
        than = (
            table.find([call for position, call in enumerate(calls) if position not in later], key) if later else None
        )
        if than is not None and (change := table.scored.difference(key, than)):
            after = tuple(dict.fromkeys(task for position in later for task in learned[position]))
            changes.append((key, after, than, change))
    adjusted = holm([change.p for *_, change in changes])
    return {
        key: Forgetting(after=after, than=table.rows[than].label, change=change.model_copy(update={"p_holm": p}))
        for (key, after, than, change), p in zip(changes, adjusted, strict=True)
    }


def _tasks(call: Call) -> list[str]:
    names = call.parameters.get("task")
    return [str(name) for name in names] if isinstance(names, list) else [str(names)] if names is not None else []


def _trained(row: StrategyResult) -> bool:
    return bool(row.cost and row.cost.trained_parameters)


def _parsed(strategy: str) -> tuple[Call, ...]:
    try:
        return chain.parse(strategy)
    except HarnessError:  # a record of another version, or not written by this program
        return (Call(strategy),)


def _shape(calls: Sequence[Call], task: str) -> Shape:
    """Leave out a task that is the table's own: a step learns it anyway."""
    return tuple(
        (
            call.name,
            tuple(
                (name, repr(value))
                for name, value in sorted(call.parameters.items())
                if name != "task" or value not in (task, [task])
            ),
        )
        for call in calls
    )
