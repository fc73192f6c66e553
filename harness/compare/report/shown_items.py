"""Items on which strategies disagree: what was asked, what each answered, and which of them were right.

A report shows them so that a reader sees what a difference between two scores consists of.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from harness.compare.table.result import Comparison, StrategyResult, TaskResult
from harness.compare.trials.stored_trials import TrialWithRows
from harness.metrics import Items, get
from harness.records.measurements import StoredModel
from harness.records.record import Completed, Trial
from harness.store.column_file import TableColumns
from harness.store.redaction import redact

RIGHT = 0.5
"""An answer counts as right from this score of an item on; 0 and 1 are the only scores of most metrics."""
LONGEST = 6_000
"""Characters of a prompt, an output or an input that are shown; of longer ones the middle is left out."""
BUDGET_BYTES = 1_500_000
"""Of text in all examples of a report."""
MOST = 200
"""Examples of one task."""
ROWS = 24
"""Strategies whose answers are shown, the best first."""
ANSWER_BYTES = 110
"""Of what stands around an answer."""


class ShownAnswer(StoredModel):
    """What one strategy made of an item.

    Attributes:
        row: its row in the task's table, from 0.
        answer: what was read from the output; None where nothing could be.
        parsed: how it was read.
        score: of the item on the task's primary metric; None where that metric has none for single items.
        right: whether the score is at least `RIGHT`; None where it is not known.
        passages: ids of those that were sent, best first.
    """

    row: int
    answer: str | None
    parsed: str
    output: str
    prompt: str
    score: float | None
    right: bool | None
    passages: tuple[str, ...] = ()


class ShownItem(StoredModel):
    """One item with the answers of all strategies.

    Attributes:
        restricted: whether some of its texts are not for everybody.
    """

    id: str
    input: str
    references: tuple[str, ...]
    choices: tuple[str, ...] = ()
    evidence: tuple[str, ...] = ()
    restricted: bool = False
    answers: tuple[ShownAnswer, ...]


class TaskExamples(StoredModel):
    """The examples of one task.

    Attributes:
        disagreeing: items on which at least one strategy is right and one is wrong; items: that were asked.
        examples: as many of the disagreeing as there is room for, drawn evenly.
    """

    suite: str
    task: str
    metric: str
    items: int
    disagreeing: int
    examples: tuple[ShownItem, ...]


def examples_of(
    trials: Iterable[TrialWithRows],
    comparison: Comparison,
    budget_bytes: int = BUDGET_BYTES,
    *,
    redacted: bool = False,
) -> tuple[TaskExamples, ...]:
    """Choose, for each task, the items on which strategies disagree; of several seeds, the first that finished.

    Args:
        trials: the stored trials that the comparison was made of.
        comparison: says which strategies stand in which row.
        budget_bytes: of text, shared evenly among the tasks.
        redacted: leave out the texts of restricted items.

    Raises:
        HarnessError: a trial's rows are damaged.
    """
    places = {trial.record.trial.place: trial for trial in trials if isinstance(trial.record, Completed)}
    tasks = [task for suite in comparison.suites for task in suite.tasks if task.primary and len(_shown(task)) > 1]
    share = budget_bytes // max(1, len(tasks))
    return tuple(examples for task in tasks if (examples := _task(task, places, share, redacted=redacted)))


def _shown(task: TaskResult) -> list[tuple[int, StrategyResult]]:
    return [(index, row) for index, row in enumerate(task.rows) if row.status == "completed"][:ROWS]


def _task(
    task: TaskResult, stored: Mapping[Any, TrialWithRows], budget_bytes: int, *, redacted: bool
) -> TaskExamples | None:
    tables: dict[int, dict[str, dict[str, Any]]] = {}
    for index, row in _shown(task):
        if (trial := stored.get(_place(task, row))) and isinstance(trial.record, Completed):
            tables[index] = _rows(trial, task)
    if len(tables) < 2:
        return None
    common = sorted(set.intersection(*[set(rows) for rows in tables.values()]))
    differing = [name for name in common if _disagree([rows[name] for rows in tables.values()])]
    chosen: list[ShownItem] = []
    for name in sorted(differing, key=_shuffled):
        item_rows = {index: rows[name] for index, rows in tables.items()}
        restricted = any(row.get("restricted") for row in item_rows.values())
        if redacted:
            item_rows = {index: redact(row | {"restricted": restricted}) for index, row in item_rows.items()}
        example = _example(item_rows, restricted=restricted)
        budget_bytes -= _size(example, chosen)
        if budget_bytes < 0 or len(chosen) == MOST:
            break
        chosen.append(example)
    return TaskExamples(
        suite=task.suite,
        task=task.name,
        metric=task.primary or "",
        items=len(common),
        disagreeing=len(differing),
        examples=tuple(chosen),
    )


def _place(task: TaskResult, row: StrategyResult) -> Any:
    first = next(trial for trial in row.trials if trial.status == "completed")
    return Trial(
        suite=task.suite,
        task=task.name,
        strategy=row.strategy,
        model=row.model,
        seed=first.seed,
        train_items=first.train_items,
        budget=row.budget,
    ).place


def _rows(trial: TrialWithRows, task: TaskResult) -> dict[str, dict[str, Any]]:
    """The rows of the task's own items by id, each with its `score` and whether it is `right`."""
    table: Any = trial.table()
    targets = zip(table.column("task").to_pylist(), table.column("role").to_pylist(), strict=True)
    table = table.take([index for index, (name, role) in enumerate(targets) if (name, role) == (task.name, "target")])
    rows: list[dict[str, Any]] = table.to_pylist()
    labels = trial.record.tasks[0].labels if isinstance(trial.record, Completed) else ()
    scores = _scores(Items.from_columns(TableColumns(table), labels), task) if rows else []
    return {row["id"]: row | {"score": score} for row, score in zip(rows, scores, strict=True)}


