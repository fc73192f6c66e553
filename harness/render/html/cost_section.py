"""Cost section without scripts: totals at the assumed usage, and one break-even."""

from __future__ import annotations

from dataclasses import dataclass

from harness.compare.cost.breakeven import break_even
from harness.compare.cost.money import CostPart, Money, Usage
from harness.compare.table.result import Comparison
from harness.render.html.chart import Cell, ChartTable, table
from harness.render.html.embedded_data import PricedRow, priced_rows, task_name
from harness.render.html.page_text import dollars, number


@dataclass(frozen=True)
class Costs:
    """Costs of one task.

    Attributes:
        totals: a row per strategy; parts: components of each amount.
        first, second: row indices of the pair whose break-even is shown first.
        prices: names of the prices used.
        at_usage: the cheapest of the rows that are best or tied with the best; empty where none of them is priced.
    """

    name: str
    names: tuple[str, ...]
    totals: ChartTable
    parts: ChartTable
    first: int
    second: int
    break_even: str
    prices: tuple[str, ...]
    at_usage: str


def task_costs(comparison: Comparison) -> list[Costs]:
    """Costs of each task with at least one priced row."""
    usage = comparison.assumed.usage
    tasks = [task for suite in comparison.suites for task in suite.tasks]
    return [_costs(task_name(comparison, task), rows, usage) for task in tasks if (rows := priced_rows(task))]


def break_even_sentence(names: tuple[str, str], money: tuple[Money, Money], usage: Usage) -> str:
    """State the monthly requests above which one costs less than the other, over the whole horizon."""
    crossing = break_even(*money, usage)
    if crossing.note:
        return f"Which of `{names[0]}` and `{names[1]}` costs less cannot be said: {crossing.note}."
    if crossing.cheaper_below is None or crossing.cheaper_above is None:
        return f"`{names[0]}` and `{names[1]}` cost the same."
    if crossing.per_month is None:
        return f"`{names[crossing.cheaper_above]}` costs less than `{names[1 - crossing.cheaper_above]}` at any volume."
    low, high = (number((end or 0.0) / usage.months) for end in (crossing.low, crossing.high))
    return (
        f"Above {number(crossing.per_month)} requests a month [{low}, {high}], `{names[crossing.cheaper_above]}` costs "
        f"less than `{names[crossing.cheaper_below]}`; below, it is the other way round."
    )


def usage_sentence(task: str, rows: list[PricedRow], usage: Usage) -> str:
    """State the cheapest row that is best or tied with the best, at a usage; empty where there is no choice."""
    tied = sorted((row for row in rows if row.tied), key=lambda row: row.money.total_usd(usage))
    if not tied or len(rows) == 1:
        return ""
    at = f"{task}: at {usage.requests_per_month:,.0f} requests a month over {usage.months:g} months"
    total = dollars(tied[0].money.total_usd(usage))
    if len(tied) == 1:
        return f"{at}, `{tied[0].name}` costs {total}."
    return f"{at}, the cheapest of the {len(tied)} priced strategies that tie for best is `{tied[0].name}`: {total}."


def _costs(name: str, rows: list[PricedRow], usage: Usage) -> Costs:
    first, second = _pair(rows, usage)
    pair = (rows[first], rows[second])
    sentence = (
        break_even_sentence((pair[0].name, pair[1].name), (pair[0].money, pair[1].money), usage)
        if first != second
        else ""
    )
    cost_parts = [part for _, money, _ in rows for part in _parts(money)]
    return Costs(
        name=name,
        names=tuple(row.name for row in rows),
        totals=table(
            ["strategy", "once", "1,000 requests", "storage per month", "per update", "per month", "total"],
            [[strategy, *_amounts(money, usage)] for strategy, money, _ in rows],
        ),
        parts=table(
            ["strategy", "paid", "for what", "quantity", "price", "amount"],
            [
                (strategy, period, part.what, f"{part.quantity:.4g} {part.unit}", f"{part.price}: ${part.price_usd:g}",
                 Cell(dollars(part.usd), part.usd))
                for strategy, money, _ in rows for period, parts in _parts_by_period(money) for part in parts
            ],
        ),
        first=first,
        second=second,
        break_even=sentence,
        prices=tuple(dict.fromkeys(part.price for part in cost_parts)),
        at_usage=usage_sentence(name, rows, usage),
    )  # fmt: skip


def _amounts(money: Money, usage: Usage) -> list[Cell]:
    amounts = [money.fixed_usd, money.per_1000_usd, money.monthly_usd, money.update_usd]
    return [Cell(dollars(a), a) for a in (*amounts, money.monthly_bill_usd(usage), money.total_usd(usage))]


def _pair(rows: list[PricedRow], usage: Usage) -> tuple[int, int]:
    """Row indices: the best strategy, and the cheapest other with a break-even against it, else the cheapest other."""
    candidates = sorted(range(1, len(rows)), key=lambda index: rows[index].money.total_usd(usage))
    crossing = [
        index for index in candidates if break_even(rows[0].money, rows[index].money, usage).requests is not None
    ]
    return 0, next(iter([*crossing, *candidates]), 0)


def _parts_by_period(money: Money) -> list[tuple[str, tuple[CostPart, ...]]]:
    periods = {"once": money.fixed, "a request": money.per_request, "a month": money.per_month}
    return [*periods.items(), ("an update", money.per_update)]


def _parts(money: Money) -> list[CostPart]:
    return [part for _, parts in _parts_by_period(money) for part in parts]
