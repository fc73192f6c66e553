"""How many requests come to a finished system, and when: what can be told before any is asked."""

from __future__ import annotations

import random
from itertools import accumulate

from harness.plan.config import REQUESTS
from harness.records.planned_trial import PlannedTrial

WARM_UP = 2
"""Requests that are asked first and thrown away: what is made at first use is none of theirs who come later."""
CAP_S, ENOUGH = 8.0, 5
"""Unless another number of requests is asked for than the usual one, none is begun after so many seconds, once so
many were answered: slow systems answer fewer, and a run stays short."""


def arriving(requests: int, rate: float, seed: int, latest_s: float | None = None) -> list[float]:
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
    return [at for place, at in enumerate(times) if latest_s is None or at <= latest_s or place < ENOUGH]


def expected(planned: PlannedTrial, each_s: float) -> tuple[int, float]:
    """Foretell how many requests will be asked, those that warm the system up included, and what they take, seconds.

    Args:
        planned: says how many are wanted, and how they come.
        each_s: seconds that one takes alone.
    """
    if planned.arrival_rate is not None:
        times = arriving(planned.requests, planned.arrival_rate, planned.trial.seed, cap_s(planned))
        return len(times) + WARM_UP, WARM_UP * each_s + times[-1] + each_s
    end_s = cap_s(planned)
    within = planned.requests if end_s is None or each_s <= 0 else max(ENOUGH, int(end_s / each_s) + 1)
    asked = min(planned.requests, within) + WARM_UP
    return asked, asked * each_s


def cap_s(planned: PlannedTrial) -> float | None:
    """Give the seconds after which no more requests begin, once `ENOUGH` are answered; None: all are asked."""
    return CAP_S if planned.requests == REQUESTS else None
