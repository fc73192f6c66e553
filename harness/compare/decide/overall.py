"""One strategy for all tasks of a suite: it must fit on each, and is ranked by the objective over all of them."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from pydantic import Field

from harness.compare.decide.choice import RankedOption, TaskDecision
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

    By quality, the one whose largest shortfall behind a task's best is smallest. Else those that are tied for best on
    most tasks come first, and of these the one with the smallest sum of costs, or the best worst latency or memory.
    """
    options = [{(o.strategy, o.model): o for o in one.options if not o.excluded} for one in decided]
    fit = [key for key in options[0] if all(key in own for own in options)]
    separate = {one.task: one.chosen for one in decided if one.chosen}
    if not fit:
        return Overall(verdict=f"No single strategy fits on all {len(tasks)} tasks.", separate=separate)
    rows = [{(row.label, row.model): row for row in task.rows} for task in tasks]
    order = sorted(fit, key=lambda key: _key(key, rows, options, (tasks, limits)))
    best = order[0]
    tied = tuple(one.task for one, own in zip(decided, options, strict=True) if own[best].tied)
    worse = tuple(one.task for one in decided if one.task not in tied)
    scores = [
        f"{task.name} {score(own[best].scores[task.primary or ''])}" for task, own in zip(tasks, rows, strict=True)
    ]
    several = len({key[1] for key in fit}) > 1
    name = f"`{best[0]}`" + (f" with `{best[1]}`" if several else "")
    where = f"tied for best on {listing(tied)}" if tied else "best on none"
    behind = f", clearly worse than the best on {listing(worse)}" if worse else ""
    bill = sum(own[best].usd_month or 0 for own in options)
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
    named = [
        f"{_chosen(one)} for {one.task} ({_SURE[one.confidence](_tied(one))}{_seeds(one)})"
        for one in decided
        if one.chosen
    ]
    none = [one.task for one in decided if not one.chosen]
    said = [f"Choose {listing(named)}."] if named else []
    said += [f"Nothing fits for {listing(none)}."] if none else []
    return " ".join([*said, together.verdict])


def _chosen(one: TaskDecision) -> str:
    """Name what is chosen, with its model where there are several."""
    if one.chosen is None:
        return "nothing"
    several = len({option.model for option in one.options}) > 1
    return f"`{one.chosen[0]}`" + (f" with `{one.chosen[1]}`" if several else "")


def _seeds(one: TaskDecision) -> str:
    """Say where another seed might change what is chosen."""
    if not one.one_seed:
        return ""
    return ", some with one seed" if one.confidence == "tied" else ", one seed"


def _tied(one: TaskDecision) -> str:
    """Say how many others are tied."""
    return count(sum(bool(option.place) for option in one.options) - 1, "other")


_SURE: dict[str, Callable[[str], str]] = {
    "only": lambda _: "the only one that fits",
    "clear": lambda _: "clearly best",
    "tied": lambda others: f"tied with {others}",
    "unknown": lambda _: "not every option could be compared",
}


def _key(
    key: Key,
    rows: Sequence[dict[Key, StrategyResult]],
    options: Sequence[dict[Key, RankedOption]],
    asked: tuple[Sequence[TaskResult], Constraints],
) -> tuple[float, float]:
    tasks, limits = asked
    clearly_worse = sum(not own[key].tied for own in options)
    if limits.objective == "quality":
        return 0.0, max(_behind(key, own, task) for own, task in zip(options, tasks, strict=True))
    figures = [figure_of(limits.objective, list(own.values()))[1](own[key]) for own in rows]
    known = [float("inf") if value is None else value for value in figures]
    return clearly_worse, sum(known) if limits.objective == "cost" else max(known)


def _behind(key: Key, own: dict[Key, RankedOption], task: TaskResult) -> float:
    """How far it stays behind the best that fits on a task, in that task's metric."""
    up = 1 if task.higher_is_better else -1
    scores = {name: up * option.score.value for name, option in own.items() if option.score}
    return max(scores.values()) - scores[key] if key in scores else float("inf")
