"""Self-tests of a task in a line, and a line for each kind of test in which answers differ."""

from __future__ import annotations

from harness.compare.prose.names import Names
from harness.compare.prose.self_test_sentences import note
from harness.compare.table.agreement import Agreement, agreement
from harness.compare.table.result import TaskResult

TITLES = {
    "batch": "batch vs. single-request outputs",
    "merged": "merged vs. separate adapter",
    "precision": "4-bit vs. full-precision weights",
}
"""The answers that a test compares; a test without a title is called by its name."""


def lines(task: TaskResult) -> list[str]:
    """Write how many self-tests passed, and which answers differ."""
    name = Names(task.rows)
    tests = [(name(row), agreement(check)) for row in task.rows for check in row.checks]
    if not tests:
        return []
    differing: dict[str, list[str]] = {}
    for label, test in tests:
        if test.differing or not test.items:
            differing.setdefault(test.name, []).append(f"{label} {_outcome(test)}")
    passed = len(tests) - sum(map(len, differing.values()))
    count = f"all {passed}" if passed == len(tests) else f"{passed} of {len(tests)}"
    return [
        f"Self-tests: {count} passed.",
        *[f"{TITLES.get(test, test)}: {', '.join(outcomes)}." for test, outcomes in differing.items()],
    ]


def _outcome(test: Agreement) -> str:
    if test.share is None:
        return f"not tested ({note(test) or 'nothing was asked'})"
    return f"{test.differing} of {test.answers} differ"
