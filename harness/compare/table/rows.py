"""The rows of one task's table: each strategy's scores, differences, ties, retention and cost."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from harness.compare.cost import resources
from harness.compare.stats.estimates import Estimate
from harness.compare.stats.panel import Panel
from harness.compare.table.ablation_effects import controls_of
from harness.compare.table.agreement import checks_of
from harness.compare.table.findings import ClassResult, Gap, Retention
from harness.compare.table.interactions import chained
from harness.compare.table.memorisation import planted_of
from harness.compare.table.overfitting import gap_of
from harness.compare.table.result import StrategyResult, TrialResult
from harness.compare.table.retention import BASELINE, retention
from harness.compare.table.training_curves import curves_of
from harness.compare.trials.groups import Group, Key, panel
from harness.compare.trials.stored_trials import StoredTrialItems
from harness.metrics import Items, confusion, get
from harness.records.record import Completed

ALPHA = 0.05

Panels = Mapping[str, Panel[Key]]


def rows_of(
    groups: Sequence[Group], metric_names: Sequence[str], suite: Sequence[StoredTrialItems], *, each_seed: bool
) -> tuple[tuple[StrategyResult, ...], list[str]]:
    """Make a row of each group.

    Args:
        groups: of one task.
        metric_names: the task's, the primary first.
        suite: all trials of the suite, where retention finds the state before.
        each_seed: whether each trial is told by itself what its row is told of its seeds together.

    Returns:
        The rows, best first and then what did not finish; and what could not be told, and why.
    """
    panels = {name: panel(name, groups, each_seed=each_seed) for name in metric_names}
    made: dict[Key, StrategyResult] = {}
    notes: list[str] = []
    for group in groups:
        kept, missing = retention(group.trials, suite)
        notes += missing
        trials = tuple(_trial(group, one, panels, suite if each_seed else None) for one in group.trials)
        made[group.key] = _row(group, panels, kept, trials)
    if not metric_names:
        return tuple(made.values()), notes
    primary, scored = metric_names[0], panels[metric_names[0]]
    made = chained(groups[0].task if groups else "", made, scored, primary)
    return _ranked(made, primary, scored), list(dict.fromkeys(notes))


def _row(group: Group, panels: Panels, kept: tuple[Retention, ...], trials: tuple[TrialResult, ...]) -> StrategyResult:
    reason = _reason(trials)
    records = group.records
    if not records:
        return StrategyResult(
            strategy=group.strategy,
            model=group.model,
            budget=group.budget,
            status=trials[0].status,
            reason=reason,
            trials=trials,
        )
    classes, matrix = _classes(group, records[0])
    asked = [len(group.items.get(record.trial.seed, ())) for record in records]
    taken = resources.of_seeds(records, [trial.cost for trial in trials if trial.cost], asked)
    return StrategyResult(
        strategy=group.strategy,
        model=group.model,
        budget=group.budget,
        status="completed",
        reason=reason,
        scores=_scores(panels, group.key),
        retention=kept,
        gap=_gap(group.trials, panels),
        cost=taken,
        unparsed=_unparsed(group),
        one_seed=len(records) == 1 and bool(taken.trained_parameters),
        classes=classes,
        confusion=matrix,
        checks=checks_of(records),
        controls=controls_of(group, next(iter(panels))) if panels else (),
        planted=planted_of(group.trials),
        trials=trials,
    )


def _trial(
    group: Group, one: StoredTrialItems, panels: Panels, suite: Sequence[StoredTrialItems] | None
) -> TrialResult:
    """Tell what a trial took, and by itself how well it did, unless there is no suite to compare it with."""
    record = one.record
    if not isinstance(record, Completed):
        return TrialResult(seed=record.trial.seed, status=record.status, reason=record.reason)
    seed = record.trial.seed
    return TrialResult(
        seed=seed,
        train_items=record.trial.train_items,
        status="completed",
        scores=_scores(panels, (group.label, group.model, seed)),
        retention=() if suite is None else retention([one], suite)[0],
        gap=None if suite is None else _gap([one], panels),
        search=record.search,
        curves=curves_of(record.curves),
        cost=resources.of_trial(record, len(group.items.get(seed, ()))),
    )


def _gap(trials: Sequence[StoredTrialItems], panels: Panels) -> Gap | None:
    return gap_of(trials, next(iter(panels))) if panels else None


def _scores(panels: Panels, key: Key) -> dict[str, Estimate]:
    return {name: scored.estimate(key) for name, scored in panels.items() if key in scored}


def _ranked(made: Mapping[Key, StrategyResult], primary: str, scored: Panel[Key]) -> tuple[StrategyResult, ...]:
    """Put the best first, and compare each with it and with the baseline of its model."""
    up = 1 if get(primary).higher_is_better else -1
    order = sorted((key for key in made if key in scored), key=lambda key: -up * made[key].scores[primary].value)
    if not order:
        return tuple(made.values())
    to_best = scored.to_best(order)
    start: dict[Key, Key] = {key: (BASELINE, key[1], None) for key in order}
    to_baseline = scored.differences({k: base for k, base in start.items() if base in scored and base != k})
    rows: list[StrategyResult] = []
    for key in order:
        found = to_best.get(key)
        tied = key == order[0] or (found.p_holm is not None and found.p_holm > ALPHA if found else None)
        changes = {"to_best": found, "to_baseline": to_baseline.get(key), "tied_for_best": tied}
        rows.append(made[key].model_copy(update=changes))
    rows += [row for key, row in made.items() if key not in scored]
    return tuple(rows)


def _reason(trials: Sequence[TrialResult]) -> str | None:
    """Why seeds did not finish, each reason once; the seeds are named where there are several."""
    seeds: dict[str, list[int]] = {}
    for trial in trials:
        if trial.reason:
            seeds.setdefault(trial.reason, []).append(trial.seed)
    if len(trials) == 1:
        return trials[0].reason
    return "; ".join(f"seed {', '.join(map(str, own))}: {reason}" for reason, own in seeds.items()) or None


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
