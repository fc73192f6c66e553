"""Cost ratios of two strategies, with an interval where both were measured repeatedly."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Literal

import numpy as np

from harness.compare.cost.resource_types import Cost
from harness.compare.stats.intervals import t_multiplier, welch
from harness.compare.table.result import StrategyResult
from harness.records.measurements import StoredModel

Unit = Literal["s", "bytes", "J"]


class PairRatio(StoredModel):
    """One thing that both took.

    Attributes:
        first: geometric mean over the seeds of the first strategy; second: of the second.
        ratio: the first over the second; below 1 the first takes less.
        low: of its 95 % interval (Welch's t on logarithms); None where either was measured once, or never varied.
        repeats: seeds that measured it, of the first and of the second.
    """

    name: str
    unit: Unit
    first: float
    second: float
    ratio: float
    low: float | None = None
    high: float | None = None
    repeats: tuple[int, int]


def of_rows(first: StrategyResult, second: StrategyResult) -> tuple[PairRatio, ...]:
    """Compare two rows whose seconds and bytes come from alike machines; what either lacks is left out."""
    ratios: list[PairRatio] = []
    for name, unit, number in MEASURED:
        first_costs, other = _measured(first, number), _measured(second, number)
        if first_costs and other:
            ratios.append(_ratio(name, unit, first_costs, other))
    return tuple(ratios)


def _measured(row: StrategyResult, number: Callable[[Cost], float | None]) -> list[float]:
    """What each seed took; nothing where a seed does not tell, or took nothing."""
    values = [number(trial.cost) for trial in row.trials if trial.cost]
    positive = [value for value in values if value]
    return positive if len(positive) == len(values) else []


def _ratio(name: str, unit: Unit, first: Sequence[float], second: Sequence[float]) -> PairRatio:
    logs = [np.log(np.asarray(values)) for values in (first, second)]
    middle = float(logs[0].mean() - logs[1].mean())
    ratio = PairRatio(
        name=name,
        unit=unit,
        first=math.exp(logs[0].mean()),
        second=math.exp(logs[1].mean()),
        ratio=math.exp(middle),
        repeats=(len(first), len(second)),
    )
    if min(ratio.repeats) < 2:
        return ratio
    error, df = welch(*logs)
    half = t_multiplier(df) * error
    if not half:
        return ratio
    return ratio.model_copy(update={"low": math.exp(middle - half), "high": math.exp(middle + half)})


def _phase(name: str) -> Callable[[Cost], float | None]:
    return lambda cost: cost.phases[name].wall_s if name in cost.phases else None


def _latency(share: float) -> Callable[[Cost], float | None]:
    def number(cost: Cost) -> float | None:
        quantiles = cost.latency.wall if cost.latency else ()
        return next((quantile.value_s for quantile in quantiles if abs(quantile.share - share) < 1e-9), None)

    return number


MEASURED: tuple[tuple[str, Unit, Callable[[Cost], float | None]], ...] = (
    ("total time", "s", lambda cost: cost.total_s),
    ("adapt time", "s", _phase("adapt")),
    ("predict time", "s", _phase("predict")),
    ("latency p50", "s", _latency(0.5)),
    ("latency p95", "s", _latency(0.95)),
    ("peak memory", "bytes", lambda cost: cost.host_peak_bytes),
    ("peak GPU", "bytes", lambda cost: cost.gpu_peak_bytes),
    ("adapted size", "bytes", lambda cost: cost.adapted_bytes),
    ("energy", "J", lambda cost: cost.energy_j),
)
