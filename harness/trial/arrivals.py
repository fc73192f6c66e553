"""Arrival times of requests, and how many will be asked in how many seconds."""

from __future__ import annotations

import random
from itertools import accumulate

from harness.records.planned_trial import DEFAULTS, MeasurementOptions, PlannedTrial

WARM_UP = 2
"""Requests that are asked first and thrown away: warm-up cost is not charged to later requests."""
CAP_S, ENOUGH = 8.0, 5
"""With the default number of requests, none begins after `CAP_S` seconds once `ENOUGH` are answered."""


def arrival_times(requests: int, rate: float, seed: int, latest_s: float | None = None) -> list[float]:
    """Draw when requests arrive, seconds from the start: a Poisson process.

    What comes after `latest_s` is left out beforehand, so that no request is missing for having waited long.

    Args:
        requests: how many, at most.
        rate: of arrivals, a second.
        seed: of the gaps.
        latest_s: the latest arrival, once `ENOUGH` have come; None: there is none.
    """
    draw = random.Random(seed)
    times = list(accumulate(draw.expovariate(rate) for _ in range(requests)))
    return [at for index, at in enumerate(times) if latest_s is None or at <= latest_s or index < ENOUGH]


def expected(planned: PlannedTrial, request_s: float) -> tuple[int, float]:
    """Predict how many requests will be asked, warm-up included, and their seconds.

    Args:
        planned: says how many are wanted, and how they come.
        request_s: seconds of one alone.
    """
    options = planned.measurement
    if options.arrival_rate is not None:
        times = arrival_times(options.requests, options.arrival_rate, planned.trial.seed, cap_s(options))
        return len(times) + WARM_UP, WARM_UP * request_s + times[-1] + request_s
    end_s = cap_s(options)
    in_time = options.requests if end_s is None or request_s <= 0 else max(ENOUGH, int(end_s / request_s) + 1)
    count = min(options.requests, in_time) + WARM_UP
    return count, count * request_s


def cap_s(options: MeasurementOptions) -> float | None:
    """Return the seconds after which no more requests begin, once `ENOUGH` are answered; None: all are asked."""
    return CAP_S if options.requests == DEFAULTS.requests else None
