"""A decision on one task: each strategy against the constraints, the choice, and its confidence."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from harness.compare.decide.constraints import ConstraintCheck, Constraints
from harness.compare.decide.feasibility import figure_of, findings
from harness.compare.decide.rules import DecisionRule, rules_for
from harness.compare.prose.names import Names, bare
from harness.compare.prose.numbers import change, count, listing, metric_title, score, surely, usd
from harness.compare.prose.reading_sentences import single_answer
from harness.compare.prose.tie_sentences import apart, why_first
from harness.compare.prose.training_sentences import stopped_sentence
from harness.compare.stats.estimates import Difference, Estimate
from harness.compare.table.result import StrategyResult, TaskResult
from harness.compare.table.retention import BASELINE
from harness.compare.table.tie_order import systems, tie_order
from harness.measure.units import seconds, size
from harness.metrics import get
from harness.metrics.statistical_power import ALPHA
from harness.records.measurements import StoredModel

Confidence = Literal["only", "clear", "probable", "tied", "unknown"]
MANY = 4
"""Names that a sentence holds before it counts the rest."""


class RankedOption(StoredModel):
    """One strategy with a model, held against the constraints.

    Attributes:
        score: on the task's primary metric.
        usd_month: the total over the horizon, spread over its months, at full load; per_1000_usd: for a thousand
            requests.
        busy_usd_month: the same without labels; always_on_usd_month: with a machine that is never switched off, None
            where tokens are paid; labels_usd: of training items, paid once.
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
    busy_usd_month: float | None = None
    always_on_usd_month: float | None = None
    labels_usd: float | None = None
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
        verdict: what to choose, what it gains over today's, and how sure that is; at most two sentences, and one more
            where training stopped too early.
        confidence: whether the chosen is the only one that fits, clearly best, probably best (the spread over seeds is
            assumed), tied with others, or no test tells.
        chosen: strategy and model; None where nothing fits.
        options: in order: the chosen, those tied with it by the objective, the others that fit, then the excluded.
        nothing_fits: which constraint binds, and what comes nearest.
        changes: what stands behind the verdict and what would change it, a sentence each.
        unknown: constraints that could not be held against a figure, and how to measure it.
        one_seed: whether the chosen, or one tied with it, ran with a single seed.
        gain: this minus today's, `zero_shot` with the same model; None where that is chosen, or missing.
        today: its score.
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
    gain: Difference | None = None
    today: Estimate | None = None
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
    cost, money = row.cost, row.money
    slow = cost.latency.wall_s(0.95) if cost and cost.latency else None
    return RankedOption(
        strategy=row.label,
        model=row.model,
        score=row.scores.get(task.primary or ""),
        usd_month=money.monthly_bill_usd() if money else None,
        per_1000_usd=money.per_1000_usd if money else None,
        busy_usd_month=money.busy_month_usd() if money else None,
        always_on_usd_month=money.always_on_month_usd() if money else None,
        labels_usd=money.labels_usd if money else None,
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
    """Order those tied for best: the simplest first (`tie_order`), or by the objective where that is not quality."""
    tied = tie_order([row for row in table.rows if row.tied_for_best])
    if limits.objective == "quality":
        return tied
    _, figure = figure_of(limits.objective, tied)
    return sorted(tied, key=lambda row: _or_last(figure(row)))


def verdict(
    table: TaskResult, order: Sequence[StrategyResult], everything: TaskResult, limits: Constraints, unknown: int
) -> str:
    """Say what to choose, what it gains over today's, and how sure that is.

    Args:
        table: those that keep to everything, compared with each other.
        order: those tied for best, by the objective; the first is chosen.
        everything: the task before anything was excluded.
        limits: what was asked for.
        unknown: strategies that may fit too, had they been measured.
    """
    order = systems(order)
    chosen, alternatives = order[0], order[1:]
    name, primary = Names(table.rows), table.primary or ""
    today = baseline_of(everything, chosen)
    verb = "keep" if chosen.strategy == BASELINE else "choose"
    basis = ", ".join(filter(None, [count(chosen.scores[primary].n, "test item"), _model(name, chosen)]))
    figure = f"{metric_title(primary)} {score(chosen.scores[primary])}{gain_text(*today) if today else ''}"
    sentences = [f"On `{table.name}` {verb} {name(chosen)}: {figure} ({basis})."]
    left, total = (sum(primary in row.scores for row in task.rows) for task in (table, everything))
    if left == 1 and total == 1:
        sentences.append("Nothing else finished.")
    elif left == 1:
        may = f"; {count(unknown, 'other')} may fit too, but {_were(unknown)} not measured" if unknown else ""
        sentences.append(f"It is the only one of {count(total, 'option')} that is known to fit{may}.")
    elif not alternatives:
        sure = surely([row.to_best for row in table.rows if row.to_best])
        of = f"{left} measured options that fit" if unknown else f"{left} that fit" if left < total else f"all {left}"
        sentences.append(f"It is {sure} the best of {of}.")
    else:
        sentences.append(f"{apart(order, primary)}; it is {_why(order, limits, name)}.")
    return " ".join(filter(None, [*sentences, stopped_sentence(table, order, name)]))


def baseline_of(task: TaskResult, row: StrategyResult) -> tuple[Difference, Estimate] | None:
    """Return a row's gain over the unchanged model, and the score of that; None for itself, and where it is missing."""
    baselines = [r for r in task.rows if (r.strategy, r.model, r.budget) == (BASELINE, row.model, None)]
    gains = [r.to_baseline for r in task.rows if (r.label, r.model) == (row.label, row.model)]
    score_today = next((r.scores[task.primary or ""] for r in baselines if task.primary in r.scores), None)
    gain = gains[0] if gains else None
    return (gain, score_today) if gain and score_today else None


def gain_text(gain: Difference, today: Estimate) -> str:
    """Write ``, up from 0.70 today``, or that the gain is not clear."""
    if gain.adjusted_p > ALPHA:
        return f", {today.value:.2f} today (gain not clear)"
    return f", {'up' if gain.value > 0 else 'down'} from {today.value:.2f} today"


def costs(row: StrategyResult) -> str:
    """Say what a month costs, of a busy machine and of one that is always on, and what labels cost once."""
    if row.money is None:
        return ""
    requests = f"{row.money.usage.requests_per_month:,.0f} requests"
    always_on = row.money.always_on_month_usd()
    busy = f"{usd(row.money.busy_month_usd())} USD"
    machine = f"{busy} by the token" if always_on is None else f"{busy} at full load (a lower bound)"
    parts = [machine] if always_on is None else [machine, f"{usd(always_on)} USD with a machine that is always on"]
    labels = f" Labels: {usd(row.money.labels_usd)} USD, once." if row.money.labels_usd else ""
    once = " Timed once." if always_on is not None and row.money.total_half_usd() is None else ""
    memory = f" Peak memory: {size(row.cost.host_peak_bytes)}." if row.cost and row.cost.host_peak_bytes else ""
    return f"Cost a month for {requests}: {listing(parts)}.{labels}{once}{memory}"


def proviso(chosen: RankedOption) -> str:
    """Name the constraints that the chosen one may break: by its interval, or with a machine that is always on."""
    open_checks = [check for check in chosen.findings if check.ok and check.sure is False]
    bill = [check for check in open_checks if check.constraint.startswith("--max-usd-month")]
    likely = [check.constraint for check in open_checks if check not in bill]
    text = f" It meets {listing(likely)} by its value; the interval reaches beyond." if likely else ""
    return text + "".join(f" It meets {check.constraint} at full load only: {check.text}." for check in bill)


def smallest_model(rows: Sequence[StrategyResult], primary: str) -> str | None:
    """Name the smallest model that keeps to everything, with its licence; None where only one model ran."""
    sized = [(row.parameters, row) for row in rows if row.parameters and primary in row.scores]
    if len({row.model for _, row in sized}) < 2:
        return None
    up = 1 if get(primary).higher_is_better else -1
    _, least = min(sized, key=lambda pair: (pair[0], -up * pair[1].scores[primary].value))
    licence = least.licence or "licence not known"
    return (
        f"Smallest model that fits: `{least.model}` ({(least.parameters or 0) / 1e6:,.0f} M parameters, "
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


def _why(order: Sequence[StrategyResult], limits: Constraints, name: Names) -> str:
    if limits.objective == "quality":
        return why_first(order, name)
    unit, figure = figure_of(limits.objective, order)
    chosen, others = figure(order[0]), [value for row in order[1:] if (value := figure(row)) is not None]
    if chosen is None or not others:
        return f"the simplest, for {unit} was not measured"
    span = " to ".join(dict.fromkeys(_amount(value, limits) for value in (min(others), max(others))))
    once = ", measured once" if order[0].seeds == 1 else ""
    return f"the one with the lowest {unit} ({_amount(chosen, limits)} against {span}{once})"


def _model(name: Names, row: StrategyResult) -> str:
    return "" if name.several else f"`{bare(row.model)}`"


def _were(many: int) -> str:
    return "was" if many == 1 else "were"


def _amount(value: float, limits: Constraints) -> str:
    if limits.objective == "cost":
        return f"{usd(value)} USD"
    return size(value) if limits.objective == "memory" else seconds(value)


def short_list(rows: Sequence[StrategyResult], name: Names) -> str:
    """Name a few, and count the rest."""
    if len(rows) <= MANY:
        return name.all(rows)
    return listing([*map(name, rows[: MANY - 1]), f"{len(rows) - MANY + 1} more"])


def _or_last(value: float | None) -> float:
    return float("inf") if value is None else value
