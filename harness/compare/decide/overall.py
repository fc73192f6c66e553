"""One strategy for all tasks of a suite: it must fit on each, and is ranked by the objective over all of them."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from pydantic import Field

from harness.compare.decide.choice import RankedOption, TaskDecision, complexity
from harness.compare.decide.constraints import Constraints
from harness.compare.decide.feasibility import figure_of
from harness.compare.prose.numbers import count, listing, score, usd
from harness.compare.table.result import StrategyResult, TaskResult
from harness.records.measurements import StoredModel

Key = tuple[str, str]


class Overall(StoredModel):
    """What to choose where one strategy must serve every task.

    Attributes:
        chosen: strategy and model; None where none fits on every task.
        tied_on: tasks where it is not clearly worse than the best that fits there.
        worse_on: tasks where it is.
        others: strategies that fit on every task too, by the objective.
        separate: what each task would get of its own, where that differs.
    """

    verdict: str
    chosen: Key | None = None
    tied_on: tuple[str, ...] = ()
    worse_on: tuple[str, ...] = ()
    others: tuple[Key, ...] = ()
    separate: dict[str, Key] = Field(default_factory=dict[str, Key])


def overall(tasks: Sequence[TaskResult], decided: Sequence[TaskDecision], limits: Constraints) -> Overall:
    """Choose one strategy for all tasks.

    Those that are tied for best on most tasks come first; of these, by quality, the simplest if it is tied on all,
    else the one whose largest shortfall behind a task's best is smallest, as a share of the gap between the task's best
    and lowest option, for metrics are unlike; by another objective, the one with the smallest sum of costs, or the best
    worst latency or memory. One that is clearly worse than the best on every task is not offered.
    """
    options = [{(o.strategy, o.model): o for o in task_decision.options if not o.excluded} for task_decision in decided]
    fit = [key for key in options[0] if all(key in options_by_key for options_by_key in options)]
    separate = {task_decision.task: task_decision.chosen for task_decision in decided if task_decision.chosen}
    if not fit:
        return Overall(verdict=f"No single strategy fits on all {len(tasks)} tasks.", separate=separate)
    rows = [{(row.label, row.model): row for row in task.rows} for task in tasks]
    order = sorted(fit, key=lambda key: _key(key, rows, options, (tasks, limits)))
    best = order[0]
    if all(options_by_key[best].tied is False for options_by_key in options):
        text = (
            f"No strategy is worth using for all {len(tasks)} tasks: of {count(len(fit), 'option')} that fit on every"
        )
        return Overall(verdict=f"{text} task, each is clearly worse than the best on each of them.", separate=separate)
    tied = tuple(
        task_decision.task
        for task_decision, options_by_key in zip(decided, options, strict=True)
        if options_by_key[best].tied
    )
    worse = tuple(task_decision.task for task_decision in decided if task_decision.task not in tied)
    scores = [
        f"{task.name} {score(rows_by_key[best].scores[task.primary or ''])}"
        for task, rows_by_key in zip(tasks, rows, strict=True)
    ]
    several = len({key[1] for key in fit}) > 1
    name = f"`{best[0]}`" + (f" with `{best[1]}`" if several else "")
    where = f"tied for best on {listing(tied)}" if tied else "best on none"
    behind = f", clearly worse than the best on {listing(worse)}" if worse else ""
    bill = sum(options_by_key[best].usd_month or 0 for options_by_key in options)
    text = (
        f"One for all {len(tasks)} tasks would be {name} ({', '.join(scores)}), {where}{behind}, of "
        f"{count(len(fit), 'option')} that fit on every task. All tasks together cost {usd(bill)} USD a month."
    )
    return Overall(
        verdict=text,
        chosen=best,
        tied_on=tied,
        worse_on=worse,
        others=tuple(order[1:]),
        separate={task: key for task, key in separate.items() if key != best},
    )


def headline(decided: Sequence[TaskDecision], together: Overall | None) -> str:
    """Say in a sentence or two what to choose for each task, how sure that is, and what one for all would be."""
    if together is None:
        return decided[0].verdict
    choices = [
        f"{_chosen(decision)} for {decision.task} ({_SURE[decision.confidence](_tied(decision))}{_seeds(decision)})"
        for decision in decided
        if decision.chosen
    ]
    none = [task_decision.task for task_decision in decided if not task_decision.chosen]
    sentences = [f"Choose {listing(choices)}."] if choices else []
    sentences += [f"Nothing fits for {listing(none)}."] if none else []
    return " ".join([*sentences, together.verdict])


def _chosen(decision: TaskDecision) -> str:
    """Name what is chosen, with its model where there are several."""
    if decision.chosen is None:
        return "nothing"
    several = len({option.model for option in decision.options}) > 1
    return f"`{decision.chosen[0]}`" + (f" with `{decision.chosen[1]}`" if several else "")


def _seeds(decision: TaskDecision) -> str:
    """Say where another seed might change what is chosen."""
    if not decision.one_seed:
        return ""
    return ", some with one seed" if decision.confidence == "tied" else ", one seed"


def _tied(decision: TaskDecision) -> str:
    """Say how many others are tied."""
    return count(sum(bool(option.place) for option in decision.options) - 1, "other")


_SURE: dict[str, Callable[[str], str]] = {
    "only": lambda _: "the only one that fits",
    "clear": lambda _: "clearly best",
    "probable": lambda _: "probably best",
    "tied": lambda names: f"tied with {names}",
    "unknown": lambda _: "not every option could be compared",
}


def _key(
    key: Key,
    rows: Sequence[dict[Key, StrategyResult]],
    options: Sequence[dict[Key, RankedOption]],
    basis: tuple[Sequence[TaskResult], Constraints],
) -> tuple[float, ...]:
    tasks, limits = basis
    clearly_worse = sum(not options_by_key[key].tied for options_by_key in options)
    if limits.objective == "quality":
        behind = max(_behind(key, options_by_key, task) for options_by_key, task in zip(options, tasks, strict=True))
        return clearly_worse, behind if clearly_worse else 0.0, *complexity(rows[0][key])
    figures = [figure_of(limits.objective, list(rows_by_key.values()))[1](rows_by_key[key]) for rows_by_key in rows]
    values = [float("inf") if value is None else value for value in figures]
    return clearly_worse, sum(values) if limits.objective == "cost" else max(values)


def _behind(key: Key, options_by_key: dict[Key, RankedOption], task: TaskResult) -> float:
    """How far it stays behind the best that fits on a task: 0 for the best, 1 for the lowest."""
    up = 1 if task.higher_is_better else -1
    scores = {name: up * option.score.value for name, option in options_by_key.items() if option.score}
    if key not in scores:
        return float("inf")
    gap = max(scores.values()) - min(scores.values())
    return (max(scores.values()) - scores[key]) / gap if gap else 0.0
