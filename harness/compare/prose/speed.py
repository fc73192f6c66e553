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


def speed(task: TaskResult, scored: Sequence[StrategyResult], name: Names) -> list[str]:
    """Say whose requests were answered in time, and whose outputs are too short to compare seconds by.

    Args:
        task: the table.
        scored: its rows that have a score, best first.
        name: what rows are called.
    """
    return [sentence for sentence in (_in_time(task, scored, name), _short(scored, name)) if sentence]


def _in_time(task: TaskResult, scored: Sequence[StrategyResult], name: Names) -> str:
    """Say what share of requests met a latency target, where every row was asked alike."""
    latencies = [(row, row.cost.latency) for row in scored if row.cost and row.cost.latency]
    loads = {(latency.latency_target_s, latency.arrival_rate) for _, latency in latencies}
    if len(loads) != 1 or not task.speed_comparable:
        return ""
    ((target_s, rate),) = loads
    if target_s is None:
        return ""
    shares = [f"{name(row)} {score(latency.in_time)}" for row, latency in latencies if latency.in_time]
    how = "one at a time" if rate is None else f"arriving at random, {rate:g} a second"
    return f"Share of requests ({how}) answered within {target_s:g} s: {listing(shares)}."


def _short(scored: Sequence[StrategyResult], name: Names) -> str:
    """Say whose outputs are far shorter than the unchanged model's."""
    latencies = [(row, row.cost.latency) for row in scored if row.cost and row.cost.latency]
    usual = {row.model: latency for row, latency in latencies if (row.strategy, row.budget) == (BASELINE, None)}
    compared = [(row, latency, usual[row.model]) for row, latency in latencies if row.model in usual]
    short = [(row, latency, base) for row, latency, base in compared if 0 < _written(latency) < SHORT * _written(base)]
    if not short:
        return ""
    comparisons = [f"{name(row)} {_written(latency):.1f} against {_written(base):.1f}" for row, latency, base in short]
    request_counts = [measured.requests for _, latency, base in short for measured in (latency, base)]
    of = f"{min(request_counts)} to " if min(request_counts) < max(request_counts) else ""
    return (
        f"Output less than half as long as that of `{BASELINE}`: {listing(comparisons)} (mean tokens of {of}"
        f"{count(max(request_counts), 'request')}, as counted, so without an interval). "
        "Shorter outputs take fewer seconds "
        "whatever the strategy: compare tokens/s, not seconds a request."
    )


def _written(latency: Latency) -> float:
    """Mean tokens a request; 0 where nothing is written."""
    return latency.output_tokens or 0.0
