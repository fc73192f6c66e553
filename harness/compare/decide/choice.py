"""A decision on one task: each strategy against the constraints, the choice, and its confidence."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Literal

from harness.compare.decide.constraints import ConstraintCheck, Constraints
from harness.compare.decide.feasibility import figure_of, findings
from harness.compare.decide.rules import DecisionRule, rules_for
from harness.compare.prose.names import Names
from harness.compare.prose.numbers import change, count, listing, metric_title, score, surely, usd
from harness.compare.prose.reading_sentences import single_answer
from harness.compare.stats.estimates import Difference, Estimate
from harness.compare.table.result import StrategyResult, TaskResult
from harness.compare.table.undertraining import undertrained
from harness.compare.trials.traits import Traits
from harness.measure.units import seconds, size
from harness.metrics import get
from harness.records.measurements import StoredModel

Confidence = Literal["only", "clear", "probable", "tied", "unknown"]
Figure = Callable[[StrategyResult], float | None]
_FEWEST_TRAINED = "fewest trained parameters"
_NEEDS: dict[str, Callable[[Traits], float]] = {
    "no model": lambda traits: not traits.constant,
    "no training": lambda traits: traits.changes_weights,
    "no preference data": lambda traits: traits.uses_preferences,
    "no index": lambda traits: traits.searches_corpus,
    "fewest steps": lambda traits: traits.steps,
    "no examples": lambda traits: traits.uses_examples,
    _FEWEST_TRAINED: lambda traits: traits.trained_share or 0.0,
}
"""Needs that make a strategy less simple, the heaviest first, each with the name of its absence."""
MANY = 4
"""Names that a sentence holds before it counts the rest."""


class RankedOption(StoredModel):
    """One strategy with a model, held against the constraints.

    Attributes:
        score: on the task's primary metric.
        usd_month: the total over the horizon, spread over its months; per_1000_usd: for a thousand requests.
        memory_bytes: peak of its process in any phase; p95_s: of a request; None where not measured.
        findings: one for each constraint, then one for each rule that excludes it.
        excluded: whether one of them says no, or could not be checked because a figure is missing; reason: which, in a
            line.
        warnings: what rules say that does not exclude it.
        tied: not clearly worse than the best of those left, adjusted for all pairs; None where unknown, or excluded.
        to_best: this minus that best.
        place: among those that are tied, by the objective, from 1; None for the others.
    """

    strategy: str
    model: str
    score: Estimate | None = None
    usd_month: float | None = None
    per_1000_usd: float | None = None
    memory_bytes: int | None = None
    p95_s: float | None = None
    findings: tuple[ConstraintCheck, ...] = ()
    excluded: bool = False
    reason: str | None = None
    warnings: tuple[str, ...] = ()
    tied: bool | None = None
    to_best: Difference | None = None
    place: int | None = None


class TaskDecision(StoredModel):
    """What to choose for one task.

    Attributes:
        verdict: in a sentence or two, with how sure it is.
        confidence: whether the chosen is the only one that fits, clearly best, probably best (the spread over seeds is
            assumed), tied with others, or no test tells.
        chosen: strategy and model; None where nothing fits.
        options: in order: the chosen, those tied with it by the objective, the others that fit, then the excluded.
        nothing_fits: which constraint binds, and what comes nearest.
        changes: what would change the verdict, a sentence each.
        unknown: constraints that could not be held against a figure, and how to measure it.
        one_seed: whether the chosen, or one tied with it, was trained with a single seed.
        smallest_model: where several models ran: the smallest that keeps to everything, with its licence.
    """

    task: str
    metric: str
    higher_is_better: bool = True
    verdict: str
    confidence: Confidence
    chosen: tuple[str, str] | None = None
    options: tuple[RankedOption, ...] = ()
    nothing_fits: str | None = None
    changes: tuple[str, ...] = ()
    unknown: tuple[str, ...] = ()
    one_seed: bool = False
    smallest_model: str | None = None


def held(row: StrategyResult, task: TaskResult, limits: Constraints, flags: frozenset[str]) -> RankedOption:
    """Hold one finished strategy against the constraints and the rules."""
    checks = findings(row, task, limits)
    rules = rules_for(flags, row.traits) if row.traits else []
    checks += [
        ConstraintCheck(constraint=_flag(rule), ok=False, text=f"breaks {_flag(rule)} (rule {rule.id})")
        for rule in rules
        if rule.effect == "exclude"
    ]
    checks += _single_answer(row, task)
    broken = [check for check in checks if not check.ok]
    cost, latency = row.cost, row.cost.latency if row.cost else None
    slow = next((quantile for quantile in latency.wall if quantile.share == 0.95), None) if latency else None
    return RankedOption(
        strategy=row.label,
        model=row.model,
        score=row.scores.get(task.primary or ""),
        usd_month=row.money.monthly_bill_usd() if row.money else None,
        per_1000_usd=row.money.per_1000_usd if row.money else None,
        memory_bytes=cost.host_peak_bytes if cost else None,
        p95_s=slow.value_s if slow else None,
        findings=tuple(checks),
        excluded=bool(broken),
        reason="; ".join(check.text for check in broken) or None,
        warnings=tuple(rule.says for rule in rules if rule.effect == "warn"),
    )


def _single_answer(row: StrategyResult, task: TaskResult) -> list[ConstraintCheck]:
    """Refuse a row that is a constant answer in effect where a constant answer is an option itself."""
    constant = any(other.traits and other.traits.constant and task.primary in other.scores for other in task.rows)
    if not constant or row.single_answer is None or row.single_answer.better:
        return []
    return [ConstraintCheck(constraint="one answer", ok=False, text=single_answer(row.single_answer, "it").rstrip("."))]


def ranked(table: TaskResult, limits: Constraints) -> list[StrategyResult]:
    """Order those tied for best: by simplicity for quality, else by the objective; equal ones by their score."""
    tied = [row for row in table.rows if row.tied_for_best]
    if limits.objective == "quality":
        return sorted(tied, key=complexity)
    _, figure = figure_of(limits.objective, tied)
    return sorted(tied, key=lambda row: _or_last(figure(row)))


def complexity(row: StrategyResult) -> tuple[float, ...]:
    """Return a sort key, simplest first: the `_NEEDS` in their order, changed parameters, then total cost in USD."""
    traits = row.traits or Traits()
    cost = row.money.total_usd() if row.money else math.inf
    return (*(need(traits) for need in _NEEDS.values()), traits.settings, cost)


def verdict(table: TaskResult, order: Sequence[StrategyResult], limits: Constraints, *, of: int) -> str:
    """Say what to choose, how sure that is, and what it costs.

    Args:
        table: those that keep to everything, compared with each other.
        order: those tied for best, by the objective; the first is chosen.
        limits: what was asked for.
        of: how many strategies there were before any was excluded.
    """
    chosen, alternatives = order[0], order[1:]
    name, primary = Names(table.rows), table.primary or ""
    left = sum(primary in row.scores for row in table.rows)
    sentence = f"On `{table.name}` choose {name(chosen)} ({metric_title(primary)} {score(chosen.scores[primary])})"
    if left == 1:
        sentence += f": the only one of {count(of, 'option')} that fits"
    elif not alternatives:
        sure = surely([row.to_best for row in table.rows if row.to_best])
        sentence += f": {sure} best of the {left} that fit" if left < of else f": {sure} best of all {left}"
    else:
        sentence += f": tied with {_names(alternatives, name)}, {_why(order, limits, name, primary)}"
    sentence += f".{_costs(chosen)}"
    single = [row for row in order if row.one_seed]
    if single:
        sentence += f" Only one seed of {_names(single, name)}: another may change this."
    if short := [row for row in order if undertrained(row)]:
        sentence += f" Undertrained, so it may score higher: {_names(short, name)}."
    return sentence


def proviso(chosen: RankedOption) -> str:
    """Name the constraints that the interval of the chosen one leaves open."""
    likely = [check.constraint for check in chosen.findings if check.ok and check.sure is False]
    return f" It keeps to {listing(likely)} by its value, while its interval reaches beyond." if likely else ""


def smallest_model(rows: Sequence[StrategyResult], primary: str) -> str | None:
    """Name the smallest model that keeps to everything, with its licence; None where only one model ran."""
    sized = [(row.parameters, row) for row in rows if row.parameters and primary in row.scores]
    if len({row.model for _, row in sized}) < 2:
        return None
    up = 1 if get(primary).higher_is_better else -1
    _, least = min(sized, key=lambda pair: (pair[0], -up * pair[1].scores[primary].value))
    licence = least.licence or "licence not known"
    return (
        f"The smallest model that meets the bar: `{least.model}` ({(least.parameters or 0) / 1e6:,.0f} M parameters, "
        f"{licence}) with `{least.label}`, {metric_title(primary)} {score(least.scores[primary])}."
    )


def worse(row: StrategyResult, name: Names) -> str:
    """Say why one that fits is not among those tied for best."""
    if row.to_best is None:
        return f"{name(row)} answered other items, so no test compares it with the best"
    return f"{name(row)} is {surely([row.to_best])} worse than the best that fits: {change(row.to_best)}"


def _flag(rule: DecisionRule) -> str:
    """Write what the user said that makes a rule speak: ``--expertise none``, ``--must-cite``."""
    return "--" + (rule.flag.replace("_", " ") if rule.flag.startswith("expertise") else rule.flag.replace("_", "-"))


def _why(order: Sequence[StrategyResult], limits: Constraints, name: Names, primary: str) -> str:
    chosen, alternatives = order[0], order[1:]
    if limits.objective == "quality":
        up = 1 if get(primary).higher_is_better else -1
        best = max(order, key=lambda row: up * row.scores[primary].value)
        highest = "and scores highest" if best is chosen else f"while {name(best)} scores highest"
        value = "" if best is chosen else f" ({score(best.scores[primary])})"
        return f"it is the simplest{_simpler(chosen, alternatives)}, {highest}{value}{_cheapest(chosen, alternatives)}"
    unit, figure = figure_of(limits.objective, [chosen, *alternatives])
    figure_value, alternative_values = (
        figure(chosen),
        [value for row in alternatives if (value := figure(row)) is not None],
    )
    if figure_value is None or not alternative_values:
        return f"and no {unit} tells them apart"
    span = " to ".join(
        dict.fromkeys(_amount(value, limits) for value in (min(alternative_values), max(alternative_values)))
    )
    return f"it has the lowest {unit} ({_amount(figure_value, limits)} against {span}{_once(chosen)})"


def _simpler(chosen: StrategyResult, alternatives: Sequence[StrategyResult]) -> str:
    """Name the two heaviest needs that some of the others have and the chosen has not: `` (no training, no index)``."""
    traits, others = chosen.traits or Traits(), [row.traits or Traits() for row in alternatives]
    less = [label for label, need in _NEEDS.items() if any(need(traits) < need(other) for other in others)]
    if not traits.changes_weights:  # it trains nothing, so how little it trains says nothing more
        less = [label for label in less if label != _FEWEST_TRAINED]
    return f" ({', '.join(less[:2])})" if less else ""


def _once(row: StrategyResult) -> str:
    return ", measured once" if row.seeds == 1 else ""


def _cheapest(chosen: StrategyResult, alternatives: Sequence[StrategyResult]) -> str:
    """Say which of those tied costs less than the chosen by a fifth or more, and how much; not by single timings."""
    money = chosen.money
    paid = [
        (row.money.total_usd(), row) for row in alternatives if money and row.money and row.money.costs_less_than(money)
    ]
    if money is None or not paid:
        return ""
    least, row = min(paid, key=lambda pair: pair[0])
    share = least / money.total_usd() if money.total_usd() else 1.0
    return f"; `{row.label}` costs {share:.0%} of it" if share <= 0.8 else ""


def _amount(value: float, limits: Constraints) -> str:
    if limits.objective == "cost":
        return f"{usd(value)} USD"
    return size(value) if limits.objective == "memory" else seconds(value)


def _costs(row: StrategyResult) -> str:
    if row.money is None:
        return ""
    memory = f", {size(row.cost.host_peak_bytes)} of memory" if row.cost and row.cost.host_peak_bytes else ""
    volume = f"{row.money.usage.requests_per_month:,.0f} requests"
    return f" It costs {usd(row.money.monthly_bill_usd())} USD a month at {volume}{memory}."


def _names(rows: Sequence[StrategyResult], name: Names) -> str:
    if len(rows) <= MANY:
        return name.all(rows)
    return listing([*map(name, rows[: MANY - 1]), f"{len(rows) - MANY + 1} more"])


def _or_last(value: float | None) -> float:
    return float("inf") if value is None else value
