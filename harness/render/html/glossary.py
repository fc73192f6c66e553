"""What the names of strategies mean, in one line each."""

from __future__ import annotations

import re
from collections.abc import Mapping

from harness.compare.table.result import Comparison
from harness.errors import HarnessError
from harness.plan.discover import describe


def step_names(label: str) -> list[str]:
    """Names of the steps of a row: ``rag(k=1)+lora [8 trials]`` has ``rag`` and ``lora``."""
    return re.findall(r"(?:^|\+)(\w+)", re.sub(r"\([^()]*\)|\[[^\]]*\]| · .*", "", label))


def glossary(comparison: Comparison) -> dict[str, str]:
    """Summary of each step in a comparison, by name; steps that are not installed here are left out."""
    rows = [row for suite in comparison.suites for task in suite.tasks for row in task.rows]
    names = sorted({name for row in rows for name in step_names(row.label)})
    return {name: summary for name in names if (summary := _summary(name))}


def explain(label: str, glossary: Mapping[str, str]) -> str:
    """Explain each step of a row, a line each; empty where none is known."""
    return "\n".join(f"{name}: {glossary[name]}" for name in step_names(label) if name in glossary)


def _summary(name: str) -> str:
    try:
        return describe(name).summary
    except HarnessError:
        return ""
