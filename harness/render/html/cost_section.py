"""The cost section as it stands without a script: totals at the usage that was asked for, and one break-even."""

from __future__ import annotations

from dataclasses import dataclass

from harness.compare.cost.breakeven import break_even
from harness.compare.cost.money import CostPart, Money, Usage
from harness.compare.table.result import Comparison
from harness.render.html.chart import Cell, ChartTable, table
from harness.render.html.embedded_data import priced, task_name
from harness.render.html.page_text import dollars, number


@dataclass(frozen=True)
class Costs:
    """One task's money.

    Attributes:
        totals: a row a strategy; parts: what each amount is made of.
        first, second: places of the two whose break-even is shown first.
        prices: names of the prices that amounts are made with.
    """

    name: str
    names: tuple[str, ...]
    totals: ChartTable
    parts: ChartTable
    first: int
    second: int
    break_even: str
    prices: tuple[str, ...]


def costs_of(comparison: Comparison) -> list[Costs]:
    """The tasks of which at least one row has a price."""
    usage = comparison.assumed.usage
    tasks = [task for suite in comparison.suites for task in suite.tasks]
    return [_costs(task_name(comparison, task), rows, usage) for task in tasks if (rows := priced(task))]


def say_break_even(names: tuple[str, str], money: tuple[Money, Money], usage: Usage) -> str:
    """Say from how many requests a month on the one costs less than the other, over the whole horizon."""
    found = break_even(*money, usage)
    if found.cheaper_below is None or found.cheaper_above is None:
        return f"`{names[0]}` and `{names[1]}` cost the same."
    if found.per_month is None:
        return f"`{names[found.cheaper_above]}` costs less than `{names[1 - found.cheaper_above]}` at any volume."
    between = f" ({found.note})" if found.note else ""
    if found.low is not None and found.high is not None:
        between = f" [{number(found.low / usage.months)}, {number(found.high / usage.months)}]"
    return (
        f"Above {number(found.per_month)} requests a month{between}, `{names[found.cheaper_above]}` costs less than "
        f"`{names[found.cheaper_below]}`; below, it is the other way round."
    )


def _costs(name: str, rows: list[tuple[str, Money]], usage: Usage) -> Costs:
    first, second = _pair(rows, usage)
    pair = (rows[first], rows[second])
    said = say_break_even((pair[0][0], pair[1][0]), (pair[0][1], pair[1][1]), usage) if first != second else ""
    every = [part for _, money in rows for part in _parts(money)]
    return Costs(
        name=name,
        names=tuple(name for name, _ in rows),
        totals=table(
            ["strategy", "made once", "1,000 requests", "kept, a month", "made again", "a month", "whole horizon"],
            [[own, *_amounts(money, usage)] for own, money in rows],
        ),
        parts=table(
            ["strategy", "paid", "for what", "quantity", "price", "amount"],
            [
                (own, when, part.what, f"{part.quantity:.4g} {part.unit}", f"{part.price}: ${part.price_usd:g}",
                 Cell(dollars(part.usd), part.usd))
                for own, money in rows for when, parts in _times(money) for part in parts
            ],
        ),
        first=first,
        second=second,
        break_even=said,
        prices=tuple(dict.fromkeys(part.price for part in every)),
    )  # fmt: skip


def _amounts(money: Money, usage: Usage) -> list[Cell]:
    amounts = [money.fixed_usd, money.per_1000_usd, money.monthly_usd, money.update_usd]
    return [Cell(dollars(a), a) for a in (*amounts, money.monthly_bill_usd(usage), money.total_usd(usage))]


def _pair(rows: list[tuple[str, Money]], usage: Usage) -> tuple[int, int]:
    """The best strategy, and the cheapest other one that has a break-even with it; else just the cheapest other."""
    others = sorted(range(1, len(rows)), key=lambda place: rows[place][1].total_usd(usage))
    crossing = [place for place in others if break_even(rows[0][1], rows[place][1], usage).requests is not None]
    return 0, next(iter([*crossing, *others]), 0)


def _times(money: Money) -> list[tuple[str, tuple[CostPart, ...]]]:
    named = {"once": money.fixed, "a request": money.per_request, "a month": money.per_month}
    return [*named.items(), ("an update", money.per_update)]


def _parts(money: Money) -> list[CostPart]:
    return [part for _, parts in _times(money) for part in parts]
