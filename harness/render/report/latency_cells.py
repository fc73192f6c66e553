"""Latency of requests as cells of a table, values of a CSV row and a line of the legend."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from harness.compare.cost.resource_types import Latency, Quantile
from harness.compare.stats.estimates import Estimate
from harness.compare.table.result import StrategyResult
from harness.render.report.column_numbers import UNBOUNDED


def percentile(share: float) -> Callable[[StrategyResult], Quantile | None]:
    """Give a percentile of whole requests, seconds."""
    return lambda row: _quantile(latency.wall, share) if (latency := _latency(row)) else None


def first_token(row: StrategyResult) -> Quantile | None:
    """Give the median time to the first token, seconds."""
    return _quantile(latency.first_token, 0.5) if (latency := _latency(row)) else None


def in_time(row: StrategyResult) -> Estimate | None:
    """Give the share of requests that met the latency target."""
    return latency.in_time if (latency := _latency(row)) else None


def arrivals(row: StrategyResult) -> str | None:
    """Write the arrival rate, requests a second, of an open loop."""
    latency = _latency(row)
    return None if latency is None or latency.arrival_rate is None else f"{latency.arrival_rate:g}"


def figures(latency: Latency) -> dict[str, str | int | float | bool | None]:
    """Give the raw figures of requests, by CSV column."""
    values: dict[str, str | int | float | bool | None] = {
        "requests": latency.requests,
        "arrival_rate": latency.arrival_rate,
        "latency_target_s": latency.latency_target_s,
        "request_prefill_tokens_per_s": latency.prefill_tokens_per_s,
        "request_decode_tokens_per_s": latency.decode_tokens_per_s,
        "request_output_tokens": latency.output_tokens,
    }
    columns = (("request", latency.wall), ("first_token", latency.first_token), ("service", latency.service))
    for name, quantiles in columns:
        for quantile in quantiles:
            prefix = f"{name}_p{quantile.share * 100:g}"
            bounds = {f"{prefix}_s_low": quantile.low_s, f"{prefix}_s_high": quantile.high_s}
            values |= {f"{prefix}_s": quantile.value_s, **bounds}
    if share := latency.in_time:
        values |= {"in_time": share.value, "in_time_low": share.low, "in_time_high": share.high}
    return values


def legend(rows: Sequence[StrategyResult]) -> list[str]:
    """Explain the columns about requests; nothing where no row has them."""
    latencies = [row.cost.latency for row in rows if row.cost and row.cost.latency]
    if not latencies:
        return []
    open_loop = {latency.arrival_rate is not None for latency in latencies}
    how = {
        frozenset({False}): "asked one at a time",
        frozenset({True}): "that arrive at random, waiting included",
    }.get(frozenset(open_loop), "asked one at a time, or arriving at random at requests/s")
    fewest, most = min(latency.requests for latency in latencies), max(latency.requests for latency in latencies)
    of = f"{fewest}" if fewest == most else f"{fewest} to {most}"
    text = (
        f"p50 s and p95 s are percentiles of {of} requests {how}, from the question's text to the parsed answer, those "
        f"that warmed the system up left out; [low, high] is a 95 % interval by order statistics, {UNBOUNDED} where so "
        "few requests do not bound it. first token s is the median time to the first token; decode tokens/s and "
        "prefill tokens/s are all tokens over all seconds of the same requests: one total, so without an interval; "
        "the batch rates are those of the predict phase, the model's own passes only. total s "
        "and peak memory are without these requests."
    )
    return [text]


def _latency(row: StrategyResult) -> Latency | None:
    return row.cost.latency if row.cost else None


def _quantile(quantiles: Sequence[Quantile], share: float) -> Quantile | None:
    return next((quantile for quantile in quantiles if quantile.share == share), None)
