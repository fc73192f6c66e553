"""Sentences on slices: the worst one, whether it is clearly worse, and those that are too small to tell."""

from __future__ import annotations

from collections.abc import Sequence

from harness.compare.prose.names import Names, bare
from harness.compare.prose.numbers import change, count, listing, metric_title, score
from harness.compare.table.result import StrategyResult, TaskResult
from harness.compare.table.slices import MIN_ITEMS, MIN_UNITS, SliceResult, SliceScore
from harness.metrics.statistical_power import ALPHA

MOST_NAMED = 5


def sentences(task: TaskResult, scored: Sequence[StrategyResult], name: Names) -> list[str]:
    """Name the worst slice of the best row for each column, and the slices that are too small.

    Args:
        task: with its slices.
        scored: its rows, best first.
        name: of the rows.
    """
    columns = dict.fromkeys(part.column for part in task.slices)
    texts = [_worst(task, column, scored[0], name) for column in columns]
    return [*filter(None, [*texts, _small([part for part in task.slices if part.too_small])])]


def _worst(task: TaskResult, column: str, best: StrategyResult, name: Names) -> str:
    metric = task.primary or ""
    pairs = [
        (part, row)
        for part in task.slices
        if part.column == column
        for row in part.rows
        if (row.strategy, row.model) == (best.label, best.model) and metric in row.scores
    ]
    if len(pairs) < 2:
        return ""
    worse = [pair for pair in pairs if _is_worse(pair[1], higher_is_better=task.higher_is_better)]
    part, row = next(pair for pair in pairs if pair[1].worst)
    text = (
        f"By `{bare(column)}`, {name(best)} is worst on {_value(part)} ({metric_title(metric)} "
        f"{score(row.scores[metric])}, {count(part.items, 'item')})"
    )
    if not worse:
        return f"{text}, which is not clearly worse than the other items."
    changes = [f"{_value(part)} {change(row.to_others)}" for part, row in worse if row.to_others]
    return f"{text}. Clearly worse than on the other items: {listing(changes)}."


def _is_worse(row: SliceScore, *, higher_is_better: bool) -> bool:
    difference = row.to_others
    return bool(difference and difference.adjusted_p <= ALPHA and (difference.value < 0) == higher_is_better)


def _small(parts: Sequence[SliceResult]) -> str:
    if not parts:
        return ""
    named = listing([f"{_value(part)} ({part.items})" for part in parts[:MOST_NAMED]])
    more = f", and {len(parts) - MOST_NAMED} more" if len(parts) > MOST_NAMED else ""
    return (
        f"Too small to say anything of (fewer than {MIN_ITEMS} items or {MIN_UNITS} independent ones): {named}{more}."
    )


def _value(part: SliceResult) -> str:
    return f"`{bare(part.value)}`"
