"""Sensitivity of a decision: the constraint that binds, the break-even volume, the items and seeds needed."""

from __future__ import annotations

import math
import shlex
from collections.abc import Sequence

from harness.compare.cost.breakeven import break_even
from harness.compare.decide.choice import RankedOption, costs, short_list
from harness.compare.decide.constraints import ConstraintCheck, Constraints
from harness.compare.decide.feasibility import figure_of
from harness.compare.prose.corpus_sentences import unlearned_sentence
from harness.compare.prose.names import Names
from harness.compare.prose.numbers import change, count, listing, metric_title, score, surely, usd
from harness.compare.prose.tie_sentences import highest, items_needed
from harness.compare.stats.estimates import Difference
from harness.compare.table.result import StrategyResult, TaskResult
from harness.compare.table.tie_order import firm_cost, systems
from harness.metrics.statistical_power import ALPHA

HORIZON_REQUESTS = 1e12
"""Break-even volumes a month beyond this are of no use to anybody."""


def nothing_fits(options: Sequence[RankedOption]) -> str:
    """Name the constraint that binds and the option nearest to fitting, or what must be measured to decide at all.

    Args:
        options: all of them, every one excluded.
    """
    broken = [[check for check in option.findings if not check.ok] for option in options]
    if any(all(check.ok is None for check in checks) for checks in broken):
        return _cannot_be_decided(broken)
    constraints = {name for checks in broken for name in {check.constraint for check in checks}}
    alone = {name: sum(all(check.constraint == name for check in checks) for checks in broken) for name in constraints}
    all_break = [name for name in constraints if all(name in {c.constraint for c in checks} for checks in broken)]
    nearest = min(options, key=lambda option: _distance(option.findings))
    binds = max(constraints, key=lambda name: (alone[name], name in all_break, name))
    if binds in all_break:
        label = f"all {count(len(options), 'option')} break {binds}"
    elif alone[binds]:
        label = f"{binds} binds; without it {alone[binds]} of {len(options)} would fit"
    else:
        label = f"each of {count(len(options), 'option')} breaks at least two constraints"
    misses = "; ".join(_missed(check) for check in nearest.findings if not check.ok)
    return f"nothing fits: {label}. Nearest is `{nearest.strategy}`: {misses}."


def _cannot_be_decided(broken: Sequence[Sequence[ConstraintCheck]]) -> str:
    """Say which figures of how many options are unknown, where these alone keep options from fitting."""
    unmeasured = [checks for checks in broken if all(check.ok is None for check in checks)]
    subjects: dict[str, list[ConstraintCheck]] = {}
    for checks in unmeasured:
        for check in checks:
            subjects.setdefault(check.subject or check.constraint, []).append(check)
    unknown = [f"{subject} of {count(len(checks), 'option')} is unknown" for subject, checks in subjects.items()]
    remedies = dict.fromkeys(check.remedy for checks in subjects.values() for check in checks if check.remedy)
    return f"cannot be decided: {listing(unknown)}; {'; '.join(remedies)}."


def changes(
    table: TaskResult,
    order: Sequence[StrategyResult],
    everything: TaskResult,
    options: Sequence[RankedOption],
    limits: Constraints,
) -> list[str]:
    """Say what stands behind the verdict and what would change it: cost, a volume, a limit, more items or seeds.

    Args:
        table: those that fit, compared with each other.
        order: those tied for best, by the objective; the first is chosen.
        everything: the task before anything was excluded.
        options: what was found of each of its rows.
        limits: what was asked for.
    """
    primary, name, order = table.primary or "", Names(table.rows), systems(order)
    sentences = [
        highest(order, primary, name) if len(order) > 1 else "",
        costs(order[0]),
        _runner_up(table, order, limits),
        _thrifty(table, order, limits),
        _volume(table, order),
        *_relaxed(order[0], everything, options, limits),
        _more_items(table, order, name),
        _more_seeds(table.suite, order, name),
        unlearned_sentence(table.suite, [r for r in everything.rows if primary in r.scores], Names(everything.rows)),
    ]
    return [sentence for sentence in sentences if sentence]


def _distance(checks: Sequence[ConstraintCheck]) -> tuple[int, float]:
    broken = [check for check in checks if not check.ok]
    return len(broken), max((math.inf if check.miss is None else check.miss for check in broken), default=0.0)


def _missed(check: ConstraintCheck) -> str:
    by = f" ({check.miss:.0%} off)" if check.miss is not None else ""
    return f"{check.text}{by}"


def _runner_up(table: TaskResult, order: Sequence[StrategyResult], limits: Constraints) -> str:
    """Name the next best: behind a clear winner, or by the objective in a tie; a tie by quality has none."""
    name, primary = Names(table.rows), table.primary or ""
    if len(order) > 1:
        if limits.objective == "quality":
            return ""
        label, figure = figure_of(limits.objective, order)
        value, other = figure(order[0]), figure(order[1])
        ratio = f", {label} {_more(other / value)}" if value and other else ""
        return f"Next: {name(order[1])}{ratio}."
    alternatives = [row for row in table.rows if primary in row.scores and row is not order[0]]
    if not alternatives or alternatives[0].to_best is None:
        return ""
    gap = alternatives[0].to_best
    return f"Next best: {name(alternatives[0])}, {surely([gap])} worse ({change(gap)}{adjusted_p(gap)})."


