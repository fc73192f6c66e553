"""The task's metric while a training goes on: the system asked as it will be, on a few items of each split."""

from __future__ import annotations

import random
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from statistics import fmean
from typing import Literal

import numpy as np
import torch

from harness.api import Example, ModelAwareRetriever, Passage, Query, Retriever, System, TaskData
from harness.metrics import Items, get
from harness.predict.answering import ask
from harness.predict.prediction_rows import rows_of
from harness.training.training_samples import systems

Split = Literal["train", "validation"]


@dataclass(frozen=True)
class MonitoredTasks:
    """The systems whose answers are scored, one for each task that is learned, each with its task's material.

    Attributes:
        items: asked of each split, at most: the first ones of the validation split, and as many of the training split.
    """

    pairs: tuple[tuple[System, TaskData], ...]
    items: int

    def scores(self) -> dict[str, float]:
        """Ask and score; the model stays in eval mode, and the state of all random numbers as it was.

        Returns:
            The task's first metric by ``validation_NAME`` and ``train_NAME``. Of several tasks each with its own, a
            metric is the mean over those that have it.
        """
        found: dict[str, list[float]] = {}
        with _random_state_kept():
            for system, data in self.pairs:
                chosen = data.validation[: self.items]
                parts: dict[Split, Sequence[Example]] = {"validation": chosen, "train": data.train[: len(chosen)]}
                for split, examples in parts.items():
                    value = _score(system, data.metrics[0], examples)
                    if value is not None:
                        found.setdefault(f"{split}_{data.metrics[0]}", []).append(value)
        return {name: fmean(values) for name, values in found.items()}

    def better(self, scores: dict[str, float]) -> float:
        """Return one number that is higher for better validation scores: their mean, those turned that should be low.

        A metric that only describes does not count.
        """
        directions = {f"validation_{data.metrics[0]}": get(data.metrics[0]).higher_is_better for _, data in self.pairs}
        signed = [
            scores[name] if up else -scores[name]
            for name, up in directions.items()
            if up is not None and name in scores
        ]
        return fmean(signed) if signed else 0.0


def asked(system: System, task: TaskData, items: int) -> MonitoredTasks | None:
    """Return what to score while `system` learns a task; None where there is no metric, no validation split or no item.

    Reasoning is left out: a training on answers does not change it, and it would cost more than the training.
    """
    pairs = tuple(
        (one.replace(reasoning=None, retriever=_remembered(one.retriever)), data)
        for one, data in systems(system, task)
        if data.metrics and data.validation
    )
    return MonitoredTasks(pairs, items) if pairs and items else None


def _score(system: System, metric: str, examples: Sequence[Example]) -> float | None:
    predictions = ask(system, [example.query for example in examples])
    rows = [
        row.model_copy(update={"id": str(place)})  # tasks that are learned together may share ids
        for place, row in enumerate(rows_of(system.task, examples, predictions))
    ]
    return get(metric).value(Items.from_rows(rows, system.task.choices))


class _Remembered:
    """A retriever that finds each query's passages once: they don't change while the model learns."""

    def __init__(self, inner: Retriever) -> None:
        self.inner = inner
        self.found: dict[Query, tuple[Passage, ...]] = {}

    def find(self, queries: Sequence[Query]) -> list[tuple[Passage, ...]]:
        """Return the passages for each query, best first."""
        new = [query for query in dict.fromkeys(queries) if query not in self.found]
        if new:
            self.found |= zip(new, self.inner.find(new), strict=True)
        return [self.found[query] for query in queries]


def _remembered(retriever: Retriever | None) -> Retriever | None:
    return retriever if retriever is None or isinstance(retriever, ModelAwareRetriever) else _Remembered(retriever)


@contextmanager
def _random_state_kept() -> Generator[None]:
    """Put the states of Python's, numpy's and torch's random numbers back: to be watched must change no result."""
    python, arrays = random.getstate(), np.random.get_state()  # noqa: NPY002 - libraries draw from the global one
    try:
        with torch.random.fork_rng():
            yield
    finally:
        random.setstate(python)
        np.random.set_state(arrays)  # noqa: NPY002 - libraries draw from the global one
