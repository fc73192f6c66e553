"""Checks of one strategy's figures against a user's constraints, and the figure that an objective ranks by.

A figure decides by its value; its interval says how sure that is. What was not measured does not fit.
"""

from __future__ import annotations

import shlex
from collections.abc import Callable, Sequence

from harness.compare.cost.money import Money
from harness.compare.decide.constraints import Bar, ConstraintCheck, Constraints, Objective
from harness.compare.prose.corpus_sentences import bits
from harness.compare.prose.numbers import change, metric_title, score, usd
from harness.compare.table.corpus_learning import unlearned
from harness.compare.table.result import StrategyResult, TaskResult
from harness.measure.units import GIB
from harness.metrics import get
from harness.records.measurements import StoredModel


def findings(row: StrategyResult, task: TaskResult, limits: Constraints) -> list[ConstraintCheck]:
    """Hold one finished strategy against every constraint that was given, and against what it was to learn."""
    cost, money = row.cost, row.money
    checks = [
        _most("--max-gpu-gb", limits.max_gpu_gb, cost.gpu_peak_bytes if cost else None, _GPU),
        _most("--max-memory-gb", limits.max_memory_gb, cost.host_peak_bytes if cost else None, _HOST),
        _latency(row, task.suite, limits.max_latency_p95_ms),
        _bill(money, limits.max_usd_month),
        *[_bar(row, bar) for bar in limits.min_metrics if bar.task in (None, task.name) and bar.metric in task.metrics],
        _retention(row, limits.max_retention_loss),
        _labels(row, limits.labels),
        _stays(row) if limits.data_stays else None,
        _corpus(row),
        _teacher(row),
    ]
    return [check for check in checks if check]


class _Figure(StoredModel):
    """A figure with an upper limit: its name, unit and scale, and how to measure it."""

    label: str
    unit: str
    scale: float
    remedy: str


_GPU = _Figure(
    label="GPU memory",
    unit="GiB",
    scale=GIB,
    remedy="run it on a machine with a GPU; 'harness fits MODEL --strategy NAME --gpu NAME' predicts it",
)
_HOST = _Figure(label="memory", unit="GiB", scale=GIB, remedy="run it on Linux, where a process's peak can be read")
_BILL = _Figure(
    label="cost", unit="USD a month", scale=1, remedy="--hardware NAME or --prices FILE gives its machine a price"
)


def _most(flag: str, limit: float | None, measured: float | None, figure: _Figure) -> ConstraintCheck | None:
    if limit is None:
        return None
    name = f"{flag} {limit:g}"
    if measured is None:
        text = f"{figure.label} was not measured"
        return ConstraintCheck(constraint=name, ok=None, text=text, remedy=figure.remedy, subject=figure.label)
    value = measured / figure.scale
    ok = value <= limit
    over = "" if ok else f", {usd(value - limit)} over {name}"
    return ConstraintCheck(
        constraint=name,
        ok=ok,
        text=f"{usd(value)} {figure.unit} of {figure.label}{over}".replace(" of cost", ""),
        miss=None if ok else (value - limit) / limit if limit else None,
        value=value,
        limit=limit,
    )


def _bill(money: Money | None, limit: float | None) -> ConstraintCheck | None:
    """Hold the cost at full load against a limit; not sure where a machine that is always on costs more."""
    check = _most("--max-usd-month", limit, money.monthly_bill_usd() if money else None, _BILL)
    always_on = money.always_on_month_usd() if money else None
    if check is None or limit is None or not check.ok or always_on is None or always_on <= limit:
        return check
    return check.model_copy(
        update={"sure": False, "text": f"a machine that is always on costs {usd(always_on)} USD a month"}
    )


def _latency(row: StrategyResult, suite: str, limit: float | None) -> ConstraintCheck | None:
    timed = row.cost.latency if row.cost else None
    slow = timed.wall_s(0.95) if timed else None
    remedy = f"'harness run {shlex.quote(suite)} --requests 60' measures it"
    figure = _Figure(label="p95 latency", unit="ms", scale=1e-3, remedy=remedy)
    check = _most("--max-latency-p95-ms", limit, slow.value_s if slow else None, figure)
    if check is None or limit is None or slow is None or timed is None:
        return check
    if slow.high_s is None:
        note = f" (from {timed.requests} requests, too few to bound it)"
        return check.model_copy(update={"text": check.text + note, "remedy": remedy})
    sure = (slow.high_s * 1000 <= limit) if check.ok else (slow.low_s or 0) * 1000 > limit
    ends = f" [{usd((slow.low_s or 0) * 1000)}, {usd(slow.high_s * 1000)}]"
    return check.model_copy(update={"sure": sure, "text": check.text.replace(" ms", f"{ends} ms", 1)})


