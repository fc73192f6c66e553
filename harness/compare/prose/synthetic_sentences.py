"""Sentences about training items that a model wrote. Names stand between backticks."""

from __future__ import annotations

from collections.abc import Sequence

from harness.compare.prose.names import Names, bare
from harness.compare.prose.numbers import count, listing, metric_title, score
from harness.compare.table.findings import SyntheticTraining
from harness.compare.table.result import StrategyResult, TaskResult


def sentences(task: TaskResult, scored: Sequence[StrategyResult], name: Names) -> list[str]:
    """Say what rows learned of written items, and what the test items that these resemble change.

    Args:
        task: the table.
        scored: its rows that have a score, best first.
        name: names rows.
    """
    taught = [(row, row.synthetic) for row in scored if row.synthetic]
    return [
        *(sentence for row, training in taught if (sentence := _affected(task, row, training, name))),
        *(_same_teacher(row, training, name) for row, training in taught if training.test_teacher),
    ]


def details(row: StrategyResult) -> list[str]:
    """Say how many items of a row were written, kept and learned; empty where none were."""
    training = row.synthetic
    if training is None:
        return []
    share = f"{training.synthetic:,} of {count(training.learned, 'training item')}"
    parts = [f"{share} written by {listing(training.teachers) or 'no model'}"]
    if training.written:
        parts.append(f"{training.kept:,} of {training.written:,} written questions usable")
    if training.near_test:
        parts.append(f"{count(training.near_test, 'row')} dropped as near-duplicates of test items")
    if training.restricted_passages:
        parts.append(f"{count(training.restricted_passages, 'restricted passage')} left out")
    return [", ".join(parts)]


def _affected(task: TaskResult, row: StrategyResult, training: SyntheticTraining, name: Names) -> str:
    """Give the score with and without the test items that a written item was nearly like."""
    if not training.affected or task.primary is None or task.primary not in row.scores:
        return ""
    score_without = score(training.unaffected) if training.unaffected else "none left"
    return (
        f"{name(row)}: {count(training.affected, 'test item')} resembled generated items, which were dropped; "
        f"{metric_title(task.primary)} {score(row.scores[task.primary])}, without these test items {score_without}."
    )


def _same_teacher(row: StrategyResult, training: SyntheticTraining, name: Names) -> str:
    return (
        f"{name(row)} learned from items by `{bare(training.test_teacher or '')}`, which also wrote the test items: "
        "its score is inflated, so it is never recommended."
    )
