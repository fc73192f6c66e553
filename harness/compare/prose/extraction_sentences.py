"""A sentence about lenient answer parsing: whether it changes the winner."""

from __future__ import annotations

from harness.compare.prose.names import Names
from harness.compare.prose.numbers import change, listing
from harness.compare.table.result import TaskResult

MOST_CHANGES = 3
"""Changes of a score that a sentence gives, the largest first."""


def sentence(task: TaskResult, name: Names) -> str:
    """Say whether lenient parsing changes the winner; empty where not, or no answer is parsed from text."""
    extraction = task.extraction
    if extraction is None:
        return ""
    rows = {(row.label, row.model): row for row in task.rows}
    if not extraction.flips:
        return ""
    gains = sorted(extraction.changed, key=lambda change_of: -abs(change_of[1].value))[:MOST_CHANGES]
    changes = [f"{name(rows[key])} {change(gain)}" for key, gain in gains]
    new = [key for key in extraction.lenient if key not in extraction.strict]
    lost = [key for key in extraction.strict if key not in extraction.lenient]
    moves = [f"{name.all([rows[key] for key in new])} would be tied for best"] if new else []
    moves += [f"{name.all([rows[key] for key in lost])} would not be"] if lost else []
    return (
        f"Under lenient answer parsing the ranking changes: {' and '.join(moves)}. Much of the difference is answer "
        f"format (largest changes: {listing(changes)})."
    )
