"""Two strategies side by side: every metric paired on the same items, what each took, and where they disagree."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

from harness.api import Kind
from harness.compare.pair import ratios
from harness.compare.pair.disagreements import Disagreement, disagreements
from harness.compare.pair.ratios import PairRatio
from harness.compare.prose.names import bare
from harness.compare.prose.numbers import change, count, listing, metric_title, surely
from harness.compare.prose.reading_sentences import pair_sentence
from harness.compare.report.comparison import compare
from harness.compare.stats.estimates import Difference, Estimate
from harness.compare.stats.intervals import holm
from harness.compare.table.findings import Reading
from harness.compare.table.result import SuiteResult, TaskResult
from harness.compare.trials.groups import Group, group_trials, make_panel
from harness.compare.trials.stored_trials import StoredTrialItems
from harness.errors import HarnessError, unknown
from harness.metrics import get
from harness.metrics.statistical_power import ALPHA
from harness.records.measurements import StoredModel


class MetricPair(StoredModel):
    """One metric of one task: both scores, and the first minus the second on the items that both answered.

    Attributes:
        unit: what 1.0 of the metric means.
        higher_is_better: None: neither; the metric only describes.
        change: its `p_holm` is adjusted for all differences that are shown with it.
    """

    metric: str
    unit: str
    higher_is_better: bool | None
    first: Estimate
    second: Estimate
    change: Difference


class TaskPair(StoredModel):
    """Two strategies on one task with one model.

    Attributes:
        items: test items; clusters: groups of them that are not independent, None where each is.
        seeds: that finished, of the first and of the second.
        ratios: what the first took, as a multiple of the second.
        disagreements: on the primary metric, the largest first, in turn for the first and for the second.
        verdict: what it says, in sentences; names stand between backticks.
        warnings: what a reader must know before comparing.
        readings: how the answers of each were read; None where nothing is chosen or known.
        one_seed: which of the two were trained, and with a single seed, between backticks.
    """

    suite: str
    task: str
    model: str
    kind: Kind | None
    items: int
    clusters: int | None
    seeds: tuple[int, int]
    metrics: tuple[MetricPair, ...]
    ratios: tuple[PairRatio, ...] = ()
    disagreements: tuple[Disagreement, ...] = ()
    verdict: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()
    readings: tuple[Reading | None, Reading | None] = (None, None)
    one_seed: tuple[str, ...] = ()


class PairComparison(StoredModel):
    """All that is said of two strategies; `tests` is how many p-values were adjusted for each other."""

    first: str
    second: str
    tasks: tuple[TaskPair, ...]
    tests: int
    notes: tuple[str, ...] = ()


class PairQuery(NamedTuple):
    """What to look at: None for all of it; `items` is how many disagreements to list a task."""

    metric: str | None = None
    items: int = 0


def compare_pair(
    stored: Sequence[StoredTrialItems], first: str, second: str, pair_query: PairQuery, notes: Sequence[str] = ()
) -> PairComparison:
    """Compare two strategies on every task and model that both have finished.

    Args:
        stored: trials of both, at most one for each place (`compare`).
        first: a row's label.
        second: another's.
        pair_query: what to look at.
        notes: what the store left out, to be shown with the result.

    Raises:
        HarnessError: no task was finished by both, or none has the metric.
    """
    table = compare([trial for trial in stored if trial.record.trial.label in (first, second)], notes)
    tasks = [
        task_pair
        for suite in table.suites
        for task in suite.tasks
        for task_pair in _task(suite, task, stored, (first, second), pair_query)
    ]
    if not tasks:
        raise HarnessError(f"{first} and {second} have finished no task in common: run both on the same one.")
    if not any(task.metrics for task in tasks):
        metrics = {name for suite in table.suites for task in suite.tasks for name in task.metrics}
        raise unknown("metric", pair_query.metric or "", metrics, where="these results")
    adjusted = iter(holm([metric.change.p for task in tasks for metric in task.metrics]))
    pairs = [_told(task, first, second, adjusted) for task in tasks if task.metrics]
    return PairComparison(
        first=first, second=second, tasks=tuple(pairs), tests=sum(len(t.metrics) for t in pairs), notes=table.notes
    )


def _task(
    suite: SuiteResult,
    task: TaskResult,
    stored: Sequence[StoredTrialItems],
    labels: tuple[str, str],
    pair_query: PairQuery,
) -> list[TaskPair]:
    """Pair the rows of a task, one result a model that both have."""
    task_trials = [
        trial for trial in stored if trial.record.trial.suite == suite.name and trial.record.trial.task == task.name
    ]
    full_trials = [
        trial for trial in task_trials if trial.record.trial.train_items is None and trial.record.trial.label in labels
    ]
    groups = {(group.label, group.model): group for group in group_trials(task.name, full_trials) if group.items}
    pairs: list[TaskPair] = []
    for model in dict.fromkeys(model for _, model in groups):
        if not all((label, model) in groups for label in labels):
            continue
        pair = groups[labels[0], model], groups[labels[1], model]
        metrics = _metrics(task, pair, pair_query.metric)
        rows = [next(row for row in task.rows if (row.label, row.model) == (label, model)) for label in labels]
        sizes = next(iter(metrics), None)
        pairs.append(
            TaskPair(
                suite=suite.name,
                task=task.name,
                model=model,
                kind=task.kind,
                items=sizes.change.n if sizes else 0,
                clusters=sizes.change.clusters if sizes else None,
                seeds=(len(pair[0].items), len(pair[1].items)),
                metrics=tuple(metrics),
                ratios=ratios.of_rows(rows[0], rows[1]) if task.speed_comparable else (),
                disagreements=disagreements(pair, task.primary, pair_query.items) if task.primary else (),
                warnings=tuple(warning.text for warning in task.warnings if warning.kind != "retention"),
                readings=(rows[0].reading, rows[1].reading),
                one_seed=tuple(f"`{bare(row.label)}`" for row in rows if row.one_seed),
            )
        )
    return pairs


def _metrics(task: TaskResult, pair: tuple[Group, Group], only: str | None) -> list[MetricPair]:
    metrics: list[MetricPair] = []
    for name in (name for name in task.metrics if only in (None, name)):
        scored = make_panel(name, pair)
        first_key, other = pair[0].key, pair[1].key
        change = scored.difference(first_key, other) if first_key in scored and other in scored else None
        if change is None:
            continue
        metric = get(name)
        metrics.append(
            MetricPair(
                metric=name,
                unit=metric.unit,
                higher_is_better=metric.higher_is_better,
                first=scored.estimate(first_key),
                second=scored.estimate(other),
                change=change,
            )
        )
    return metrics


def _told(task: TaskPair, first: str, second: str, adjusted: Iterator[float]) -> TaskPair:
    """Adjust the p-values of a task, and say what they show."""
    metrics = tuple(
        metric.model_copy(update={"change": metric.change.model_copy(update={"p_holm": next(adjusted)})})
        for metric in task.metrics
    )
    clear = [metric for metric in metrics if _clear(metric)]
    unclear = [metric for metric in metrics if not _clear(metric)]
    sentences = [_difference(metric, task, first, second) for metric in clear]
    sentences += [_nothing(unclear, task, first, second)] if unclear else []
    unlike = pair_sentence((f"`{bare(first)}`", task.readings[0]), (f"`{bare(second)}`", task.readings[1]))
    sentences += [unlike] if unlike else []
    sentences += _one_seed(task)
    return task.model_copy(update={"metrics": metrics, "verdict": tuple(sentences)})


def _clear(metric: MetricPair) -> bool:
    return metric.change.p_holm is not None and metric.change.p_holm <= ALPHA


def _difference(metric: MetricPair, task: TaskPair, first: str, second: str) -> str:
    difference = metric.change
    if metric.higher_is_better is None:
        word = "higher" if difference.value > 0 else "lower"
    else:
        word = "better" if (difference.value > 0) == metric.higher_is_better else "worse"
    where = f"{metric_title(metric.metric)} on `{bare(task.task)}`"
    return (
        f"`{bare(first)}` is {surely([difference])} {word} than `{bare(second)}` in {where}: {change(difference)} "
        f"on {_size(difference)}."
    )


def _nothing(unclear: Sequence[MetricPair], task: TaskPair, first: str, second: str) -> str:
    """Say where no difference is shown, and how large one could hide."""
    head = unclear[0]
    names = listing([metric_title(metric.metric) for metric in unclear])
    return (
        f"No clear difference in {names} on `{bare(task.task)}`: `{bare(first)}` minus `{bare(second)}` is "
        f"{change(head.change)} in {metric_title(head.metric)}, where {_size(head.change)} show true differences of "
        f"{head.change.detectable:.2g} or more in 80 % of cases."
    )


def _size(difference: Difference) -> str:
    clusters = f" in {count(difference.clusters, 'cluster')}" if difference.clusters else ""
    return count(difference.n, "item") + clusters


def _one_seed(task: TaskPair) -> list[str]:
    """Tell whose luck is not known."""
    if not task.one_seed:
        return []
    unsure = any(not metric.change.sure for metric in task.metrics)
    source = "assumed from reference runs" if unsure else "that of the other"
    return [f"{listing(task.one_seed)} ran with one seed: the spread over seeds in these intervals is {source}."]
