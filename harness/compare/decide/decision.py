"""From stored records and what a user can accept to what to choose, why, and how sure that is.

What breaks a constraint or a rule is left out; of the rest, those not clearly worse than the best are kept (paired
tests, adjusted for all pairs), and the objective ranks these: for quality, the simplest comes first. What was not
measured does not fit.
"""

from __future__ import annotations

import shlex
from collections import Counter
from collections.abc import Sequence

from harness.compare.cost.money import PricingAssumptions
from harness.compare.cost.pricing import Economics
from harness.compare.decide.choice import (
    Confidence,
    RankedOption,
    TaskDecision,
    baseline_of,
    held,
    proviso,
    ranked,
    smallest_model,
    verdict,
)
from harness.compare.decide.constraints import ConstraintCheck, Constraints, check_bars
from harness.compare.decide.overall import Overall, headline, overall
from harness.compare.decide.rules import AppliedRule, applied
from harness.compare.decide.sensitivity import changes, nothing_fits
from harness.compare.prose.numbers import count, listing
from harness.compare.report.comparison import compare
from harness.compare.table.result import StrategyResult, SuiteResult, TaskResult
from harness.compare.table.tie_order import systems
from harness.compare.trials.answering_models import answering_name
from harness.compare.trials.stored_trials import StoredTrialItems
from harness.errors import HarnessError, unknown
from harness.records.measurements import StoredModel
from harness.records.record import Completed


class Decision(StoredModel):
    """What to choose for a suite.

    Attributes:
        verdict: the sentence that stands at the top.
        overall: one strategy for all tasks; None where there is one task, or none is worth it.
        rules: what figures do not answer, with sources, and what the figures here say to it.
        assumed: usage and prices behind the money.
        notes: what was not decided, and why.
    """

    suite: str
    verdict: str
    constraints: Constraints
    assumed: PricingAssumptions
    tasks: tuple[TaskDecision, ...]
    overall: Overall | None = None
    rules: tuple[AppliedRule, ...] = ()
    notes: tuple[str, ...] = ()


def decide(
    stored: Sequence[StoredTrialItems],
    limits: Constraints,
    economics: Economics | None = None,
    *,
    tasks: Sequence[str] = (),
    models: Sequence[str] = (),
) -> Decision:
    """Decide for one suite.

    Args:
        stored: its records, as for `compare`.
        limits: what can be accepted, and what is wanted most.
        economics: how measurements are priced, and the usage that costs are for.
        tasks: only these; empty: every task, but probes, that more than one strategy finished.
        models: only these; empty: all.

    Raises:
        HarnessError: a name is unknown, or nothing is there to be decided.
    """
    economics = economics or Economics()
    model_names = sorted({trial.record.trial.model for trial in stored})
    for model in models:
        if model not in model_names:
            raise unknown("model", model, model_names, where="--model")
    chosen = [trial for trial in stored if not models or trial.record.trial.model in models]
    suites = compare(chosen, economics=economics, each_seed=False).suites
    if len(suites) != 1:
        raise HarnessError("name one suite: a decision is about a single one ('harness report' lists what is stored).")
    return decide_on(suites[0], chosen, limits, economics, tasks=tasks)


def decide_on(
    suite: SuiteResult,
    stored: Sequence[StoredTrialItems],
    limits: Constraints,
    economics: Economics,
    *,
    tasks: Sequence[str] = (),
) -> Decision:
    """Decide for a suite that was compared already.

    Args:
        suite: what `compare` made of the records, priced in the same way.
        stored: the records.
        limits: as for `decide`, and so are the others.
        economics: how they were priced.
        tasks: only these; empty: every task, but probes, that more than one strategy finished.

    Raises:
        HarnessError: a name is unknown, or nothing is there to be decided.
    """
    task_results, notes = _asked(suite, tasks)
    check_bars(limits.min_metrics, suite.tasks)
    flags = limits.flags(facts_change=economics.usage.updates_per_month > 0)
    decided = [_task(task, stored, limits, flags, economics) for task in task_results]
    together = overall(task_results, decided, limits) if len(decided) > 1 else None
    rules = [
        rule
        for task, task_decision in zip(task_results, decided, strict=True)
        for rule in applied(task, _finished(task), _left(task_decision.options), flags)
    ]
    return Decision(
        suite=suite.name,
        verdict=headline(decided, together),
        constraints=limits,
        assumed=economics.assumptions(row.money for task in suite.tasks for row in task.rows),
        tasks=tuple(decided),
        overall=together,
        rules=_merged(rules),
        notes=(*notes, *_elsewhere(stored, decided)),
    )


def _elsewhere(stored: Sequence[StoredTrialItems], decided: Sequence[TaskDecision]) -> list[str]:
    """Name who answers for what was chosen where that is no weights of this machine: they may be others tomorrow."""
    chosen = {(task.task, *task.chosen) for task in decided if task.chosen}
    records = [trial.record for trial in stored if isinstance(trial.record, Completed)]
    names = dict.fromkeys(
        answering_name(record.model)
        for record in records
        if (record.trial.task, record.trial.label, record.trial.model) in chosen and record.model.endpoint
    )
    return [
        f"{name}. Prices and the model behind this name can change: run again before relying on it." for name in names
    ]


