"""Two strategies side by side: every metric paired on the same items, what each took, and where they disagree.

Intervals, p-values and verdicts are those of the report: the spread over seeds is pooled over all strategies of the
task, and p is adjusted for all pairs of them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from harness.api import Kind
from harness.compare.pair import ratios
from harness.compare.pair.disagreements import Disagreement, disagreements
from harness.compare.pair.ratios import PairRatio
from harness.compare.prose.names import bare
from harness.compare.prose.numbers import change, count, listing, metric_title, surely
from harness.compare.prose.reading_sentences import pair_sentence
from harness.compare.prose.tie_sentences import detects
from harness.compare.prose.warnings import row_warnings
from harness.compare.report.comparison import compare
from harness.compare.stats.estimates import Difference, Estimate
from harness.compare.stats.panel import Panel
from harness.compare.table.findings import Reading
from harness.compare.table.learning_curves import by_size
from harness.compare.table.result import SuiteResult, TaskResult
from harness.compare.table.rows import distinct, same_systems
from harness.compare.trials.groups import Group, ScoreKey, group_trials, make_panel
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
        change: its `p_holm` is adjusted for all pairs of the task's strategies.
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
        one_seed: which of the two are random and ran with a single seed, between backticks.
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
    """All that is said of two strategies."""

    first: str
    second: str
    tasks: tuple[TaskPair, ...]
    notes: tuple[str, ...] = ()


class PairQuery(NamedTuple):
    """What to look at: None for all of it; `items` is how many disagreements to list a task."""

    metric: str | None = None
    items: int = 0
    model: str | None = None


class _Pool(NamedTuple):
    """All strategies of a task: their groups by label and model, panels by metric, and the keys that are tested."""

    groups: Mapping[tuple[str, str], Group]
    panels: Mapping[str, Panel[ScoreKey]]
    systems: Mapping[ScoreKey, ScoreKey]


def compare_pair(
    stored: Sequence[StoredTrialItems], first: str, second: str, pair_query: PairQuery, notes: Sequence[str] = ()
) -> PairComparison:
    """Compare two strategies on every task and model that both have finished.

    Args:
        stored: all trials of these tasks, at most one for each place (`compare`).
        first: a row's label.
        second: another's.
        pair_query: what to look at.
        notes: what the store left out, to be shown with the result.

    Raises:
        HarnessError: no task was finished by both, or none has the metric.
    """
    table = compare(stored, notes, each_seed=False)
    tasks = [
        task_pair
        for suite in table.suites
        for task in suite.tasks
        for task_pair in _task(suite, task, stored, (first, second), pair_query)
    ]
    if not tasks:
        raise HarnessError(f"{first} and {second} have finished no task in common: run both on the same one.")
    pairs = tuple(_described(task, first, second) for task in tasks if task.metrics)
    if not pairs:
        metrics = {name for suite in table.suites for task in suite.tasks for name in task.metrics}
        raise unknown("metric", pair_query.metric or "", metrics, where="these results")
    return PairComparison(first=first, second=second, tasks=pairs, notes=table.notes)


def _task(
    suite: SuiteResult,
    task: TaskResult,
    stored: Sequence[StoredTrialItems],
    labels: tuple[str, str],
    pair_query: PairQuery,
) -> list[TaskPair]:
    """Pair the rows of a task, one result a model that both have."""
    rows = {(row.label, row.model): row for row in task.rows if row.status == "completed"}
    models = [model for label, model in rows if label == labels[0] and pair_query.model in (None, model)]
    models = [model for model in models if (labels[1], model) in rows]
    if not models:
        return []
    pool = _pool(suite, task, stored, pair_query.metric)
    pairs: list[TaskPair] = []
    for model in models:
        keys = (labels[0], model), (labels[1], model)
        pair, (first, second) = (pool.groups[keys[0]], pool.groups[keys[1]]), (rows[key] for key in keys)
        metrics = _metrics(pool, pair)
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
                metrics=metrics,
                ratios=ratios.of_rows(first, second) if task.speed_comparable else (),
                disagreements=disagreements(pair, task.primary, pair_query.items) if task.primary else (),
                warnings=(
                    *(warning.text for warning in task.warnings if warning.kind not in ("retention", "row")),
                    *row_warnings(pair),
                ),
                readings=(first.reading, second.reading),
                one_seed=tuple(f"`{bare(row.label)}`" for row in (first, second) if row.one_seed),
            )
        )
    return pairs


def _pool(suite: SuiteResult, task: TaskResult, stored: Sequence[StoredTrialItems], only: str | None) -> _Pool:
    """Score all strategies of a task as the report does."""
    places = (suite.name, task.name)
    trials = [trial for trial in stored if (trial.record.trial.suite, trial.record.trial.task) == places]
    groups = group_trials(task.name, by_size(trials)[0])
    panels = {name: make_panel(name, groups) for name in task.metrics if only in (None, name)}
    system = distinct(same_systems(groups))
    by_name = {(group.label, group.model): group for group in groups}
    return _Pool(by_name, panels, {group.key: system(group.key) for group in groups})


def _metrics(pool: _Pool, pair: tuple[Group, Group]) -> tuple[MetricPair, ...]:
    metrics: list[MetricPair] = []
    for name, scored in pool.panels.items():
        first, second = (group.key for group in pair)
        if first not in scored or second not in scored:
            continue
        tested = (pool.systems[first], pool.systems[second])
        keys = [key for key in dict.fromkeys(pool.systems.values()) if key in scored]
        same = tested[0] == tested[1]
        difference = scored.difference(first, second) if same else scored.compare_pairs(keys, [tested]).get(tested)
        if difference is None:
            continue
        metric = get(name)
        metrics.append(
            MetricPair(
                metric=name,
                unit=metric.unit,
                higher_is_better=metric.higher_is_better,
                first=scored.estimate(first),
                second=scored.estimate(second),
                change=difference,
            )
        )
    return tuple(metrics)


def _described(task: TaskPair, first: str, second: str) -> TaskPair:
    """Say what a task's differences show."""
    clear = [metric for metric in task.metrics if _clear(metric)]
    unclear = [metric for metric in task.metrics if not _clear(metric)]
    sentences = [_difference(metric, task, first, second) for metric in clear]
    sentences += [_nothing(unclear, task, first, second)] if unclear else []
    unlike = pair_sentence((f"`{bare(first)}`", task.readings[0]), (f"`{bare(second)}`", task.readings[1]))
    sentences += [unlike] if unlike else []
    sentences += _one_seed(task)
    return task.model_copy(update={"verdict": tuple(sentences)})


def _clear(metric: MetricPair) -> bool:
    return metric.change.adjusted_p <= ALPHA


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
        f"{change(head.change)} in {metric_title(head.metric)}; {detects(head.change, head.metric)}."
    )


def _size(difference: Difference) -> str:
    clusters = f" in {count(difference.clusters, 'cluster')}" if difference.clusters else ""
    return count(difference.n, "item") + clusters


def _one_seed(task: TaskPair) -> list[str]:
    if not task.one_seed:
        return []
    unsure = any(not metric.change.sure for metric in task.metrics)
    source = "assumed from reference runs" if unsure else "pooled from repeated runs of such strategies"
    return [f"{listing(task.one_seed)} ran with one seed: the seed SD in these intervals is {source}."]
