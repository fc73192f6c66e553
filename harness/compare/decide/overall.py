"""One strategy for all tasks of a suite: where one is not clearly worse than the best on any of them."""

from __future__ import annotations

from collections.abc import Sequence

from harness.compare.decide.choice import TaskDecision, gain_text
from harness.compare.decide.constraints import Constraints
from harness.compare.decide.feasibility import figure_of
from harness.compare.prose.names import bare
from harness.compare.prose.numbers import count, listing, metric_title
from harness.compare.table.result import StrategyResult, TaskResult
from harness.compare.table.tie_order import complexity
from harness.records.measurements import StoredModel

Key = tuple[str, str]
MANY = 3
"""Tasks whose figures a sentence holds; of more it names only what is chosen."""


class Overall(StoredModel):
    """What to choose where one strategy must serve every task.

    Attributes:
        chosen: strategy and model.
        others: strategies that are tied for best on every task too, by the objective.
    """

    verdict: str
    chosen: Key
    others: tuple[Key, ...] = ()


def overall(tasks: Sequence[TaskResult], decided: Sequence[TaskDecision], limits: Constraints) -> Overall | None:
    """Choose one strategy for all tasks: tied for best on each, the simplest first, or the best by the objective.

    Returns:
        None where each strategy breaks a constraint or is clearly worse than the best on some task.
    """
    tied: list[set[Key]] = [
        {(o.strategy, o.model) for o in decision.options if o.tied and not o.excluded} for decision in decided
    ]
    common = tied[0].intersection(*tied[1:])
    if not common:
        return None
    rows = [{(row.label, row.model): row for row in task.rows} for task in tasks]
    order = sorted(common, key=lambda key: (*_rank(key, rows, limits), key))
    return Overall(
        verdict=f"One strategy for all {len(tasks)} tasks: {_name(order[0], decided)}, tied for best on each.",
        chosen=order[0],
        others=tuple(order[1:]),
    )


def headline(decided: Sequence[TaskDecision], together: Overall | None) -> str:
    """Say in at most two sentences what to choose for each task, what it gains, and whether one serves them all."""
    if len(decided) == 1:
        return decided[0].verdict
    chosen = [decision for decision in decided if decision.chosen]
    by_choice: dict[str, list[TaskDecision]] = {}
    for decision in chosen:
        by_choice.setdefault(_name(decision.chosen or ("", ""), decided), []).append(decision)
    parts = [f"{name} for {_tasks(decisions, len(decided))}" for name, decisions in by_choice.items()]
    if none := [decision.task for decision in decided if not decision.chosen]:
        parts.append(f"nothing for {listing(none)}")
    models = sorted({option.model for decision in decided for option in decision.options})
    model = f", with `{bare(models[0])}`" if len(models) == 1 else ""
    serves_all = f" {together.verdict}" if together and len(by_choice) > 1 else ""
    return f"Choose {listing(parts)}{model}.{serves_all}"


def _tasks(decisions: Sequence[TaskDecision], of: int) -> str:
    """Name tasks, with the score, the gain over today's and the number of items where there are few of them."""
    if of > MANY:
        return listing([decision.task for decision in decisions])
    return listing([f"{decision.task} ({_figures(decision)})" for decision in decisions])


def _figures(decision: TaskDecision) -> str:
    chosen = next(o for o in decision.options if (o.strategy, o.model) == decision.chosen)
    if chosen.score is None:
        return ""
    gain = gain_text(decision.gain, decision.today) if decision.gain and decision.today else ""
    tied = sum(bool(option.place) for option in decision.options)
    tie = f", tied with {count(tied - 1, 'other')}" if tied > 1 else ""
    value = f"{metric_title(decision.metric)} {chosen.score.value:.2f}"
    return f"{value}{gain}, {count(chosen.score.n, 'item')}{tie}"


def _name(key: Key, decided: Sequence[TaskDecision]) -> str:
    several = len({option.model for decision in decided for option in decision.options}) > 1
    return f"`{key[0]}`" + (f" with `{key[1]}`" if several else "")


def _rank(key: Key, rows: Sequence[dict[Key, StrategyResult]], limits: Constraints) -> tuple[float, ...]:
    if limits.objective == "quality":
        totals = [row.money.total_usd() if (row := by_key[key]).money else float("inf") for by_key in rows]
        return (*complexity(rows[0][key]), sum(totals))
    figures = [figure_of(limits.objective, list(by_key.values()))[1](by_key[key]) for by_key in rows]
    values = [float("inf") if value is None else value for value in figures]
    return (sum(values) if limits.objective == "cost" else max(values),)
