"""Price the rows of a table."""

from __future__ import annotations

from collections.abc import Sequence

from harness.compare.cost.pricing import Economics, price_strategy
from harness.compare.table.result import StrategyResult
from harness.compare.trials.groups import Group
from harness.compare.trials.traits import infer_traits


def priced(
    rows: Sequence[StrategyResult], groups: Sequence[Group], economics: Economics
) -> tuple[tuple[StrategyResult, ...], list[str]]:
    """Add traits, money, licence and parameters to each finished row; also return the hardware without a price."""
    of_key = {(group.label, group.model): group for group in groups}
    priced_rows: list[StrategyResult] = []
    unpriced: dict[str, None] = {}
    for row in rows:
        group = of_key[row.label, row.model]
        if not group.records:
            priced_rows.append(row)
            continue
        traits = infer_traits(group.records)
        money = price_strategy(group, traits, economics)
        if money is None:
            record = group.records[0]
            unpriced[record.model.name if record.model.endpoint else str(record.environment.gpu)] = None
        info = group.records[0].model
        changes = {"traits": traits, "money": money, "licence": info.licence, "parameters": info.parameters}
        priced_rows.append(row.model_copy(update=changes))
    return tuple(priced_rows), list(unpriced)
