"""Sentences about self-tests: agreement of answers, with its interval."""

from __future__ import annotations

from collections.abc import Sequence

from harness.compare.prose.names import Names
from harness.compare.prose.numbers import count
from harness.compare.table.agreement import Agreement, agreement
from harness.compare.table.result import StrategyResult, TaskResult

TITLES = {
    "batch": "batch vs. single-request outputs",
    "merged": "merged vs. separate adapter",
    "precision": "4-bit vs. full-precision weights",
}
"""The answers that a test compares; a test without a title is called by its name."""


def sentences(task: TaskResult) -> list[str]:
    """Describe a task's self-tests: one sentence for all that agree, and one for each that does not."""
    name = Names(task.rows)
    pooled = [(row, agreement(check)) for row in task.rows for check in row.checks]
    full = [(row, test) for row, test in pooled if test.items and not test.differing]
    return [
        *_agreeing(full, name),
        *[_differing(row, test, name) for row, test in pooled if test.differing or not test.items],
    ]


def note(test: Agreement) -> str | None:
    """Return the largest difference and the notes of a self-test; None where it has neither."""
    difference = test.largest_difference
    by = None if difference is None else f"largest log-likelihood difference {difference:.2g} nats"
    return "; ".join(filter(None, [by, test.note])) or None


def _agreeing(full: Sequence[tuple[StrategyResult, Agreement]], name: Names) -> list[str]:
    """Name the tests with full agreement, each with its smallest number of items and the interval for it."""
    parts: list[str] = []
    for title in dict.fromkeys(test.name for _, test in full):
        rows = [(row, test) for row, test in full if test.name == title]
        fewest = min((test for _, test in rows), key=lambda test: test.items)
        least = "at least " if any(test.items > fewest.items for _, test in rows) else ""
        parts.append(
            f"{_title(title)}, {least}{count(fewest.items, 'item')} [{fewest.low:.2f}, 1.00] "
            f"({', '.join(name(row) for row, _ in rows)}{_common_note([test for _, test in rows])})"
        )
    return [f"Self-tests passed: {'; '.join(parts)}."] if parts else []


def _differing(row: StrategyResult, test: Agreement, name: Names) -> str:
    if test.share is None:
        return f"Self-test of {name(row)}, {_title(test.name)}: {note(test) or 'not run'}."
    runs = f" ({count(test.items, 'item')}, {test.runs} runs)" if test.runs > 1 else ""
    return (
        f"Self-test of {name(row)}, {_title(test.name)}: {test.differing} of {count(test.answers, 'answer')}{runs} "
        f"DIFFER; agreement {test.share:.2f} [{test.low:.2f}, {test.high:.2f}]"
        f"{f' ({note(test)})' if note(test) else ''}."
    )


def _common_note(tests: Sequence[Agreement]) -> str:
    notes = list(dict.fromkeys(text for test in tests if (text := note(test))))
    return f"; {notes[0]}" if len(notes) == 1 else ""


def _title(test: str) -> str:
    return TITLES.get(test, test)