def _asked(suite: SuiteResult, names: Sequence[str]) -> tuple[list[TaskResult], list[str]]:
    """Choose the tasks to decide on, and say why others are left out; probes are decided on only where named."""
    for name in names:
        if name not in {task.name for task in suite.tasks}:
            raise unknown("task", name, [task.name for task in suite.tasks], where="--task")
    candidates = [task for task in suite.tasks if (task.name in names if names else not task.probe)]
    task_results = [task for task in candidates if len(_finished(task)) > 1 or (names and _finished(task))]
    single = [task.name for task in candidates if task not in task_results and _finished(task)]
    empty = [task.name for task in candidates if not _finished(task)]
    notes = [f"Nothing to choose on {listing(single)}: a single option finished{' each' * (len(single) > 1)}."] * bool(
        single
    )
    notes += [f"Nothing finished on {listing(empty)}."] * bool(empty)
    if not task_results:
        raise HarnessError(
            f"no task has two finished strategies to choose from: 'harness run {shlex.quote(suite.name)}' runs them."
        )
    return task_results, notes


def _finished(task: TaskResult) -> list[StrategyResult]:
    return [row for row in task.rows if task.primary in row.scores]


def _task(
    task: TaskResult,
    stored: Sequence[StoredTrialItems],
    limits: Constraints,
    flags: frozenset[str],
    economics: Economics,
) -> TaskDecision:
    """Decide for one task."""
    options = [held(row, task, limits, flags) for row in _finished(task)]
    left = _left(options)
    unbroken = [option for option in options if all(check.ok is not False for check in option.findings)]
    unmeasured = _unknown([check for option in unbroken for check in option.findings])
    if not left:
        text = nothing_fits(options)
        return TaskDecision(
            task=task.name,
            metric=task.primary or "",
            higher_is_better=task.higher_is_better,
            verdict=f"On `{task.name}` {text}",
            confidence="unknown",
            options=tuple(options),
            nothing_fits=text,
            unknown=unmeasured,
        )
    table = task if len(left) == len(options) else _among(task, stored, left, economics)
    order = ranked(table, limits)
    may_fit = sum(any(check.ok is None for check in option.findings) for option in unbroken)
    today = baseline_of(task, order[0])
    rows = {(row.label, row.model): row for row in table.rows}
    positions = {(row.label, row.model): position for position, row in enumerate(order, 1)}
    ranked_options = [
        option.model_copy(
            update={
                "tied": rows[key].tied_for_best,
                "to_best": rows[key].to_best,
                "place": positions.get(key),
            }
        )
        if (key := (option.strategy, option.model)) in left
        else option
        for option in options
    ]
    ranked_options = sorted(ranked_options, key=lambda option: (option.excluded, option.place or len(options) + 1))
    return TaskDecision(
        task=task.name,
        metric=task.primary or "",
        higher_is_better=task.higher_is_better,
        verdict=verdict(table, order, task, limits, may_fit) + proviso(_option(options, order[0])),
        confidence=_confidence(table, order),
        chosen=(order[0].label, order[0].model),
        options=tuple(ranked_options),
        changes=tuple(changes(table, order, task, options, limits)),
        unknown=unmeasured,
        one_seed=any(row.one_seed for row in order),
        gain=today[0] if today else None,
        today=today[1] if today else None,
        smallest_model=smallest_model([row for row in table.rows if row.status == "completed"], task.primary or ""),
    )


def _option(options: Sequence[RankedOption], row: StrategyResult) -> RankedOption:
    return next(option for option in options if (option.strategy, option.model) == (row.label, row.model))


def _left(options: Sequence[RankedOption]) -> set[tuple[str, str]]:
    return {(option.strategy, option.model) for option in options if not option.excluded}


def _among(
    task: TaskResult, stored: Sequence[StoredTrialItems], left: set[tuple[str, str]], economics: Economics
) -> TaskResult:
    """Compare those that are left with each other: another best, and fewer tests to adjust for."""
    task_trials = [
        trial
        for trial in stored
        if trial.record.trial.task == task.name and (trial.record.trial.label, trial.record.trial.model) in left
    ]
    return compare(task_trials, economics=economics, each_seed=False).suites[0].tasks[0]


def _confidence(table: TaskResult, order: Sequence[StrategyResult]) -> Confidence:
    if sum(table.primary in row.scores for row in table.rows) == 1:
        return "only"
    if any(row.tied_for_best is None for row in _finished(table)):
        return "unknown"
    if len(systems(order)) > 1:
        return "tied"
    return "clear" if all(row.to_best.sure for row in _finished(table) if row.to_best) else "probable"


def _unknown(checks: Sequence[ConstraintCheck]) -> tuple[str, ...]:
    """Say once for each constraint what was not measured, of how many, and how it can be."""
    counts = Counter(
        (check.constraint, "measured by too few requests" if check.ok else check.text, check.remedy)
        for check in checks
        if check.remedy
    )
    return tuple(
        f"{constraint} is open for {count(many, 'option')} ({text}): {remedy}."
        for (constraint, text, remedy), many in counts.items()
    )


def _merged(rules: Sequence[AppliedRule]) -> tuple[AppliedRule, ...]:
    """Say each rule once, with the strategies of all tasks; what was measured stays with its first task that tells."""
    by_id: dict[str, AppliedRule] = {}
    for applied_rule in rules:
        rule_id = applied_rule.rule.id
        before = by_id.get(rule_id)
        if before is None:
            by_id[rule_id] = applied_rule
            continue
        telling = before if before.measured else applied_rule
        names = tuple(dict.fromkeys([*before.strategies, *applied_rule.strategies]))
        by_id[rule_id] = telling.model_copy(update={"strategies": names})
    return tuple(by_id.values())
