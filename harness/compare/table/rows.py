"""Rows of one task's table: scores, differences, ties, retention and cost of each strategy."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from harness.compare.cost import resources
from harness.compare.stats.estimates import Estimate
from harness.compare.stats.panel import Panel
from harness.compare.table.ablation_effects import ablation_effects
from harness.compare.table.agreement import checks_of
from harness.compare.table.findings import ClassResult, Gap, Retention, UnknownRetention
from harness.compare.table.interactions import chained
from harness.compare.table.memorisation import planted_of
from harness.compare.table.overfitting import gap_of
from harness.compare.table.result import StrategyResult, TrialResult
from harness.compare.table.retention import BASELINE, probe_pools, retention
from harness.compare.table.retrieval_split import RetrievalSplit, retrieval_split
from harness.compare.table.synthetic_training import synthetic_training_of
from harness.compare.table.training_curves import curves_of
from harness.compare.trials.groups import Group, ScoreKey, make_panel
from harness.compare.trials.seed_noise import seed_kind
from harness.compare.trials.stored_trials import StoredTrialItems
from harness.metrics import Items, confusion, get
from harness.metrics.statistical_power import ALPHA
from harness.records.record import Completed

Panels = Mapping[str, Panel[ScoreKey]]


def rows_of(
    groups: Sequence[Group], metric_names: Sequence[str], suite: Sequence[StoredTrialItems], *, each_seed: bool
) -> tuple[tuple[StrategyResult, ...], list[UnknownRetention]]:
    """Make a row of each group.

    Args:
        groups: of one task.
        metric_names: the task's, the primary first.
        suite: all trials of the suite, with the baselines of retention.
        each_seed: whether each trial gets its own scores, retention and gap, besides those of the row.

    Returns:
        The rows, best first and then those that did not finish; and the probes with unknown retention.
    """
    panels = {name: make_panel(name, groups, each_seed=each_seed) for name in metric_names}
    results_by_key: dict[ScoreKey, StrategyResult] = {}
    unknown_retention: list[UnknownRetention] = []
    pools = probe_pools(groups)
    for group in groups:
        retentions, unknown = retention(group.trials, suite, pools)
        unknown_retention += unknown
        trials = tuple(_trial(group, trial, panels, suite if each_seed else None) for trial in group.trials)
        results_by_key[group.key] = _row(group, panels, retentions, trials)
    if not metric_names:
        return tuple(results_by_key.values()), unknown_retention
    primary, scored = metric_names[0], panels[metric_names[0]]
    same = same_systems(groups)
    for key, label in same.items():
        results_by_key[key] = results_by_key[key].model_copy(update={"same_as": label})
    results_by_key = chained(groups[0].task if groups else "", results_by_key, scored, primary)
    return _ranked(results_by_key, primary, scored, distinct(same)), unknown_retention


def same_systems(groups: Sequence[Group]) -> dict[ScoreKey, str]:
    """Find the rows with the same output, or the same choice scores, and answer to every item as an earlier one's.

    Two names then stand for one system, such as retrieval by two indices that find the same passages.

    Returns:
        Label of the earlier row, by key.
    """
    labels: dict[object, str] = {}
    same: dict[ScoreKey, str] = {}
    for group in groups:
        answers = tuple(
            (items.outputs, items.choice_scores, items.answers, items.ids) for _, items in sorted(group.items.items())
        )
        if any(any(outputs) or any(scores) for outputs, scores, *_ in answers):
            label = labels.setdefault((group.model, answers), group.label)
            if label != group.label:
                same[group.key] = label
    return same


def distinct(same: Mapping[ScoreKey, str]) -> Callable[[ScoreKey], ScoreKey]:
    """Map a key to that of the earlier row with the same answers, so that one system is tested once."""
    return lambda key: (same[key], *key[1:]) if key in same else key


def _row(
    group: Group, panels: Panels, retentions: tuple[Retention, ...], trials: tuple[TrialResult, ...]
) -> StrategyResult:
    reason = _reason(trials)
    records = group.records
    if not records:
        return StrategyResult(
            strategy=group.strategy,
            model=group.model,
            budget=group.budget,
            answers=group.answers,
            status=trials[0].status,
            reason=reason,
            trials=trials,
        )
    classes, matrix = _classes(group, records[0])
    counts = [len(group.items.get(record.trial.seed, ())) for record in records]
    costs = [trial.cost for trial in trials if trial.cost]
    cost = resources.strategy_cost(records, costs, counts) if costs else None
    return StrategyResult(
        strategy=group.strategy,
        model=group.model,
        budget=group.budget,
        answers=group.answers,
        status="completed",
        reason=reason,
        scores=_scores(panels, group.key),
        retention=retentions,
        gap=_gap(group.trials, panels),
        cost=cost,
        unparsed=_unparsed(group),
        one_seed=len(records) == 1 and seed_kind(records) is not None,
        classes=classes,
        confusion=matrix,
        checks=checks_of(records),
        controls=ablation_effects(group, next(iter(panels))) if panels else (),
        retrieval=_retrieval(group, next(iter(panels))) if panels else None,
        planted=planted_of(group.trials),
        synthetic=synthetic_training_of(group.trials, next(iter(panels))) if panels else None,
        trials=trials,
    )


def _retrieval(group: Group, metric_name: str) -> RetrievalSplit | None:
    """Split the shortfall of a strategy that retrieves, by the task's first metric."""
    metric = get(metric_name)
    if metric.higher_is_better is None:
        return None
    return retrieval_split(group.items, metric, metric.bounds[1 if metric.higher_is_better else 0])


