"""Constraints of a user, and the result of checking one strategy against one of them."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Literal

from harness.compare.table.result import TaskResult
from harness.errors import HarnessError, unknown
from harness.metrics import get
from harness.records.measurements import StoredModel

Objective = Literal["quality", "cost", "latency", "memory"]
Expertise = Literal["none", "some", "ml"]
_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)")


class Bar(StoredModel):
    """A score that a system must reach.

    Attributes:
        task: on which task; None: on every one that has the metric.
        value: as good as this, in the metric's own direction.
    """

    task: str | None = None
    metric: str
    value: float

    def __str__(self) -> str:
        """Write it as it was given."""
        return f"{self.task}.{self.metric}={self.value:g}" if self.task else f"{self.metric}={self.value:g}"


class Constraints(StoredModel):
    """What a user can accept, and what is wanted most; None and False: no matter.

    Attributes:
        max_gpu_gb: of the GPU's memory, GiB, as cards are sold; max_memory_gb: of the host's.
        max_usd_month: the total over the horizon, spread evenly over its months.
        max_retention_loss: of the score, from 0 to 1, on any task that was not trained on; other units are left out.
        labels: so many training items can be labelled; 0: none.
        expertise: who is there to train: nobody, somebody who has done it with a recipe, or a specialist.
        data_private: what it learns from may not reach everybody who asks.
        data_stays: nothing that is asked or learned from may leave this machine and the house.
        must_cite: an answer must name the passage that it comes from.
        permissions: users may read different documents.
        objective: what decides among those that are not clearly worse than the best.
    """

    max_gpu_gb: float | None = None
    max_memory_gb: float | None = None
    max_latency_p95_ms: float | None = None
    max_usd_month: float | None = None
    min_metrics: tuple[Bar, ...] = ()
    max_retention_loss: float | None = None
    labels: int | None = None
    expertise: Expertise | None = None
    data_private: bool = False
    data_stays: bool = False
    must_cite: bool = False
    permissions: bool = False
    objective: Objective = "quality"

    def flags(self, *, facts_change: bool) -> frozenset[str]:
        """Name what rules are asked about."""
        values = {
            "data_private": self.data_private,
            "must_cite": self.must_cite,
            "permissions": self.permissions,
            "facts_change": facts_change,
            "expertise_none": self.expertise == "none",
            "expertise_some": self.expertise in ("none", "some"),
        }
        return frozenset(name for name, holds in values.items() if holds)


class ConstraintCheck(StoredModel):
    """Whether one strategy keeps to one constraint.

    Attributes:
        constraint: as it was given, e.g. ``--max-memory-gb 2``.
        ok: by the figure's value; None: it was not measured.
        sure: whether its whole interval says the same; None: it has no interval.
        text: the figure, and what it misses or why it is not known.
        miss: by how much it fails, as a share of the limit; None where it does not, or where that has no meaning.
        value: the figure; limit: what it may be; None for a rule.
        remedy: how what is not known can be measured; subject: what is not known, such as ``p95 latency``.
    """

    constraint: str
    ok: bool | None
    sure: bool | None = None
    text: str
    miss: float | None = None
    value: float | None = None
    limit: float | None = None
    remedy: str | None = None
    subject: str | None = None


def parse_bar(text: str) -> Bar:
    """Read ``TASK.METRIC=X``, or ``METRIC=X`` for every task.

    Raises:
        HarnessError: the text is not of that form, or no metric has that name.
    """
    name, equals, value = text.partition("=")
    task, _, metric = name.strip().rpartition(".")
    if not equals or not metric or not _NUMBER.fullmatch(value.strip()):
        raise HarnessError(f"--min-metric {text!r}: write TASK.METRIC=X, such as questions.token_f1=0.3.")
    try:
        get(metric)
    except HarnessError as error:
        raise HarnessError(f"--min-metric {text!r}: {error}") from None
    return Bar(task=task or None, metric=metric, value=float(value))


def check_bars(bars: Sequence[Bar], tasks: Sequence[TaskResult]) -> None:
    """Refuse a bar that no task could be held to.

    Raises:
        HarnessError: no such task, or the task has no such metric.
    """
    names = {task.name: task for task in tasks}
    for bar in bars:
        if bar.task is not None and bar.task not in names:
            raise unknown("task", bar.task, names, where=f"--min-metric {bar}")
        bar_tasks = [names[bar.task]] if bar.task else tasks
        metrics = sorted({metric for task in bar_tasks for metric in task.metrics})
        if bar.metric not in metrics:
            raise unknown("metric", bar.metric, metrics, where=f"--min-metric {bar}")
