"""What a user can accept, and whether one strategy's figures keep to it.

A figure decides by its value; its interval says how sure that is. A figure that was not measured excludes nothing: the
strategy stays, and what is unknown is said, with how to measure it.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import Literal

from harness.compare.result import StrategyResult, TaskResult
from harness.compare.words import change, metric_title, score, usd
from harness.errors import HarnessError, unknown
from harness.metrics import get
from harness.records import Frozen

Objective = Literal["quality", "cost", "latency", "memory"]
Expertise = Literal["none", "some", "ml"]
GIB = 1024**3
_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)")


class Bar(Frozen):
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


class Constraints(Frozen):
    """What a user can accept, and what is wanted most; None and False: no matter.

    Attributes:
        max_gpu_gb: of the GPU's memory, GiB, as cards are sold; max_memory_gb: of the host's.
        max_usd_month: the total over the horizon, spread evenly over its months.
        max_retention_loss: of the score on any task that was not trained on, in that metric's unit.
        labels: so many training items can be labelled; 0: none.
        expertise: who is there to train: nobody, somebody who has done it with a recipe, or a specialist.
        data_private: what it learns from may not reach everybody who asks.
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
    must_cite: bool = False
    permissions: bool = False
    objective: Objective = "quality"

    def flags(self, *, facts_change: bool) -> frozenset[str]:
        """Name what rules are asked about."""
        said = {
            "data_private": self.data_private,
            "must_cite": self.must_cite,
            "permissions": self.permissions,
            "facts_change": facts_change,
            "expertise_none": self.expertise == "none",
            "expertise_some": self.expertise in ("none", "some"),
        }
        return frozenset(name for name, holds in said.items() if holds)


class Finding(Frozen):
    """Whether one strategy keeps to one constraint.

    Attributes:
        constraint: as it was given, e.g. ``--max-memory-gb 2``.
        ok: by the figure's value; None: it was not measured.
        sure: whether its whole interval says the same; None: it has no interval.
        text: the figure, and what it misses or why it is not known.
        miss: by how much it fails, as a share of the limit; None where it does not, or where that has no meaning.
        value: the figure; limit: what it may be; None for a rule.
        remedy: how what is not known can be measured.
    """

    constraint: str
    ok: bool | None
    sure: bool | None = None
    text: str
    miss: float | None = None
    value: float | None = None
    limit: float | None = None
    remedy: str | None = None


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
        asked = [names[bar.task]] if bar.task else tasks
        known = sorted({metric for task in asked for metric in task.metrics})
        if bar.metric not in known:
            raise unknown("metric", bar.metric, known, where=f"--min-metric {bar}")


def findings(row: StrategyResult, task: TaskResult, limits: Constraints) -> list[Finding]:
    """Hold one finished strategy against every constraint that was given."""
    cost, money = row.cost, row.money
    found = [
        _most("--max-gpu-gb", limits.max_gpu_gb, cost.gpu_peak_bytes if cost else None, _GPU),
        _most("--max-memory-gb", limits.max_memory_gb, cost.host_peak_bytes if cost else None, _HOST),
        _latency(row, limits.max_latency_p95_ms),
        _most("--max-usd-month", limits.max_usd_month, money.monthly_bill_usd() if money else None, _BILL),
        *[_bar(row, bar) for bar in limits.min_metrics if bar.task in (None, task.name) and bar.metric in task.metrics],
        _retention(row, limits.max_retention_loss),
        _labels(row, limits.labels),
    ]
    return [one for one in found if one]


class _Figure(Frozen):
    """How a figure with an upper limit is told: its unit, what it counts in, and how it is measured."""

    what: str
    unit: str
    scale: float
    remedy: str


_GPU = _Figure(
    what="GPU memory",
    unit="GiB",
    scale=GIB,
    remedy="run it on a machine with a GPU; 'harness fits MODEL --strategy NAME --gpu NAME' predicts it",
)
_HOST = _Figure(what="memory", unit="GiB", scale=GIB, remedy="run it on Linux, where a process's peak can be read")
_BILL = _Figure(
    what="cost", unit="USD a month", scale=1, remedy="--hardware NAME or --prices FILE gives its machine a price"
)
_P95 = _Figure(
    what="p95 latency", unit="ms", scale=1e-3, remedy="'harness run SUITE --requests 60' asks items as requests"
)


def _most(flag: str, limit: float | None, measured: float | None, figure: _Figure) -> Finding | None:
    if limit is None:
        return None
    name = f"{flag} {limit:g}"
    if measured is None:
        return Finding(constraint=name, ok=None, text=f"{figure.what} was not measured", remedy=figure.remedy)
    value = measured / figure.scale
    ok = value <= limit
    over = "" if ok else f", {usd(value - limit)} over {name}"
    return Finding(
        constraint=name,
        ok=ok,
        text=f"{usd(value)} {figure.unit} of {figure.what}{over}".replace(" of cost", ""),
        miss=None if ok else (value - limit) / limit if limit else None,
        value=value,
        limit=limit,
    )


