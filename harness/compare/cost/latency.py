"""Latency of requests: percentiles with intervals, prefill and decode rates, share within the target."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from scipy.special import bdtr

from harness.compare.cost.resource_types import Latency, Quantile
from harness.compare.stats.estimates import Estimate
from harness.compare.stats.intervals import CONFIDENCE, t_multiplier, wilson
from harness.records.measurements import Request, Serving

LEAST = {0.5: 5, 0.9: 10, 0.95: 20, 0.99: 300}
"""Requests that each reported percentile needs: from fewer, it would be little more than the slowest."""

TINY_S = 1e-9
"""Less than a clock tells."""


def summarise_latency(servings: Sequence[Serving]) -> Latency | None:
    """Pool the requests of a strategy's seeds.

    Args:
        servings: one a seed.

    Returns:
        None where there are no requests, and where seeds differ in arrival rate or target.
    """
    requests = [request for serving in servings for request in serving.requests]
    if not requests or len({(serving.arrival_rate, serving.latency_target_s) for serving in servings}) > 1:
        return None
    rate, target_s = servings[0].arrival_rate, servings[0].latency_target_s
    runs = [serving.requests for serving in servings if serving.requests]
    first_tokens = [[request.first_token_s for request in run if request.first_token_s is not None] for run in runs]
    sequential = requests if rate is None else []
    services = [[request.service_s for request in run if request.service_s is not None] for run in runs]
    tries = [request.tries for request in requests if request.tries is not None]
    return Latency(
        requests=len(requests),
        wall=quantiles_of_runs([[request.wall_s for request in run] for run in runs]),
        first_token=quantiles_of_runs(first_tokens) if sum(map(len, first_tokens)) == len(requests) else (),
        prefill_tokens_per_s=_rate([(request.tokens_in, request.prefill_s) for request in sequential]),
        decode_tokens_per_s=_rate([(request.decode_tokens, request.decode_s) for request in sequential]),
        output_tokens=_mean_output(requests),
        arrival_rate=rate,
        service=quantiles_of_runs(services) if sum(map(len, services)) == len(requests) else (),
        retried=sum(count > 1 for count in tries) / len(tries) if len(tries) == len(requests) else None,
        concurrency=servings[0].concurrency,
        latency_target_s=target_s,
        in_time=None if target_s is None else _share_in_time(runs, target_s),
    )


def quantiles_of_runs(runs: Sequence[Sequence[float]]) -> tuple[Quantile, ...]:
    """Compute percentiles of several runs' requests, which are alike within a run and move together from run to run.

    The value is that of all requests. The interval is at least the t interval of the runs' own percentiles, on
    logarithms, which has as many degrees of freedom as there are runs less one; a percentile that a single run is too
    short for has no bounds.

    Args:
        runs: seconds of each run's requests, at least one each.
    """
    pooled = quantiles([time for run in runs for time in run])
    return pooled if len(runs) == 1 else tuple(_over_runs(quantile, runs) for quantile in pooled)


def _over_runs(quantile: Quantile, runs: Sequence[Sequence[float]]) -> Quantile:
    if min(map(len, runs)) < LEAST[quantile.share]:
        return quantile.model_copy(update={"low_s": None, "high_s": None})
    times = [np.quantile(run, quantile.share, method="median_unbiased") for run in runs]
    logs = np.log(np.maximum(times, TINY_S))
    half = t_multiplier(len(runs) - 1) * float(logs.std(ddof=1)) / len(runs) ** 0.5
    low, high = float(np.exp(logs.mean() - half)), float(np.exp(logs.mean() + half))
    return quantile.model_copy(
        update={
            "low_s": None if quantile.low_s is None else min(quantile.low_s, low),
            "high_s": None if quantile.high_s is None else max(quantile.high_s, high),
        }
    )


def quantiles(times_s: Sequence[float]) -> tuple[Quantile, ...]:
    """Compute the percentiles that the number of times allows (`LEAST`), each with its interval.

    The value is the median-unbiased one (Hyndman & Fan 1996, definition 8). The interval is bounded by two of the
    times: the number of n that are below a percentile p is binomial(n, p), for any distribution (Conover 1999, section
    3.2), so it covers p with at least 95 %, if the requests are independent. Where the times do not bound it on a side,
    that end is None.

    Args:
        times_s: in any order.
    """
    ordered, n = sorted(times_s), len(times_s)
    return tuple(_quantile(ordered, share) for share, least in LEAST.items() if n >= least)


def _quantile(ordered: Sequence[float], share: float) -> Quantile:
    n = len(ordered)
    cumulative = bdtr(np.arange(n + 1.0), n, share)  # binomial: P(at most so many are below)
    lower, upper = (int(np.searchsorted(cumulative, tail)) for tail in ((1 - CONFIDENCE) / 2, (1 + CONFIDENCE) / 2))
    return Quantile(
        share=share,
        value_s=float(np.quantile(ordered, share, method="median_unbiased")),
        low_s=ordered[lower - 1] if lower > 0 else None,
        high_s=ordered[upper] if upper < n else None,
    )


def _rate(parts: Sequence[tuple[int | None, float | None]]) -> float | None:
    """Tokens over seconds of all requests; None where either is unknown for one, and where there were no tokens."""
    tokens = [count for count, _ in parts if count is not None]
    seconds = [duration for _, duration in parts if duration is not None]
    if not parts or not len(tokens) == len(seconds) == len(parts) or not sum(tokens) or sum(seconds) <= 0:
        return None
    return sum(tokens) / sum(seconds)


def _mean_output(requests: Sequence[Request]) -> float | None:
    """Mean output tokens a request; None where choices were scored, which generates none, and where unknown for one."""
    counts = [request.tokens_out for request in requests if request.tokens_out is not None]
    return sum(counts) / len(counts) if sum(counts) and len(counts) == len(requests) else None


def _share_in_time(runs: Sequence[Sequence[Request]], target_s: float) -> Estimate:
    """Share of requests answered within the target: Wilson's interval, and at least a t interval over runs."""
    hits = [sum(request.wall_s <= target_s for request in run) for run in runs]
    n = sum(map(len, runs))
    share, (low, high) = sum(hits) / n, wilson(sum(hits), n)
    if len(runs) == 1:
        return Estimate(value=share, low=low, high=high, n=n, method="Wilson")
    shares = np.array([hit / len(run) for hit, run in zip(hits, runs, strict=True)])
    half = t_multiplier(len(runs) - 1) * float(shares.std(ddof=1)) / len(runs) ** 0.5
    low, high = max(0.0, min(low, share - half)), min(1.0, max(high, share + half))
    return Estimate(value=share, low=low, high=high, n=n, seeds=len(runs), method="Wilson, at least t over runs")
