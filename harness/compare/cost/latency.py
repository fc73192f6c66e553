"""How fast requests were answered: percentiles with their intervals, rates of reading and writing, shares in time."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from scipy.special import bdtr

from harness.compare.cost.resource_types import Latency, Quantile
from harness.compare.stats.estimates import Estimate
from harness.compare.stats.intervals import CONFIDENCE, wilson
from harness.records.measurements import Request, Serving

LEAST = {0.5: 5, 0.9: 10, 0.95: 20, 0.99: 300}
"""The percentiles that are reported, each from so many requests on: from fewer, it would be little more than their
slowest."""


def latency_of(servings: Sequence[Serving]) -> Latency | None:
    """Put the requests of a strategy's seeds together.

    Args:
        servings: one a seed.

    Returns:
        None where there are no requests, and where the seeds' came in different ways, so that they are not alike.
    """
    requests = [request for one in servings for request in one.requests]
    if not requests or len({(one.arrival_rate, one.latency_target_s) for one in servings}) > 1:
        return None
    rate, target_s = servings[0].arrival_rate, servings[0].latency_target_s
    firsts = [one.first_token_s for one in requests if one.first_token_s is not None]
    alone = requests if rate is None else []
    return Latency(
        requests=len(requests),
        wall=quantiles([one.wall_s for one in requests]),
        first_token=quantiles(firsts) if len(firsts) == len(requests) else (),
        prefill_tokens_per_s=_rate([(one.tokens_in, one.prefill_s) for one in alone]),
        decode_tokens_per_s=_rate([(one.decode_tokens, one.decode_s) for one in alone]),
        output_tokens=_mean_written(requests),
        arrival_rate=rate,
        latency_target_s=target_s,
        in_time=None if target_s is None else _in_time(requests, target_s),
    )


def quantiles(times_s: Sequence[float]) -> tuple[Quantile, ...]:
    """Give the percentiles that so many times allow, each with its interval.

    The value is the median-unbiased one (Hyndman & Fan 1996, definition 8). The interval lies between two of the
    times: how many of n are below a percentile p is binomial(n, p), whatever the times' distribution (Conover 1999,
    section 3.2), so it holds p with at least 95 %, if the requests are independent. Where so few do not bound it on a
    side, that end is None.

    Args:
        times_s: in any order.
    """
    ordered, n = sorted(times_s), len(times_s)
    return tuple(_quantile(ordered, share) for share, least in LEAST.items() if n >= least)


def _quantile(ordered: Sequence[float], share: float) -> Quantile:
    n = len(ordered)
    reached = bdtr(np.arange(n + 1.0), n, share)  # binomial: how likely so many or fewer are below
    below, above = (int(np.searchsorted(reached, tail)) for tail in ((1 - CONFIDENCE) / 2, (1 + CONFIDENCE) / 2))
    return Quantile(
        share=share,
        value_s=float(np.quantile(ordered, share, method="median_unbiased")),
        low_s=ordered[below - 1] if below > 0 else None,
        high_s=ordered[above] if above < n else None,
    )


def _rate(parts: Sequence[tuple[int | None, float | None]]) -> float | None:
    """Tokens over seconds of all requests; None where one does not tell, and where there were no tokens."""
    tokens = [count for count, _ in parts if count is not None]
    seconds = [value for _, value in parts if value is not None]
    if not parts or not len(tokens) == len(seconds) == len(parts) or not sum(tokens) or sum(seconds) <= 0:
        return None
    return sum(tokens) / sum(seconds)


def _mean_written(requests: Sequence[Request]) -> float | None:
    """Mean tokens written a request; None where choices were scored, which writes none."""
    total = sum(one.tokens_out for one in requests)
    return total / len(requests) if total else None


def _in_time(requests: Sequence[Request], target_s: float) -> Estimate:
    """The share of requests that were answered within a time, with Wilson's interval."""
    hits, n = sum(one.wall_s <= target_s for one in requests), len(requests)
    low, high = wilson(hits, n)
    return Estimate(value=hits / n, low=low, high=high, n=n, method="Wilson")
