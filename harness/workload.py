"""A rough count of what a trial computes, for the time left and nothing else."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from harness.api import Example
from harness.chain import Link
from harness.data.prepare import Prepared
from harness.records import Trial

_GENERATED, _TRAINED, _EMBEDDED = 5.0, 3.0, 0.2
"""Cost of a generated, a trained and an embedded token, in tokens of a prompt: batched generation reaches a fifth of
the rate of reading, a training step is a forward and two backward passes, and an embedder is a fifth of the model."""
_LAYOUT_TOKENS = 30
"""What a chat template and an instruction add to a question."""


def work_tokens(
    trial: Trial, task: Prepared, links: Sequence[Link], probes: Sequence[Prepared], seen_items: int
) -> float:
    """Count the prompt-sized tokens that a trial computes, its search of parameters included."""
    train_items = min(len(task.task_data.train), trial.train_items or len(task.task_data.train))
    adapting, added = _adapting(task, links, train_items)
    asked = len(task.test) + min(seen_items, len(task.test), train_items)
    total = adapting + _asking(task, asked, added)
    total += sum(_asking(probe, len(probe.test), 0) for probe in probes)
    if trial.budget and trial.budget.unit == "trials":
        total += trial.budget.amount * (adapting + _asking(task, len(task.task_data.validation), added))
    return total + (trial.budget.amount if trial.budget and trial.budget.unit == "tokens" else 0)


def _adapting(task: Prepared, links: Sequence[Link], train_items: int) -> tuple[float, float]:
    """Count what the steps compute, and what they add to each prompt."""
    train, corpus = task.task_data.train, task.task_data.corpus
    example = _mean(_tokens(one.query.input) + _tokens(one.references[0]) for one in train)
    passage = _mean(_tokens(one.text) for one in corpus)
    total, added = 0.0, 0.0
    for link in links:
        k, epochs = (float(getattr(link.step, name, default)) for name, default in (("k", 0), ("epochs", 1)))
        if "corpus" in link.step.needs.task:
            added += k * passage
            total += _EMBEDDED * passage * len(corpus)
        elif link.step.changes_weights:
            total += _TRAINED * epochs * train_items * (example + _LAYOUT_TOKENS + added)
        else:
            added += k * example
    return total, added


def _asking(task: Prepared, items: int, added: float) -> float:
    question = _mean(_tokens(one.query.input) for one in task.test) + _LAYOUT_TOKENS
    return items * (question + added + _answer_tokens(task, task.test))


def _answer_tokens(task: Prepared, items: Sequence[Example]) -> float:
    if "choices" in task.task_data.provides:
        return _mean(sum(map(_tokens, one.query.choices or task.task_data.task.choices)) for one in items)
    return _GENERATED * task.task_data.task.max_new_tokens


def _tokens(text: str) -> float:
    return len(text) / 4


def _mean(values: Iterator[float]) -> float:
    every = list(values)
    return sum(every) / len(every) if every else 0.0