def _latency(row: StrategyResult, limit: float | None) -> Finding | None:
    timed = row.cost.latency if row.cost else None
    slow = next((one for one in timed.wall if abs(one.share - 0.95) < 1e-9), None) if timed else None
    found = _most("--max-latency-p95-ms", limit, slow.value_s if slow else None, _P95)
    if found is None or limit is None or slow is None:
        return found
    if slow.high_s is None:
        count = timed.requests if timed else 0
        note = f" (from {count} requests, too few to bound it)"
        return found.model_copy(update={"text": found.text + note, "remedy": _P95.remedy})
    sure = (slow.high_s * 1000 <= limit) if found.ok else (slow.low_s or 0) * 1000 > limit
    ends = f" [{usd((slow.low_s or 0) * 1000)}, {usd(slow.high_s * 1000)}]"
    return found.model_copy(update={"sure": sure, "text": found.text.replace(" ms", f"{ends} ms", 1)})


def _bar(row: StrategyResult, bar: Bar) -> Finding:
    name, title = f"--min-metric {bar}", metric_title(bar.metric)
    found = row.scores.get(bar.metric)
    if found is None:
        remedy = "what it answers may have no such score: choose another metric"
        return Finding(constraint=name, ok=None, text=f"{title} is not known", remedy=remedy)
    up = 1 if get(bar.metric).higher_is_better else -1
    short = up * (bar.value - found.value)
    ok = short <= 0
    worst = found.low if up > 0 else found.high
    best = found.high if up > 0 else found.low
    sure = up * (worst - bar.value) >= 0 if ok else up * (best - bar.value) < 0
    may = "" if sure else ", which its interval leaves open"
    return Finding(
        constraint=name,
        ok=ok,
        sure=sure,
        text=f"{title} {score(found)}{'' if ok else f', {abs(short):.2g} short of {name}'}{may}",
        miss=None if ok else short / abs(bar.value) if bar.value else short,
        value=found.value,
        limit=bar.value,
    )


def _retention(row: StrategyResult, limit: float | None) -> Finding | None:
    if limit is None:
        return None
    name = f"--max-retention-loss {limit:g}"
    losses = [
        (-found.change.value if get(found.metric).higher_is_better else found.change.value, found)
        for found in row.retention
    ]
    if not losses:
        if row.traits and not row.traits.changes_weights:
            return Finding(constraint=name, ok=True, sure=True, text="its weights are unchanged", value=0, limit=limit)
        remedy = "a suite with a probe task asks what is forgotten"
        return Finding(constraint=name, ok=None, text="what it forgets was not measured", remedy=remedy)
    loss, found = max(losses, key=lambda pair: pair[0])
    ok = loss <= limit
    up = get(found.metric).higher_is_better
    worst, least = (-found.change.low, -found.change.high) if up else (found.change.high, found.change.low)
    sure = worst <= limit if ok else least > limit
    over = "" if ok else f", more than {name}"
    return Finding(
        constraint=name,
        ok=ok,
        sure=sure,
        text=f"{metric_title(found.metric)} on {found.task} {change(found.change)}{over}"
        + ("" if sure else ", which its interval leaves open"),
        miss=None if ok else (loss - limit) / limit if limit else loss,
        value=loss,
        limit=limit,
    )


def _labels(row: StrategyResult, limit: int | None) -> Finding | None:
    if limit is None:
        return None
    name = f"--labels {limit}" if limit else "--no-training-data"
    needed = row.traits.labels if row.traits else None
    if needed is None:
        return Finding(
            constraint=name, ok=None, text="how many labels it needs is not known", remedy="install its step"
        )
    ok = needed <= limit
    hint = f" (--train-sizes {limit} measures it with fewer)" if limit else ""
    return Finding(
        constraint=name,
        ok=ok,
        text=f"{needed:,} labelled items" + ("" if ok else f", {name} allows {limit or 'none'}{hint}"),
        miss=None if ok else (needed - limit) / limit if limit else None,
        value=needed,
        limit=limit,
    )


def figure_of(
    objective: Objective, rows: Sequence[StrategyResult]
) -> tuple[str, Callable[[StrategyResult], float | None]]:
    """Return what an objective other than quality ranks by, lower first, and what that is called.

    Latency is the p95 of requests where all rows have one, else the seconds of an item in a batch.
    """
    if objective == "cost":
        return "total cost", lambda row: row.money.total_usd() if row.money else None
    if objective == "memory":
        return "peak memory", lambda row: (row.cost.gpu_peak_bytes or row.cost.host_peak_bytes) if row.cost else None
    if all(_p95(row) is not None for row in rows):
        return "p95 latency", _p95
    return (
        "time an item in a batch",
        lambda row: 1 / row.cost.items_per_s if row.cost and row.cost.items_per_s else None,
    )


def _p95(row: StrategyResult) -> float | None:
    timed = row.cost.latency if row.cost else None
    return next((one.value_s for one in timed.wall if abs(one.share - 0.95) < 1e-9), None) if timed else None
