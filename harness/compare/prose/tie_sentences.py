"""Sentences about strategies that no test tells apart: their scores, the simplest, the highest, and the items needed.

Names stand between backticks.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

from harness.compare.prose.names import Names
from harness.compare.prose.numbers import count, score, usd
from harness.compare.stats.estimates import Difference
from harness.compare.table.result import StrategyResult, TaskResult
from harness.compare.table.tie_order import complexity, lacks, undercut
from harness.metrics import get
from harness.metrics.statistical_power import too_few_items, two_digits


def apart(rows: Sequence[StrategyResult], primary: str) -> str:
    """Write ``11 strategies cannot be told apart (0.80 to 0.88)``."""
    values = [row.scores[primary].value for row in rows]
    span = "\N{EN DASH}".join(dict.fromkeys(f"{value:.2f}" for value in (min(values), max(values))))
    return f"{count(len(rows), 'strategy')} cannot be told apart ({span})".replace("strategys", "strategies")


def why_first(order: Sequence[StrategyResult], name: Names) -> str:
    """Say why the first of a `tie_order` is recommended: ``the simplest (no training)``."""
    first, simplest = order[0], min(order, key=complexity)
    if complexity(simplest) < complexity(first) and undercut(simplest, order) and first.money and simplest.money:
        bills = [usd(money.monthly_bill_usd()) for money in (first.money, simplest.money)]
        return f"clearly cheaper than the simpler {name(simplest)} ({bills[0]} against {bills[1]} USD a month)"
    absent = lacks(first, order[1:])
    peers = [row.money.total_usd() for row in order[1:] if row.money and complexity(row) == complexity(first)]
    cheapest = peers and first.money and first.money.total_usd() < min(peers) and not absent
    return (
        f"the simplest ({', '.join(absent)})"
        if absent
        else "the cheapest of the simplest"
        if cheapest
        else "the simplest"
    )


def highest(order: Sequence[StrategyResult], primary: str, name: Names) -> str:
    """Name the highest score of a tie, unless the first has it."""
    up = 1 if get(primary).higher_is_better is not False else -1
    best = max(order, key=lambda row: up * row.scores[primary].value)
    if best is order[0]:
        return ""
    extreme = "Highest" if up > 0 else "Lowest"
    return f"{extreme} score: {name(best)} {score(best.scores[primary])}, not distinguishable from these."


def items_needed(table: TaskResult, row: StrategyResult, name: Names) -> str:
    """Say how many items would detect the measured difference of a row to the first of its table; empty: enough."""
    gap, best = row.to_best, table.rows[0]
    if gap is None:
        return ""
    pair = f"{name(row)} against {name(best)}"
    if abs(gap.value) < 1e-3:
        return f"{name(best)} and {name(row)} score the same: more test items would not tell them apart."
    needed = gap.items_needed()
    if needed is None:
        return f"More seeds, not test items, would be needed to detect a difference of {abs(gap.value):.2g} ({pair})."
    if needed <= gap.n:
        return ""
    items = f"{two_digits(math.ceil(needed)):,} test items"
    return f"About {items} would be needed to detect a difference of {abs(gap.value):.2g} ({pair}; here {gap.n:,})."


def detects(gap: Difference, metric: str) -> str:
    """Write which differences are detected: ``400 test items detect differences of 0.07 or more``, or too few."""
    items = count(gap.n, "test item") + (f" in {count(gap.clusters, 'cluster')}" if gap.clusters else "")
    if too_few(gap, metric):
        return f"{items} {'is' if gap.n == 1 else 'are'} too few to compare strategies"
    seeds = " and these seeds" if gap.error.seeds else ""
    return f"{items}{seeds} detect differences of {gap.detectable:.2g} or more"


def too_few(gap: Difference, metric: str) -> bool:
    """Whether the items of a comparison are too few for any."""
    return too_few_items(gap.detectable, get(metric).bounds)
