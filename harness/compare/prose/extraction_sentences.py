"""A sentence about lenient answer parsing: whether it changes the winner."""

from __future__ import annotations

from harness.compare.prose.names import Names
from harness.compare.prose.numbers import change, listing
from harness.compare.table.result import TaskResult


def sentence(task: TaskResult, name: Names) -> str:
    """Say whether lenient parsing changes the winner; empty where no answer is parsed from text."""
    extraction = task.extraction
    if extraction is None:
        return ""
    rows = {(row.label, row.model): row for row in task.rows}
    if not extraction.flips:
        return "Reading the outputs leniently instead of strictly leaves the same strategies best or tied."
    gains = [f"{name(rows[key])} {change(gain)}" for key, gain in extraction.changed]
    return (
        f"Read leniently instead of strictly, {name.all([rows[key] for key in extraction.lenient])} "
        "would be best or tied, "
        f"not {name.all([rows[key] for key in extraction.strict])}: the form of the answers decides here "
        f"(change by reading: {listing(gains)})."
    )
