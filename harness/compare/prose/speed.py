"""What requests say of strategies, in sentences. Names stand between backticks."""

from __future__ import annotations

from collections.abc import Sequence

from harness.compare.cost.resource_types import Latency
from harness.compare.prose.names import Names
from harness.compare.prose.numbers import count, listing, score
from harness.compare.table.result import StrategyResult, TaskResult
from harness.compare.table.retention import BASELINE

SHORT = 0.5
"""Outputs of less than this part of the unchanged model's are another piece of work: a request's seconds do not tell
which of the two is faster."""


def speed(task: TaskResult, done: Sequence[StrategyResult], name: Names) -> list[str]:
    """Say whose requests were answered in time, and whose outputs are too short to compare seconds by.

    Args:
        task: the table.
        done: its rows that have a score, best first.
        name: what rows are called.
    """
    return [sentence for sentence in (_in_time(task, done, name), _short(done, name)) if sentence]


def _in_time(task: TaskResult, done: Sequence[StrategyResult], name: Names) -> str:
    """Say what share of requests met a latency target, where every row was asked alike."""
    found = [(row, row.cost.latency) for row in done if row.cost and row.cost.latency]
    asked = {(latency.latency_target_s, latency.arrival_rate) for _, latency in found}
    if len(asked) != 1 or not task.speed_comparable:
        return ""
    ((target_s, rate),) = asked
    if target_s is None:
        return ""
    shares = [f"{name(row)} {score(latency.in_time)}" for row, latency in found if latency.in_time]
    how = "one at a time" if rate is None else f"arriving at random, {rate:g} a second"
    return f"Share of requests ({how}) answered within {target_s:g} s: {listing(shares)}."


def _short(done: Sequence[StrategyResult], name: Names) -> str:
    """Say whose outputs are far shorter than the unchanged model's."""
    found = [(row, row.cost.latency) for row in done if row.cost and row.cost.latency]
    usual = {row.model: latency for row, latency in found if (row.strategy, row.budget) == (BASELINE, None)}
    compared = [(row, latency, usual[row.model]) for row, latency in found if row.model in usual]
    short = [(row, own, base) for row, own, base in compared if 0 < _written(own) < SHORT * _written(base)]
    if not short:
        return ""
    told = [f"{name(row)} {_written(own):.1f} against {_written(base):.1f}" for row, own, base in short]
    asked = [one.requests for _, own, base in short for one in (own, base)]
    of = f"{min(asked)} to " if min(asked) < max(asked) else ""
    return (
        f"Output less than half as long as that of `{BASELINE}`: {listing(told)} (mean tokens of {of}"
        f"{count(max(asked), 'request')}, as counted, so without an interval). Shorter outputs take fewer seconds "
        "whatever the strategy: compare tokens/s, not seconds a request."
    )


def _written(found: Latency) -> float:
    """Mean tokens a request; 0 where nothing is written."""
    return found.output_tokens or 0.0
