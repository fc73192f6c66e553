"""Sentences on how answers were read, and on rows that give one answer to nearly every item."""

from __future__ import annotations

from collections.abc import Sequence

from harness.compare.prose.names import Names
from harness.compare.prose.numbers import change, score
from harness.compare.table.findings import Reading, SingleAnswer
from harness.compare.table.result import StrategyResult, TaskResult

_HOW: dict[Reading, str] = {
    "calibrated": "scored labels, calibrated",
    "raw": "scored labels, not calibrated",
    "scored": "scored choices",
    "constrained": "one of the choices generated, not calibrated",
    "written": "generated text, not calibrated",
}


def sentences(scored: Sequence[StrategyResult], name: Names) -> list[str]:
    """Say which rows give one answer, and where rows are read in different ways."""
    return [
        *[single_answer(row.single_answer, name(row)) for row in scored if row.single_answer],
        _unlike(scored, name),
    ]


def single_answer(single: SingleAnswer, subject: str) -> str:
    """Say what a row answers nearly always, and whether that is better than doing so always."""
    share = "all items" if single.share == 1 else f"{single.share:.1%} of the items"
    if single.better:
        verdict = f", yet is clearly better than that constant answer: {change(single.change)}" if single.change else ""
    else:
        verdict = ", not clearly better than that constant answer" if single.share < 1 else ""
    return f"{subject} answers '{single.answer.replace('`', '_')}' to {share}{verdict}."


def constant_sentence(task: TaskResult, scored: Sequence[StrategyResult], name: Names) -> str:
    """Say that nothing is clearly better than the constant answer, where that is a row."""
    constant = next((row for row in scored if row.traits and row.traits.constant and row.tied_for_best), None)
    if constant is None or len(scored) < 2 or task.primary is None:
        return ""
    return (
        f"No strategy is clearly better than the majority answer ({name(constant)}, "
        f"{score(constant.scores[task.primary])})."
    )


def pair_sentence(first: tuple[str, Reading | None], second: tuple[str, Reading | None]) -> str:
    """Say that two strategies are read in different ways; empty where they are not, or it is not known.

    Args:
        first: name between backticks, and how its answers were read.
        second: the same of the other.
    """
    (first_name, first_reading), (second_name, second_reading) = first, second
    if not first_reading or not second_reading or first_reading == second_reading:
        return ""
    return (
        f"Answers are read in different ways ({first_name}: {_HOW[first_reading]}; {second_name}: "
        f"{_HOW[second_reading]}), which may explain part of a difference."
    )


def _unlike(scored: Sequence[StrategyResult], name: Names) -> str:
    """Name the rows of each reading where there are several."""
    groups = [
        f"{name.all(rows)} ({text})"
        for how, text in _HOW.items()
        if (rows := [row for row in scored if row.reading == how])
    ]
    if len(groups) < 2:
        return ""
    return f"Answers are read in different ways: {'; '.join(groups)}, which may explain part of a difference."
