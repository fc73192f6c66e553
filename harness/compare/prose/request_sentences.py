"""Sentences about measured requests: latency target met, outputs too short to compare. Names between backticks."""

from __future__ import annotations

from collections.abc import Sequence

from harness.compare.cost.resource_types import Latency
from harness.compare.prose.names import Names
from harness.compare.prose.numbers import listing, score
from harness.compare.table.result import StrategyResult, TaskResult
from harness.compare.table.retention import BASELINE

SHORT_OUTPUT = 0.5
"""Share of the unchanged model's output tokens below which seconds a request are not comparable."""


def sentences(task: TaskResult, scored: Sequence[StrategyResult], name: Names) -> list[str]:
    """Give the share of requests that met the latency target, and warn of outputs too short to compare seconds.

    Args:
        task: the table.
        scored: its rows that have a score, best first.
        name: names rows.
    """
    single = (_in_time(task, scored, name), _over_a_line(scored, name), _short_outputs(scored, name))
    return [sentence for sentence in single if sentence]


def _in_time(task: TaskResult, scored: Sequence[StrategyResult], name: Names) -> str:
    """Give the share of requests that met the latency target, where all rows have the same target and load."""
    latencies = [(row, row.cost.latency) for row in scored if row.cost and row.cost.latency]
    loads = {(latency.latency_target_s, latency.arrival_rate) for _, latency in latencies}
    if len(loads) != 1 or not task.speed_comparable:
        return ""
    ((target_s, rate),) = loads
    if target_s is None:
        return ""
    shares = [f"{name(row)} {score(latency.in_time)}" for row, latency in latencies if latency.in_time]
    how = "one at a time" if rate is None else f"Poisson arrivals, {rate:g} a second"
    return f"Requests within {target_s:g} s ({how}): {listing(shares)}."


def _over_a_line(scored: Sequence[StrategyResult], name: Names) -> str:
    """Tell waiting from service where a model is asked over a line."""
    parts: list[str] = []
    for row in scored:
        latency = row.cost.latency if row.cost else None
        median = next((quantile for quantile in latency.service if quantile.share == 0.5), None) if latency else None
        if latency is None or median is None:
            continue
        retried = f", {latency.retried:.0%} asked again after a fault" if latency.retried else ""
        most = f", at most {latency.concurrency} at once" if latency.concurrency else ""
        parts.append(f"{name(row)} {median.value_s:.2f} s{retried}{most}")
    if not parts:
        return ""
    return f"Of what a user waits, the request that is answered takes, by its median: {listing(parts)}."


def _short_outputs(scored: Sequence[StrategyResult], name: Names) -> str:
    """Name the rows whose outputs are far shorter than the unchanged model's."""
    latencies = [(row, row.cost.latency) for row in scored if row.cost and row.cost.latency]
    baselines = {row.model: latency for row, latency in latencies if (row.strategy, row.budget) == (BASELINE, None)}
    compared = [(row, latency, baselines[row.model]) for row, latency in latencies if row.model in baselines]
    short = [
        (row, latency, base)
        for row, latency, base in compared
        if 0 < _output_tokens(latency) < SHORT_OUTPUT * _output_tokens(base)
    ]
    if not short:
        return ""
    comparisons = [
        f"{name(row)} {_output_tokens(latency):.1f} against {_output_tokens(base):.1f}" for row, latency, base in short
    ]
    return (
        f"Outputs less than half as long as those of `{BASELINE}` (mean tokens): {listing(comparisons)}. Compare "
        "tokens/s, not seconds a request."
    )


def _output_tokens(latency: Latency) -> float:
    """Return the mean output tokens a request; 0 where no text is generated."""
    return latency.output_tokens or 0.0