def adjusted_p(gap: Difference) -> str:
    """Write the adjusted p of a difference that is not clear although its interval leaves 0 out; else nothing."""
    looks_clear = (gap.low > 0 or gap.high < 0) and gap.adjusted_p > ALPHA
    return f"; adjusted for all pairs, p {gap.adjusted_p:.3g}" if looks_clear else ""


def _more(ratio: float) -> str:
    """Write how much more: ``5 % higher``, ``3.2 times as high``, ``about the same``."""
    if ratio < 1.005:
        return "about the same"
    return f"{ratio - 1:.0%} higher".replace("%", " %") if ratio < 2 else f"{ratio:.2g} times as high"


def _thrifty(table: TaskResult, order: Sequence[StrategyResult], limits: Constraints) -> str:
    """Name the best of those that do better by the objective and keep to everything, but are clearly worse."""
    if limits.objective == "quality":
        return ""
    label, figure = figure_of(limits.objective, table.rows)
    chosen_value, name, primary = figure(order[0]), Names(table.rows), table.primary or ""
    for row in table.rows:
        value = figure(row) if primary in row.scores else None
        if row.tied_for_best is False and chosen_value and value is not None and value < chosen_value:
            return (
                f"{name(row)} has {1 - value / chosen_value:.0%} less {label}, but is "
                f"{surely([row.to_best] if row.to_best else [])} worse ({metric_title(primary)} "
                f"{score(row.scores[primary])})."
            ).replace("% less", " % less")
    return ""


def _volume(table: TaskResult, order: Sequence[StrategyResult]) -> str:
    """Give the volume, nearest to the asked one, at which the chosen and another of those tied cost the same."""
    chosen, name = order[0], Names(table.rows)
    if chosen.money is None:
        return ""
    volume = chosen.money.usage.requests_per_month
    candidates = [
        (even, row)
        for row in order[1:]
        if row.money and firm_cost(chosen) and firm_cost(row)
        if (even := break_even(chosen.money, row.money)).per_month
    ]
    candidates = [(even, row) for even, row in candidates if even.per_month and 1 <= even.per_month <= HORIZON_REQUESTS]
    if not candidates:
        return ""
    even, row = min(candidates, key=lambda pair: abs(math.log((pair[0].per_month or 1) / max(volume, 1))))
    months = chosen.money.usage.months
    volume = even.per_month or 0
    ends = (
        f" [{usd(even.low / months)}, {usd(even.high / months)}]"
        if even.low is not None and even.high is not None
        else f" ({even.note})"
    )
    cheap, dear = (chosen, row) if even.cheaper_above == 0 else (row, chosen)
    return f"Break-even: {name(cheap)} costs less than {name(dear)} above {usd(volume)} requests a month{ends}."


def _relaxed(
    chosen: StrategyResult, everything: TaskResult, options: Sequence[RankedOption], limits: Constraints
) -> list[str]:
    """Name what one relaxed limit would admit that does better by the objective; the smallest step of each limit."""
    rows = {(row.label, row.model): row for row in everything.rows}
    name, primary = Names(everything.rows), everything.primary or ""
    up = 1 if everything.higher_is_better else -1
    quality = limits.objective == "quality"
    _, figure = figure_of("cost" if quality else limits.objective, everything.rows)
    admitted: dict[str, tuple[float, ConstraintCheck, StrategyResult]] = {}
    best = max(up * option.score.value for option in options if not option.excluded and option.score)
    for option in options:
        broken, row = [check for check in option.findings if not check.ok], rows[option.strategy, option.model]
        if len(broken) != 1 or broken[0].miss is None or primary not in row.scores:
            continue
        if quality:
            better = up * row.scores[primary].value > best
        else:
            value, other = figure(chosen), figure(row)
            better = value is not None and other is not None and other < value
        check = broken[0]
        miss = check.miss or 0.0
        if better and (check.constraint not in admitted or miss < admitted[check.constraint][0]):
            admitted[check.constraint] = (miss, check, row)
    return [
        f"Relaxing {check.constraint} to {_enough(check)} would admit {name(row)}, "
        f"{'which scores higher' if quality else 'which does better by the objective'}."
        for _, check, row in admitted.values()
    ]


def _enough(check: ConstraintCheck) -> str:
    """Write a limit of three digits that just admits the figure: rounded away from the limit that it breaks."""
    value, limit = check.value or 0.0, check.limit or 0.0
    step = 10.0 ** (math.floor(math.log10(abs(value))) - 2) if value else 1.0
    rounded = (math.ceil(value / step) if value > limit else math.floor(value / step)) * step
    return f"{rounded:.6g}"


def _more_items(table: TaskResult, order: Sequence[StrategyResult], name: Names) -> str:
    """Say how many items would tell the chosen from the highest; where it is the highest, from the nearest of a tie."""
    compared = [row for row in order if row.to_best]
    if len(order) < 2 or not compared:
        return ""
    row = compared[0] if compared[0] is order[0] else max(compared, key=lambda row: abs(_share_detected(row)))
    return items_needed(table, row, name)


def _share_detected(row: StrategyResult) -> float:
    """A difference to the best, as a share of what can be detected."""
    return abs(row.to_best.value) / max(row.to_best.detectable, 1e-9) if row.to_best else 0.0


def _more_seeds(suite: str, order: Sequence[StrategyResult], name: Names) -> str:
    single = [row for row in order if row.one_seed]
    if not single:
        return ""
    return (
        f"{short_list(single, name)} ran with one seed; a rerun may reorder the top. Measure it: harness run "
        f"{shlex.quote(suite)} --seeds 3"
    )
