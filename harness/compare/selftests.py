"""How often a system gave the same answer in a way that should change nothing, in words and with an interval."""

from __future__ import annotations

import re
from collections.abc import Sequence

from harness.compare.intervals import wilson
from harness.compare.names import Names
from harness.compare.result import StrategyResult, TaskResult
from harness.compare.words import count
from harness.measured import Check, Frozen
from harness.records import Completed

TITLES = {
    "batch": "alone as in a batch",
    "merged": "adapter merged into the weights as beside them",
    "precision": "4-bit weights as in full precision",
}
"""What gave the same answers as what; of a test that is not here, its name stands for it."""
_NUMBER = re.compile(r"\d+(\.\d+)?(e-?\d+)?")


class Agreement(Frozen):
    """A self-test with the share of items answered alike and its 95 % interval (Wilson), None where none was asked."""

    name: str
    items: int
    agreeing: int
    share: float | None = None
    low: float | None = None
    high: float | None = None
    note: str | None = None


def checks_of(records: Sequence[Completed]) -> tuple[Check, ...]:
    """Add the self-tests of several seeds up; of notes that differ in their figure only, the largest is kept."""
    found: dict[str, list[Check]] = {}
    for record in records:
        for one in record.checks:
            found.setdefault(one.name, []).append(one)
    return tuple(
        Check(
            name=name,
            items=sum(one.items for one in own),
            agreeing=sum(one.agreeing for one in own),
            note="; ".join(_largest([one.note for one in own if one.note])) or None,
        )
        for name, own in found.items()
    )


def _largest(notes: Sequence[str]) -> list[str]:
    found: dict[str, tuple[float, str]] = {}
    for note in notes:
        number = _NUMBER.search(note)
        said = float(number[0]) if number else 0.0
        text = _NUMBER.sub("", note, count=1)
        found[text] = max(found.get(text, (said, note)), (said, note))
    return [note for _, note in found.values()]


def agreement(check: Check) -> Agreement:
    """Give a self-test its interval; the seeds' items count as items of their own."""
    found = Agreement(name=check.name, items=check.items, agreeing=check.agreeing, note=check.note)
    if not check.items:
        return found
    low, high = wilson(check.agreeing, check.items)
    return found.model_copy(update={"share": check.agreeing / check.items, "low": low, "high": high})


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
