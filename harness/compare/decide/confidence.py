"""Confidence of a task's verdict, what would change it, and the strategies on the Pareto front of score and cost."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Literal

from harness.compare.prose.names import Names
from harness.compare.prose.numbers import change, listing, score
from harness.compare.prose.tie_sentences import detects, items_needed
from harness.compare.table.result import StrategyResult, TaskResult
from harness.measure.units import seconds, size
from harness.records.measurements import StoredModel

Level = Literal["clear", "probable", "tied", "alone", "unknown"]

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
        return Confidence(level="alone", reasons=("Only one strategy finished.",))
    name, best = Names(task.rows), rows[0]
    alternatives = [row for row in rows[1:] if row.to_best]
    if not alternatives:
        return Confidence(level="unknown", reasons=("The strategies answered different items.",))
    nearest = alternatives[0]
    tied = [row for row in alternatives if row.tied_for_best]
    reasons = [_against(best, nearest, name)]
    if gaps := [row.to_best for row in tied if row.to_best]:
        reasons.append(f"{detects(min(gaps, key=lambda gap: gap.detectable), task.primary or '')}.")
    single = [row for row in (best, *tied) if row.one_seed]
    if single:
        assumed = any(row.scores[task.primary or ""].seed_basis != "measured" for row in single)
        source = "assumed from reference runs" if assumed else "pooled from repeated runs of such strategies"
        reasons.append(f"One seed: {name.all(single)}; the seed SD in these intervals is {source}.")
    sure = all(row.to_best.sure for row in alternatives if row.to_best)
    return Confidence(level="tied" if tied else "clear" if sure else "probable", reasons=tuple(reasons))


def would_change(task: TaskResult) -> tuple[str, ...]:
    """Say which circumstances would lead to another choice, a sentence each; empty for a single strategy."""
    rows = scored(task)
    tied = [row for row in rows if row.tied_for_best and row.to_best]
    more = items_needed(task, tied[0], Names(task.rows)) if tied else ""
    return tuple(filter(None, (more, *with_less(task)))) if len(rows) > 1 else ()


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


def scored(task: TaskResult) -> list[StrategyResult]:
    """The rows that have a score, best first."""
    return [row for row in task.rows if task.primary in row.scores]


def _against(best: StrategyResult, row: StrategyResult, name: Names) -> str:
    gap = row.to_best
    if gap is None:
        return ""
    chance = "below 0.001" if gap.adjusted_p < 0.001 else f"{gap.adjusted_p:.2g}"
    return f"Next by score: {name(row)}, {change(gap)} to {name(best)} (adjusted p {chance})."


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
    ("time to train and test", lambda row: row.cost.total_s if row.cost else None),
)
_WRITE: Mapping[str, Callable[[float], str]] = {
    "memory": size,
    "GPU memory": size,
    "time to train and test": seconds,
}