def _trial(
    group: Group, trial: StoredTrialItems, panels: Panels, suite: Sequence[StoredTrialItems] | None
) -> TrialResult:
    """Return the cost of a trial; with a suite, its own retention and gap too."""
    record = trial.record
    if not isinstance(record, Completed):
        return TrialResult(seed=record.trial.seed, status=record.status, reason=record.reason)
    seed = record.trial.seed
    return TrialResult(
        seed=seed,
        train_items=record.trial.train_items,
        status="completed",
        scores=_scores(panels, (group.label, group.model, seed)),
        retention=() if suite is None else retention([trial], suite)[0],
        gap=None if suite is None else _gap([trial], panels),
        search=record.search,
        curves=curves_of(record.curves),
        trainings=record.trainings,
        corpus=record.corpus,
        cost=resources.trial_cost(record, len(group.items.get(seed, ()))) if record.spans else None,
    )


def _gap(trials: Sequence[StoredTrialItems], panels: Panels) -> Gap | None:
    return gap_of(trials, next(iter(panels))) if panels else None


def _scores(panels: Panels, key: ScoreKey) -> dict[str, Estimate]:
    return {name: scored.estimate(key) for name, scored in panels.items() if key in scored}


def _ranked(
    results_by_key: Mapping[ScoreKey, StrategyResult],
    primary: str,
    scored: Panel[ScoreKey],
    system: Callable[[ScoreKey], ScoreKey],
) -> tuple[StrategyResult, ...]:
    """Sort rows, best first, and compare each with the best and with the baseline of its model."""
    up = 1 if get(primary).higher_is_better else -1
    order = sorted(
        (key for key in results_by_key if key in scored),
        key=lambda key: (-up * results_by_key[key].scores[primary].value, key != system(key)),
    )
    if not order:
        return tuple(results_by_key.values())
    systems = list(dict.fromkeys(map(system, order)))
    baselines = {key: base for key in systems if (base := system((BASELINE, key[1], None))) in scored and base != key}
    to_best, to_baseline = scored.compare_to_best_and(systems, baselines)
    best = results_by_key[order[0]]
    if get(primary).higher_is_better is not None:
        corrected = scored.best(systems, higher_is_better=up > 0)
        results_by_key = {
            **results_by_key,
            order[0]: best.model_copy(update={"scores": {**best.scores, primary: corrected}}),
        }
    rows: list[StrategyResult] = []
    for key in order:
        difference = to_best.get(system(key))
        tied = system(key) == order[0] or (
            difference.p_holm is not None and difference.p_holm > ALPHA if difference else None
        )
        changes = {"to_best": difference, "to_baseline": to_baseline.get(system(key)), "tied_for_best": tied}
        rows.append(results_by_key[key].model_copy(update=changes))
    rows += [row for key, row in results_by_key.items() if key not in scored]
    return tuple(rows)


def _reason(trials: Sequence[TrialResult]) -> str | None:
    """Return why seeds did not finish, each reason once; with the seeds where there are several."""
    seeds: dict[str, list[int]] = {}
    for trial in trials:
        if trial.reason:
            seeds.setdefault(trial.reason, []).append(trial.seed)
    if len(trials) == 1:
        return trials[0].reason
    return (
        "; ".join(f"seed {', '.join(map(str, seed_numbers))}: {reason}" for reason, seed_numbers in seeds.items())
        or None
    )


def _unparsed(group: Group) -> float | None:
    answers = [answer for items in group.items.values() for answer in items.answers]
    return sum(answer is None for answer in answers) / len(answers) if answers else None


def _classes(
    group: Group, record: Completed
) -> tuple[tuple[ClassResult, ...], tuple[tuple[str, ...], tuple[tuple[int, ...], ...]] | None]:
    """Score each label of a classification over all seeds."""
    if record.tasks[0].kind != "classification" or not group.items:
        return (), None
    pooled = Items.pooled(list(group.items.values()))
    labels, matrix = confusion.confusion(pooled)
    classes = tuple(
        ClassResult(label=c.label, precision=c.precision, recall=c.recall, f1=c.f1, support=c.support)
        for c in confusion.per_class(pooled)
    )
    return classes, (labels, tuple(tuple(int(count) for count in row) for row in matrix))