def _scores(items: Items, task: TaskResult) -> Sequence[float | None]:
    metric = get(task.primary or "")
    if not metric.is_mean or metric.higher_is_better is not True or metric.bounds != (0.0, 1.0):
        return [None] * len(items)
    scores = np.where(metric.defined(items), metric.statistics(items)[:, 0], np.nan)
    return [None if np.isnan(score) else float(score) for score in scores]


def _right(row: Mapping[str, Any]) -> bool | None:
    return None if row["score"] is None else row["score"] >= RIGHT


def _disagree(rows: Sequence[Mapping[str, Any]]) -> bool:
    """Whether some are right and some wrong; where that is not known, whether the answers differ."""
    verdicts = {_right(row) for row in rows}
    return len(verdicts - {None}) > 1 if verdicts != {None} else len({row["answer"] for row in rows}) > 1


def _example(rows: Mapping[int, Mapping[str, Any]], *, restricted: bool) -> ShownItem:
    first = next(iter(rows.values()))
    answers = [
        ShownAnswer(
            row=index,
            answer=row["answer"],
            parsed=row["parsed"],
            output=_cut(row["output"]),
            prompt=_cut(row["prompt"]),
            score=row["score"],
            right=_right(row),
            passages=tuple(row["passages"] or ()),
        )
        for index, row in rows.items()
    ]
    return ShownItem(
        id=first["id"],
        input=_cut(first.get("input") or ""),
        references=tuple(first["references"]),
        choices=tuple(first["choices"] or ()),
        evidence=tuple(first["evidence"] or ()),
        restricted=restricted,
        answers=tuple(answers),
    )


def _cut(text: str) -> str:
    """Leave out the middle of what is too long to be shown, and say how much."""
    if len(text) <= LONGEST:
        return text
    half = LONGEST // 2
    return f"{text[:half]}\n[… {len(text) - 2 * half:,} characters left out …]\n{text[-half:]}"


def _size(example: ShownItem, before: Sequence[ShownItem]) -> int:
    """Bytes of an example's texts; a prompt that another strategy sent as well, or its like beginning, counts once."""
    last = {answer.row: answer.prompt for answer in before[-1].answers} if before else {}
    texts = {answer.prompt[_alike(answer.prompt, last.get(answer.row, "")) :] for answer in example.answers}
    texts |= {answer.output for answer in example.answers}
    answers = sum(len((answer.answer or "").encode()) + ANSWER_BYTES for answer in example.answers)
    return sum(len(text.encode()) for text in texts) + answers + len(example.input.encode()) + 100


def _alike(first: str, other: str) -> int:
    end = min(len(first), len(other))
    return next((index for index in range(end) if first[index] != other[index]), end)


def _shuffled(name: str) -> str:
    """An order that has nothing to do with the items' own, the same every time."""
    return hashlib.sha256(name.encode()).hexdigest()
