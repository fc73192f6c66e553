"""Order of strategies that no test tells apart: the simplest first, unless another of them is clearly cheaper."""

from __future__ import annotations

from collections.abc import Sequence
from math import inf

from harness.compare.table.result import StrategyResult
from harness.compare.table.retention import BASELINE
from harness.compare.trials.traits import Traits

FULL = 0.5
"""Share of a model's parameters from which an update is full tuning, not an adapter."""
ALIKE = 1.25
"""Totals up to so many times as high cost the same: the same run takes that much longer in another hour."""
CHEAPER = 0.8
"""Most of another's total that is clearly less."""
SAVING_USD = 1.0
"""Least saving a month that is worth a less simple strategy."""
FEWEST_ITEMS = 100
"""Fewer items in batches say little about the seconds of one."""


def tie_order(rows: Sequence[StrategyResult]) -> list[StrategyResult]:
    """Sort tied rows: the unchanged model, no weights, index, adapter, full tuning; then by cost, then by seeds.

    A row that another clearly undercuts over the stated volume and horizon comes behind those that none does.
    """
    totals = {id(row): row.money.total_usd() if row.money else inf for row in rows}
    ordered = sorted(rows, key=lambda row: totals[id(row)])
    cost_steps: dict[int, float] = {}
    least = 0.0
    for row in ordered:  # costs within a quarter of the cheapest of a step are alike
        least = least if cost_steps and totals[id(row)] <= ALIKE * least else totals[id(row)]
        cost_steps[id(row)] = least
    return sorted(
        ordered,
        key=lambda row: (
            undercut(row, rows) is not None,
            complexity(row),
            cost_steps[id(row)],
            row.one_seed,
            _traits(row).settings,
        ),
    )


def systems(rows: Sequence[StrategyResult]) -> list[StrategyResult]:
    """Return the first row of each system: rows with the same answers are one."""
    by_system: dict[tuple[str, str], StrategyResult] = {}
    for row in rows:
        by_system.setdefault((row.same_as or row.label, row.model), row)
    return list(by_system.values())


def complexity(row: StrategyResult) -> tuple[int, ...]:
    """Return a sort key: no model, the unchanged model, no weights, index, adapter, full tuning."""
    traits = _traits(row)
    return (
        not traits.constant,
        row.strategy != BASELINE,
        traits.changes_weights + _full(traits),
        traits.searches_corpus,
    )


def lacks(row: StrategyResult, others: Sequence[StrategyResult]) -> list[str]:
    """Name what a row does without that some others need, such as ``no training``."""
    traits, compared = _traits(row), [_traits(other) for other in others]
    absent = {
        "no model": traits.constant and not all(other.constant for other in compared),
        "no training": not traits.changes_weights and any(other.changes_weights for other in compared),
        "no index": not traits.searches_corpus and any(other.searches_corpus for other in compared),
    }
    if traits.changes_weights and not _full(traits):
        absent["no full tuning"] = any(map(_full, compared))
    return [name for name, holds in absent.items() if holds]


def undercut(row: StrategyResult, rows: Sequence[StrategyResult]) -> StrategyResult | None:
    """Return the cheapest of the rows that clearly cost less than one of them; None where none does."""
    cheaper = [(other.money.total_usd(), other) for other in rows if other.money and costs_less(other, row)]
    return min(cheaper, key=lambda pair: pair[0])[1] if cheaper else None


def costs_less(first: StrategyResult, second: StrategyResult) -> bool:
    """Whether the first clearly costs less: by firm timings, by a fifth of the total, and by a dollar a month."""
    if not first.money or not second.money or not (firm_cost(first) and firm_cost(second)):
        return False
    saving = second.money.monthly_bill_usd() - first.money.monthly_bill_usd()
    share = first.money.total_usd() <= CHEAPER * second.money.total_usd()
    return share and saving >= SAVING_USD and first.money.costs_less_than(second.money)


def firm_cost(row: StrategyResult) -> bool:
    """Whether a cost can stand in a ratio: timed more than once, and batches served as they should be."""
    return row.money is not None and row.money.total_half_usd() is not None and firm_batches(row)


def firm_batches(row: StrategyResult) -> bool:
    """Whether seconds an item in a batch say what serving takes.

    They do not with fewer than `FEWEST_ITEMS` items, or where a batch took longer an item than a single request.
    """
    items = max((estimate.n for estimate in row.scores.values()), default=0)
    latency = row.cost.latency if row.cost else None
    median = latency.wall_s(0.5) if latency else None
    rate = row.cost.items_per_s if row.cost else None
    return items >= FEWEST_ITEMS and (median is None or not rate or 1 / rate <= median.value_s)


def _full(traits: Traits) -> bool:
    return traits.changes_weights and (traits.trained_share or 0.0) >= FULL


def _traits(row: StrategyResult) -> Traits:
    return row.traits or Traits()
