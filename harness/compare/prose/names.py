"""Names of strategies in a sentence, between backticks."""

from __future__ import annotations

from collections.abc import Sequence

from harness.compare.prose.numbers import listing
from harness.compare.table.result import StrategyResult


class Names:
    """What a row is called: its strategy, and its model where there is more than one."""

    def __init__(self, rows: Sequence[StrategyResult]) -> None:
        self._several = len({row.model for row in rows}) > 1

    def __call__(self, row: StrategyResult) -> str:  # noqa: D102 - the class says it
        name = f"`{bare(row.label)}`"
        return f"{name} with `{bare(row.model)}`" if self._several else name

    def all(self, rows: Sequence[StrategyResult]) -> str:
        """Name several."""
        return listing([self(row) for row in rows])


def bare(name: str) -> str:
    """A name that can stand between backticks."""
    return name.replace("`", "'")
