"""Confidence of a task's verdict, what would change it, and the strategies on the Pareto front of score and cost."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Literal

from harness.api import ModelInfo
from harness.compare.prose.names import Names, bare
from harness.compare.prose.numbers import change, count, listing, score
from harness.compare.table.result import StrategyResult, TaskResult
from harness.measure.units import seconds, size
from harness.metrics.statistical_power import two_digits
from harness.records.measurements import StoredModel

Level = Literal["clear", "probable", "tied", "alone", "unknown"]

MOST_ITEMS = 1_000_000
"""More test items than anybody collects."""

Need = Callable[[StrategyResult], float | None]


class Confidence(StoredModel):
    """How sure it is which strategy is best.

    Attributes:
        level: ``clear`` (ahead of all others), ``probable`` (so, if seeds vary as assumed), ``tied``, ``alone``
            (nothing to compare with) or ``unknown``.
        reasons: what that stands on, a sentence each. Names stand between backticks.
    """

    level: Level
    reasons: tuple[str, ...]


def confidence(task: TaskResult) -> Confidence:
    """Say how sure the first row of a table is the best."""
    rows = scored(task)
    if not rows:
        return Confidence(level="unknown", reasons=("Nothing finished.",))
    if len(rows) == 1:
        return Confidence(level="alone", reasons=("Only one strategy finished: it was compared with nothing.",))
    name, best = Names(task.rows), rows[0]
    alternatives = [row for row in rows[1:] if row.to_best]
    if not alternatives:
        return Confidence(level="unknown", reasons=("The strategies answered different items.",))
    nearest = alternatives[0]
    tied = [row for row in alternatives if row.tied_for_best]
    reasons = [_against(best, nearest, name)]
    if tied:
        smallest_gap = min(row.to_best.detectable for row in tied if row.to_best)
        items = count(best.scores[task.primary or ""].n, "test item")
        reasons.append(f"With {items}, true differences below about {smallest_gap:.2f} would mostly go unseen.")
    single = [row for row in (best, *tied) if row.one_seed]
    if single:
        assumed = any(row.scores[task.primary or ""].seed_basis != "measured" for row in single)
        source = "assumed from reference runs" if assumed else "that of such strategies here"
        reasons.append(f"One seed only: {name.all(single)}; the spread over seeds in these intervals is {source}.")
    sure = all(row.to_best.sure for row in alternatives if row.to_best)
    return Confidence(level="tied" if tied else "clear" if sure else "probable", reasons=tuple(reasons))


def would_change(task: TaskResult) -> tuple[str, ...]:
    """Say which circumstances would lead to another choice, a sentence each."""
    rows = scored(task)
    if len(rows) < 2:
        return ("A second strategy that finishes.",)
    return tuple(filter(None, (_more_items(task, rows, Names(task.rows)), *with_less(task))))


def with_less(task: TaskResult) -> tuple[str, ...]:
    """Say what would be highest if there were less memory or time than the best takes, a sentence each."""
    rows, name = scored(task), Names(task.rows)
    sentences = [_less_of(task, rows, name, *need) for need in _NEEDS] if rows else []
    return tuple(filter(None, sentences))


def front(points: Mapping[int, tuple[float, float]], *, higher_is_better: bool = True) -> tuple[int, ...]:
    """Find the points that none beats in both: by place, a cost (lower is better) and a score.

    Returns:
        Their places, by rising cost (Pareto front).
    """
    sign = 1 if higher_is_better else -1
    front_indexes: list[int] = []
    highest = -math.inf
    for index, (_, value) in sorted(points.items(), key=lambda entry: (entry[1][0], -sign * entry[1][1])):
        if sign * value > highest:
            front_indexes.append(index)
            highest = sign * value
    return tuple(front_indexes)


def smallest_model(task: TaskResult, models: Sequence[ModelInfo]) -> str | None:
    """Say which is the smallest model with which a strategy is tied for best, and its licence.

    Returns:
        None where fewer than two models ran, or where their sizes are not known.
    """
    parameters = {model.name: model for model in models if model.parameters}
    good = [row for row in scored(task) if row.tied_for_best and row.model in parameters]
    if len({row.model for row in scored(task)}) < 2 or not good:
        return None
    row = min(good, key=lambda row_: parameters[row_.model].parameters or 0)
    model = parameters[row.model]
    return (
        f"The smallest model that is best or tied with the best is `{bare(model.name)}` "
        f"({(model.parameters or 0) / 1e6:,.0f} million parameters, licence {model.licence or 'unknown'}), with "
        f"`{bare(row.label)}`: {score(row.scores[task.primary or ''])}."
    )


def scored(task: TaskResult) -> list[StrategyResult]:
    """The rows that have a score, best first."""
    return [row for row in task.rows if task.primary in row.scores]


def _against(best: StrategyResult, row: StrategyResult, name: Names) -> str:
    gap = row.to_best
    if gap is None:
        return ""
    p = gap.p if gap.p_holm is None else gap.p_holm
    chance = "below 0.001" if p < 0.001 else f"{p:.2g}"
    return f"{name(row)}, the next by score, differs from {name(best)} by {change(gap)}; adjusted p {chance}."


def _more_items(task: TaskResult, rows: Sequence[StrategyResult], name: Names) -> str:
    """How many items would tell the best from the next: what can be seen shrinks with the root of their number."""
    nearest = next((row for row in rows[1:] if row.tied_for_best), None)
    if nearest is None or nearest.to_best is None or not task.items:
        return ""
    gap = nearest.to_best
    needed = gap.items_needed()
    if needed is None and gap.error.seeds:
        return (
            f"No number of test items is enough to tell {name(rows[0])} from {name(nearest)} with these seeds, if they "
            f"truly differ by the {abs(gap.value):.3f} that was measured: more seeds are needed."
        )
    if needed is None or needed > MOST_ITEMS:
        return (
            f"More test items would hardly tell {name(rows[0])} from {name(nearest)}: they scored alike, so choose "
            "between them by cost."
        )
    if needed <= gap.n:
        return ""
    return (
        f"About {two_digits(math.ceil(needed)):,} test items would tell {name(rows[0])} from {name(nearest)}, "
        f"if they truly differ by the {abs(gap.value):.3f} that was measured."
    )


def _less_of(task: TaskResult, rows: Sequence[StrategyResult], name: Names, label: str, need: Need) -> str:
    """Name the highest score if the best could not be afforded, for two steps down."""
    needed = {
        row_index: (need_value, row) for row_index, row in enumerate(rows) if (need_value := need(row)) is not None
    }
    if not task.speed_comparable or 0 not in needed:
        return ""
    steps: list[str] = []
    limit = needed[0][0]
    for _ in range(2):
        cheaper = [(need_value, row) for need_value, row in needed.values() if need_value < 0.95 * limit]
        if not cheaper:
            break
        row = cheaper[0][1]
        tied = " (tied)" if row.tied_for_best else ""
        steps.append(
            f"below {_WRITE[label](limit)} it is {name(row)}{tied} with {score(row.scores[task.primary or ''])}"
        )
        limit = cheaper[0][0]
    return f"Highest score with less {label}: {listing(steps)}." if steps else ""


_NEEDS: tuple[tuple[str, Need], ...] = (
    ("memory", lambda row: row.cost.host_peak_bytes if row.cost else None),
    ("GPU memory", lambda row: row.cost.gpu_peak_bytes if row.cost else None),
    ("time to make and test it", lambda row: row.cost.total_s if row.cost else None),
)
_WRITE: Mapping[str, Callable[[float], str]] = {
    "memory": size,
    "GPU memory": size,
    "time to make and test it": seconds,
}