def _bar(row: StrategyResult, bar: Bar) -> ConstraintCheck:
    name, title = f"--min-metric {bar}", metric_title(bar.metric)
    estimate = row.scores.get(bar.metric)
    if estimate is None:
        remedy = "choose a metric that its answers have"
        return ConstraintCheck(constraint=name, ok=None, text=f"{title} is not known", remedy=remedy)
    up = 1 if get(bar.metric).higher_is_better else -1
    short = up * (bar.value - estimate.value)
    ok = short <= 0
    worst = estimate.low if up > 0 else estimate.high
    best = estimate.high if up > 0 else estimate.low
    sure = up * (worst - bar.value) >= 0 if ok else up * (best - bar.value) < 0
    may = "" if sure else ", which its interval leaves open"
    return ConstraintCheck(
        constraint=name,
        ok=ok,
        sure=sure,
        text=f"{title} {score(estimate)}{'' if ok else f', {abs(short):.2g} short of {name}'}{may}",
        miss=None if ok else short / abs(bar.value) if bar.value else short,
        value=estimate.value,
        limit=bar.value,
    )


def _retention(row: StrategyResult, limit: float | None) -> ConstraintCheck | None:
    if limit is None:
        return None
    name = f"--max-retention-loss {limit:g}"
    losses = [
        (-retention.change.value if get(retention.metric).higher_is_better else retention.change.value, retention)
        for retention in row.retention
        if get(retention.metric).concern == "skill" and get(retention.metric).bounds == (0.0, 1.0)
    ]
    if not losses:
        if row.traits and not row.traits.changes_weights:
            return ConstraintCheck(
                constraint=name, ok=True, sure=True, text="its weights are unchanged", value=0, limit=limit
            )
        remedy = "add a probe task that is scored from 0 to 1 to the suite"
        return ConstraintCheck(constraint=name, ok=None, text="retention was not measured", remedy=remedy)
    loss, retention = max(losses, key=lambda pair: pair[0])
    ok = loss <= limit
    up = get(retention.metric).higher_is_better
    worst, least = (
        (-retention.change.low, -retention.change.high) if up else (retention.change.high, retention.change.low)
    )
    sure = worst <= limit if ok else least > limit
    over = "" if ok else f", more than {name}"
    return ConstraintCheck(
        constraint=name,
        ok=ok,
        sure=sure,
        text=f"{metric_title(retention.metric)} on {retention.task} {change(retention.change)}{over}"
        + ("" if sure else ", which its interval leaves open"),
        miss=None if ok else (loss - limit) / limit if limit else loss,
        value=loss,
        limit=limit,
    )


def _stays(row: StrategyResult) -> ConstraintCheck:
    name = "--data-stays"
    if row.traits is None:
        return ConstraintCheck(constraint=name, ok=None, text="what it sends where is not known")
    hosts = row.traits.sends_to
    text = f"leaves the house: {', '.join(hosts)}" if hosts else "nothing leaves the house"
    return ConstraintCheck(constraint=name, ok=not hosts, sure=True, text=text)


def _labels(row: StrategyResult, limit: int | None) -> ConstraintCheck | None:
    if limit is None:
        return None
    name = f"--labels {limit}" if limit else "--no-training-data"
    needed = row.traits.labels if row.traits else None
    if needed is None:
        return ConstraintCheck(
            constraint=name, ok=None, text="the number of labels is not known", remedy="install its step"
        )
    ok = needed <= limit
    hint = f" (--train-sizes {limit} measures it with fewer)" if limit else ""
    return ConstraintCheck(
        constraint=name,
        ok=ok,
        text=f"{needed:,} labelled items" + ("" if ok else f", {name} allows {limit or 'none'}{hint}"),
        miss=None if ok else (needed - limit) / limit if limit else None,
        value=needed,
        limit=limit,
    )


def _teacher(row: StrategyResult) -> ConstraintCheck | None:
    """Refuse a row that learned from the model that wrote the test items."""
    teacher = row.synthetic.test_teacher if row.synthetic else None
    if teacher is None:
        return None
    return ConstraintCheck(
        constraint="a test by another teacher", ok=False, text=f"{teacher} wrote its training items and the test items"
    )


def _corpus(row: StrategyResult) -> ConstraintCheck | None:
    """Refuse a row whose weights do not hold the corpus that they were to learn."""
    learning = unlearned(row)
    if learning is None:
        return None
    return ConstraintCheck(
        constraint="a corpus learned", ok=False, text=f"undertrained on the corpus ({bits(learning)})"
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
    slow = row.cost.latency.wall_s(0.95) if row.cost and row.cost.latency else None
    return slow.value_s if slow else None
