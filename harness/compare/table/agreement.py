"""How often a system gave the same answer in a way that should change nothing, in words and with an interval."""

from __future__ import annotations

import re
from collections.abc import Sequence

from harness.compare.stats.intervals import wilson
from harness.records.measurements import Check, StoredModel
from harness.records.record import Completed

_NUMBER = re.compile(r"\d+(\.\d+)?(e-?\d+)?")


class Agreement(StoredModel):
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
