"""Data that the page's own script reads: what costs are made of, and examples, with every text stored once."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from harness.compare.cost.money import CostPart, Money
from harness.compare.report.shown_items import ShownItem, TaskExamples
from harness.compare.table.result import Comparison, TaskResult
from harness.render.html.chart import row_name


def as_script(data: Any) -> str:
    """Write data as JSON that can stand in a script element: no character of it can end one."""
    text = json.dumps(data, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    for sign in "<>&\u2028\u2029":
        text = text.replace(sign, f"\\u{ord(sign):04x}")
    return text


def money_data(comparison: Comparison) -> dict[str, Any]:
    """What the cost section computes with: the parts of every strategy's money, and the usage that totals are for."""
    tasks = [task for suite in comparison.suites for task in suite.tasks if priced(task)]
    return {
        "usage": comparison.assumed.usage.model_dump(),
        "tasks": [{"name": task_name(comparison, task), "rows": _rows(task)} for task in tasks],
    }


def priced(task: TaskResult) -> list[tuple[str, Money]]:
    """The rows of a task that have a price, by name."""
    return [(row_name(task, row), row.money) for row in task.rows if row.money]


def task_name(comparison: Comparison, task: TaskResult) -> str:
    """A task's name, with its suite's where there are several."""
    return f"{task.suite}: {task.name}" if len(comparison.suites) > 1 else task.name


def example_data(comparison: Comparison, examples: Sequence[TaskExamples]) -> dict[str, Any]:
    """The examples, with prompts divided into what all of one strategy's begin with and the rest."""
    texts = _Texts()
    tasks = {(task.suite, task.name): task for suite in comparison.suites for task in suite.tasks}
    shown = [_task(comparison, tasks[one.suite, one.task], one, texts) for one in examples]
    return {"tasks": shown, "texts": texts.every}


class _Texts:
    """Texts by number, each kept once."""

    def __init__(self) -> None:
        self.every: list[str] = []
        self._places: dict[str, int] = {}

    def place(self, text: str) -> int:
        if text not in self._places:
            self._places[text] = len(self.every)
            self.every.append(text)
        return self._places[text]


def _task(comparison: Comparison, task: TaskResult, found: TaskExamples, texts: _Texts) -> dict[str, Any]:
    rows = sorted({answer.row for one in found.examples for answer in one.answers})
    prompts = {row: [a.prompt for one in found.examples for a in one.answers if a.row == row] for row in rows}
    begin = {row: _beginning(own) for row, own in prompts.items()}
    return {
        "name": task_name(comparison, task),
        "metric": found.metric,
        "items": found.items,
        "disagreeing": found.disagreeing,
        "rows": [row_name(task, task.rows[row]) for row in rows],
        "begin": [texts.place(begin[row]) for row in rows],
        "examples": [_example(one, begin, texts) for one in found.examples],
    }


def _example(example: ShownItem, begin: dict[int, str], texts: _Texts) -> dict[str, Any]:
    return {
        "id": example.id,
        "input": texts.place(example.input),
        "references": example.references,
        "choices": example.choices,
        "evidence": example.evidence,
        "answers": [
            {
                "a": answer.answer,
                "r": answer.right,
                "s": None if answer.score is None else round(answer.score, 4),
                "o": texts.place(answer.output),
                "p": texts.place(answer.prompt[len(begin[answer.row]) :]),
                "d": answer.passages,
                "h": texts.place(answer.parsed),
            }
            for answer in example.answers
        ],
    }


def _rows(task: TaskResult) -> list[dict[str, Any]]:
    return [
        {
            "name": name,
            "fixed": [_part(part) for part in money.fixed],
            "request": [_part(part) for part in money.per_request],
            "month": [_part(part) for part in money.per_month],
            "update": [_part(part) for part in money.per_update],
        }
        for name, money in priced(task)
    ]


def _part(part: CostPart) -> dict[str, Any]:
    return {
        "what": part.what,
        "quantity": part.quantity,
        "low": part.low,
        "high": part.high,
        "unit": part.unit,
        "usd": part.price_usd,
        "price": part.price,
        "spreads": part.spreads,
    }


def _beginning(texts: Sequence[str]) -> str:
    """What all texts begin with; nothing of a single one."""
    first, last = min(texts), max(texts)
    if len(texts) < 2:
        return ""
    return first[: next((place for place, (a, b) in enumerate(zip(first, last, strict=False)) if a != b), len(first))]
