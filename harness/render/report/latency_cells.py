"""How fast requests were answered, as cells of a table, values of a CSV row and a line of the legend."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from harness.compare.cost.resource_types import Latency, Quantile
from harness.compare.prose.numbers import score
from harness.compare.table.result import StrategyResult

UNBOUNDED = "–"  # noqa: RUF001 - an en dash is the usual sign for a value that is not known


def percentile(share: float) -> Callable[[StrategyResult], str | None]:
    """Write a percentile of whole requests, seconds, with its interval."""
    return lambda row: _of(row, lambda found: _quantile(found.wall, share))


def first_token(row: StrategyResult) -> str | None:
    """Write the median time to the first token, seconds, with its interval."""
    return _of(row, lambda found: _quantile(found.first_token, 0.5))


def in_time(row: StrategyResult) -> str | None:
    """Write the share of requests that met the latency target, with its interval."""
    return _of(row, lambda found: score(found.in_time) if found.in_time else None)


def arrivals(row: StrategyResult) -> str | None:
    """Write how many requests a second came, where they did not wait for one another."""
    return _of(row, lambda found: None if found.arrival_rate is None else f"{found.arrival_rate:g}")


def figures(found: Latency) -> dict[str, str | int | float | bool | None]:
    """Give a row of a CSV everything that is known of requests, raw."""
    values: dict[str, str | int | float | bool | None] = {
        "requests": found.requests,
        "arrival_rate": found.arrival_rate,
        "latency_target_s": found.latency_target_s,
        "request_prefill_tokens_per_s": found.prefill_tokens_per_s,
        "request_decode_tokens_per_s": found.decode_tokens_per_s,
        "request_output_tokens": found.output_tokens,
    }
    for name, quantiles in (("request", found.wall), ("first_token", found.first_token)):
        for one in quantiles:
            own = f"{name}_p{one.share * 100:g}"
            values |= {f"{own}_s": one.value_s, f"{own}_s_low": one.low_s, f"{own}_s_high": one.high_s}
    if found.in_time:
        values |= {"in_time": found.in_time.value, "in_time_low": found.in_time.low, "in_time_high": found.in_time.high}
    return values


def legend(rows: Sequence[StrategyResult]) -> list[str]:
    """Say what the columns about requests mean; nothing where no row has them."""
    found = [row.cost.latency for row in rows if row.cost and row.cost.latency]
    if not found:
        return []
    several = {one.arrival_rate is not None for one in found}
    how = {
        frozenset({False}): "asked one at a time",
        frozenset({True}): "that arrive at random, waiting included",
    }.get(frozenset(several), "asked one at a time, or arriving at random at requests/s")
    fewest, most = min(one.requests for one in found), max(one.requests for one in found)
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


def _of(row: StrategyResult, write: Callable[[Latency], str | None]) -> str | None:
    return write(row.cost.latency) if row.cost and row.cost.latency else None


def _quantile(found: Sequence[Quantile], share: float) -> str | None:
    one = next((one for one in found if one.share == share), None)
    if one is None:
        return None
    low, high = (UNBOUNDED if end is None else _seconds(end) for end in (one.low_s, one.high_s))
    return f"{_seconds(one.value_s)} [{low}, {high}]"


def _seconds(value: float) -> str:
    """Write ``12``, ``1.24``, ``0.124`` or ``0.0124``: three digits."""
    return f"{value:.0f}" if value >= 99.5 else f"{value:#.3g}" if value >= 0.0095 else f"{value:.4f}"
