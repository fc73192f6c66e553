"""JSON data for the page's scripts: components of costs, and examples with every text stored once."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any, NamedTuple

from harness.compare.cost.money import CostPart, Money
from harness.compare.report.shown_items import ShownItem, TaskExamples
from harness.compare.table.result import Comparison, TaskResult
from harness.render.html.chart import row_name
from harness.render.text.json_text import escape_steering


def as_script(data: Any) -> str:
    """Write data as JSON for a script element, escaped so that it cannot close the element."""
    text = json.dumps(data, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    for sign in "<>&":
        text = text.replace(sign, f"\\u{ord(sign):04x}")
    return escape_steering(text)


def money_data(comparison: Comparison) -> dict[str, Any]:
    """Inputs of the cost section: the cost parts of every strategy, and the assumed usage."""
    tasks = [task for suite in comparison.suites for task in suite.tasks if priced_rows(task)]
    return {
        "usage": comparison.assumed.usage.model_dump(),
        "tasks": [{"name": task_name(comparison, task), "rows": _rows(task)} for task in tasks],
    }


class PricedRow(NamedTuple):
    """A row with its money; `tied`: best or tied with the best."""

    name: str
    money: Money
    tied: bool


def priced_rows(task: TaskResult) -> list[PricedRow]:
    """The priced rows of a task."""
    return [PricedRow(row_name(task, row), row.money, bool(row.tied_for_best)) for row in task.rows if row.money]


def task_name(comparison: Comparison, task: TaskResult) -> str:
    """Name of a task, with its suite's where there are several."""
    return f"{task.suite}: {task.name}" if len(comparison.suites) > 1 else task.name


def example_data(comparison: Comparison, examples: Sequence[TaskExamples]) -> dict[str, Any]:
    """Examples; each strategy's prompts are split into their common prefix and the remainder."""
    texts = _TextTable()
    tasks = {(task.suite, task.name): task for suite in comparison.suites for task in suite.tasks}
    entries = [
        _task(comparison, tasks[task_examples.suite, task_examples.task], task_examples, texts)
        for task_examples in examples
    ]
    return {"tasks": entries, "texts": texts.texts}


class _TextTable:
    """Unique texts, referred to by index."""

    def __init__(self) -> None:
        self.texts: list[str] = []
        self._indices: dict[str, int] = {}

    def index(self, text: str) -> int:
        if text not in self._indices:
            self._indices[text] = len(self.texts)
            self.texts.append(text)
        return self._indices[text]


def _task(comparison: Comparison, task: TaskResult, task_examples: TaskExamples, texts: _TextTable) -> dict[str, Any]:
    rows = sorted({answer.row for example in task_examples.examples for answer in example.answers})
    prompts = {
        row: [a.prompt for example in task_examples.examples for a in example.answers if a.row == row] for row in rows
    }
    prefixes = {row: _common_prefix(row_prompts) for row, row_prompts in prompts.items()}
    return {
        "name": task_name(comparison, task),
        "metric": task_examples.metric,
        "items": task_examples.items,
        "disagreeing": task_examples.disagreeing,
        "rows": [row_name(task, task.rows[row]) for row in rows],
        "begin": [texts.index(prefixes[row]) for row in rows],
        "examples": [_example(example, prefixes, texts) for example in task_examples.examples],
    }


def _example(example: ShownItem, prefixes: dict[int, str], texts: _TextTable) -> dict[str, Any]:
    return {
        "id": example.id,
        "input": texts.index(example.input),
        "references": example.references,
        "choices": example.choices,
        "evidence": example.evidence,
        "restricted": example.restricted,
        "answers": [
            {
                "a": answer.answer,
                "r": answer.right,
                "s": None if answer.score is None else round(answer.score, 4),
                "o": texts.index(answer.output),
                "p": texts.index(answer.prompt[len(prefixes[answer.row]) :]),
                "d": answer.passages,
                "h": texts.index(answer.parsed),
            }
            for answer in example.answers
        ],
    }


def _rows(task: TaskResult) -> list[dict[str, Any]]:
    return [
        {
            "name": name,
            "tied": tied,
            "fixed": [_part(part) for part in money.fixed],
            "request": [_part(part) for part in money.per_request],
            "month": [_part(part) for part in money.per_month],
            "update": [_part(part) for part in money.per_update],
        }
        for name, money, tied in priced_rows(task)
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


def _common_prefix(texts: Sequence[str]) -> str:
    """Longest common prefix; empty for a single text."""
    first, last = min(texts), max(texts)
    if len(texts) < 2:
        return ""
    return first[: next((index for index, (a, b) in enumerate(zip(first, last, strict=False)) if a != b), len(first))]
