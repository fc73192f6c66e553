"""Names of strategies in a sentence, between backticks, and commands that run them."""

from __future__ import annotations

import shlex
from collections.abc import Sequence

from harness.compare.prose.numbers import listing
from harness.compare.table.result import StrategyResult


class Names:
    """What a row is called: its strategy, and its model where there is more than one."""

    def __init__(self, rows: Sequence[StrategyResult]) -> None:
        self.several = len({row.model for row in rows}) > 1

    def __call__(self, row: StrategyResult) -> str:  # noqa: D102 - the class says it
        name = f"`{bare(row.label)}`"
        return f"{name} with `{bare(row.model)}`" if self.several else name

    def all(self, rows: Sequence[StrategyResult]) -> str:
        """Name several."""
        return listing([self(row) for row in rows])


def bare(name: str) -> str:
    """A name that can stand between backticks."""
    return name.replace("`", "'")


def run_command(suite: str, strategy: str) -> str:
    """Write the command that runs one strategy of a suite, quoted for a shell."""
    return f"harness run {shlex.quote(suite)} --strategy {shlex.quote(strategy)}"
