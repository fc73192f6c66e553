"""Metrics during training: the system answers a few items of each split, as it will after training."""

from __future__ import annotations

import random
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from statistics import fmean
from typing import Literal

import numpy as np
import torch

from harness.api import Example, ModelAwareRetriever, Passage, Query, Retriever, System, Task, TaskData
from harness.metrics import Items, get
from harness.predict.answering import Prediction, predict
from harness.predict.label_calibration import reread
from harness.predict.prediction_rows import build_rows
from harness.training.training_samples import task_systems

Split = Literal["train", "validation"]


@dataclass(frozen=True)
class MonitoredTasks:
    """The tasks to score during training: a system and its training material for each task that is learned.

    Attributes:
        pairs: the system that asks a task, and the task's material.
        items: of each split, at most: the first ones of the validation split, and as many of the training split.
    """

    pairs: tuple[tuple[System, TaskData], ...]
    items: int

    @property
    def count(self) -> int:
        """Items that are asked in all, of both splits."""
        return sum(2 * min(self.items, len(task.validation)) for _, task in self.pairs)

    def scores(self) -> dict[str, float]:
        """Ask and score. The model stays in eval mode; the state of all random numbers is restored.

        Returns:
            Each task's first metric, by ``validation_NAME`` and ``train_NAME``; where several tasks have the same
            metric, its mean over them.
        """
        scores: dict[str, list[float]] = {}
        with _preserve_random_state():
            for system, task in self.pairs:
                validation = task.validation[: self.items]
                splits: dict[Split, Sequence[Example]] = {
                    "validation": validation,
                    "train": task.train[: len(validation)],
                }
                inputs = predict(system, [example.query for example in validation])
                for split, examples in splits.items():
                    raw = inputs if split == "validation" else predict(system, [example.query for example in examples])
                    score = _score(
                        task, system.task, examples, reread(raw, task.train, system.task, validation, inputs)
                    )
                    if score is not None:
                        scores.setdefault(f"{split}_{task.metrics[0]}", []).append(score)
        return {name: fmean(values) for name, values in scores.items()}

    def validation_score(self, scores: dict[str, float]) -> float:
        """Return the mean of the validation scores, lower-is-better ones negated: higher is better.

        A metric without a direction does not count.
        """
        directions = {f"validation_{task.metrics[0]}": get(task.metrics[0]).higher_is_better for _, task in self.pairs}
        signed = [
            scores[name] if up else -scores[name]
            for name, up in directions.items()
            if up is not None and name in scores
        ]
        return fmean(signed) if signed else 0.0


def monitor_tasks(system: System, task: TaskData, items: int) -> MonitoredTasks | None:
    """Return the tasks to score while `system` learns `task`; None without a metric, a validation split or `items`.

    Reasoning is left out: training on answers does not change it, and it would cost more than the training.
    """
    pairs = tuple(
        (task_system.replace(reasoning=None, retriever=_cache_passages(task_system.retriever)), part)
        for task_system, part in task_systems(system, task)
        if part.metrics and part.validation
    )
    return MonitoredTasks(pairs, items) if pairs and items else None


def _score(data: TaskData, task: Task, examples: Sequence[Example], predictions: Sequence[Prediction]) -> float | None:
    """Score predictions by the first metric of `data`; `task` is as the system asks it."""
    rows = [
        row.model_copy(update={"id": str(index)})  # tasks that are learned together may share ids
        for index, row in enumerate(build_rows(task, examples, predictions))
    ]
    return get(data.metrics[0]).value(Items.from_rows(rows, task.choices))


class _CachedRetriever:
    """A retriever that looks each query up once: its passages don't change while the model learns."""

    def __init__(self, inner: Retriever) -> None:
        self.inner = inner
        self.passages: dict[Query, tuple[Passage, ...]] = {}

    @property
    def max_passages(self) -> int:
        """Passages that a query gets at most."""
        return self.inner.max_passages

    def find(self, queries: Sequence[Query]) -> list[tuple[Passage, ...]]:
        """Return the passages for each query, best first."""
        new = [query for query in dict.fromkeys(queries) if query not in self.passages]
        if new:
            self.passages |= zip(new, self.inner.find(new), strict=True)
        return [self.passages[query] for query in queries]


def _cache_passages(retriever: Retriever | None) -> Retriever | None:
    return retriever if retriever is None or isinstance(retriever, ModelAwareRetriever) else _CachedRetriever(retriever)


@contextmanager
def _preserve_random_state() -> Generator[None]:
    """Restore the state of Python's, numpy's and torch's random numbers: monitoring must change no result."""
    python_state, numpy_state = random.getstate(), np.random.get_state()  # noqa: NPY002 - libraries draw from the global one
    try:
        with torch.random.fork_rng():
            yield
    finally:
        random.setstate(python_state)
        np.random.set_state(numpy_state)  # noqa: NPY002 - libraries draw from the global one
