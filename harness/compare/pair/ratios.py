"""Cost ratios of two strategies, with an interval where both were measured repeatedly."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Literal

import numpy as np

from harness.compare.cost.resource_types import Cost
from harness.compare.stats.intervals import t_multiplier, welch
from harness.compare.table.result import StrategyResult
from harness.compare.table.tie_order import firm_batches
from harness.records.measurements import StoredModel

Unit = Literal["s", "bytes", "J"]


class PairRatio(StoredModel):
    """One thing that both took.

    Attributes:
        first: geometric mean over the seeds of the first strategy; second: of the second.
        ratio: the first over the second; below 1 the first takes less. None: not shown, for the reason in `note`.
        low: of its 95 % interval (Welch's t on logarithms); None where either was measured once, or never varied.
        repeats: seeds that measured it, of the first and of the second.
    """

    name: str
    unit: Unit
    first: float
    second: float
    ratio: float | None
    low: float | None = None
    high: float | None = None
    repeats: tuple[int, int]
    note: str | None = None


def of_rows(first: StrategyResult, second: StrategyResult) -> tuple[PairRatio, ...]:
    """Compare two rows whose seconds and bytes come from alike machines; what either lacks is left out.

    Seconds that were measured once, and seconds of batches that say little of serving, have no ratio.
    """
    firm = firm_batches(first) and firm_batches(second)
    ratios: list[PairRatio] = []
    for name, unit, number in MEASURED:
        first_costs, other = _measured(first, number), _measured(second, number)
        if first_costs and other:
            note = None if firm or name != "predict time" else "too few items, or batches slower than requests"
            ratios.append(_ratio(name, unit, first_costs, other, note))
    return tuple(ratios)


def _measured(row: StrategyResult, number: Callable[[Cost], float | None]) -> list[float]:
    """What each seed took; nothing where a seed does not tell, or took nothing."""
    values = [number(trial.cost) for trial in row.trials if trial.cost]
    positive = [value for value in values if value]
    return positive if len(positive) == len(values) else []


def _ratio(name: str, unit: Unit, first: Sequence[float], second: Sequence[float], note: str | None) -> PairRatio:
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
    once = min(ratio.repeats) < 2
    if note or (once and unit == "s"):
        return ratio.model_copy(update={"ratio": None, "note": note or "measured once"})
    if once:
        return ratio.model_copy(update={"note": "measured once"})
    error, df = welch(*logs)
    half = t_multiplier(df) * error
    if not half:
        return ratio.model_copy(update={"note": "the same each time"})
    return ratio.model_copy(update={"low": math.exp(middle - half), "high": math.exp(middle + half)})


def _phase(name: str) -> Callable[[Cost], float | None]:
    return lambda cost: cost.phases[name].wall_s if name in cost.phases else None


def _latency(share: float) -> Callable[[Cost], float | None]:
    def number(cost: Cost) -> float | None:
        quantile = cost.latency.wall_s(share) if cost.latency else None
        return quantile.value_s if quantile else None

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
