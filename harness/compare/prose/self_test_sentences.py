"""Results of self-tests, in sentences."""

from __future__ import annotations

from collections.abc import Sequence

from harness.compare.prose.names import Names
from harness.compare.prose.numbers import count
from harness.compare.table.agreement import Agreement, agreement
from harness.compare.table.result import StrategyResult, TaskResult

TITLES = {
    "batch": "alone as in a batch",
    "merged": "adapter merged into the weights as beside them",
    "precision": "4-bit weights as in full precision",
}
"""What gave the same answers as what; of a test that is not here, its name stands for it."""


def lines(task: TaskResult) -> list[str]:
    """Say how a task's self-tests came out: one line for all that agree, and one for each that does not."""
    name = Names(task.rows)
    told = [(row, agreement(one)) for row in task.rows for one in row.checks]
    if not told:
        return []
    full = [(row, one) for row, one in told if one.items and one.agreeing == one.items]
    return [
        *_agreeing(full, name),
        *[_differing(row, one, name) for row, one in told if one.agreeing < max(one.items, 1)],
    ]


def _agreeing(full: Sequence[tuple[StrategyResult, Agreement]], name: Names) -> list[str]:
    """Name the tests that every item passed, each with its smallest number of items and the interval of that."""
    parts: list[str] = []
    for test in dict.fromkeys(one.name for _, one in full):
        own = [(row, one) for row, one in full if one.name == test]
        fewest = min((one for _, one in own), key=lambda one: one.items)
        least = "at least " if any(one.items > fewest.items for _, one in own) else ""
        parts.append(
            f"{_title(test)} in all of {least}{count(fewest.items, 'item')} [{fewest.low:.2f}, 1.00] "
            f"({', '.join(name(row) for row, _ in own)}{_notes([one for _, one in own])})"
        )
    return [f"Self-tests, same answers: {'; '.join(parts)}."] if parts else []


def _differing(row: StrategyResult, one: Agreement, name: Names) -> str:
    if one.low is None or one.high is None:
        return f"Self-test of {name(row)}, {_title(one.name)}: {one.note or 'nothing was asked'}."
    return (
        f"Self-test of {name(row)}, {_title(one.name)}: {one.items - one.agreeing} of {count(one.items, 'answer')} "
        f"DIFFER; {one.agreeing / one.items:.2f} [{one.low:.2f}, {one.high:.2f}] are the same"
        f"{f' ({one.note})' if one.note else ''}."
    )


def _notes(found: Sequence[Agreement]) -> str:
    told = list(dict.fromkeys(one.note for one in found if one.note))
    return f"; {told[0]}" if len(told) == 1 else ""


def _title(test: str) -> str:
    return TITLES.get(test, test)
