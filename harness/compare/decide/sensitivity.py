"""Sensitivity of a decision: the constraint that binds, the break-even volume, the items and seeds needed."""

from __future__ import annotations

import math
from collections.abc import Sequence

from harness.compare.cost.breakeven import break_even
from harness.compare.decide.choice import RankedOption
from harness.compare.decide.constraints import ConstraintCheck, Constraints
from harness.compare.decide.feasibility import figure_of
from harness.compare.prose.corpus_sentences import unlearned_sentence
from harness.compare.prose.names import Names
from harness.compare.prose.numbers import change, count, metric_title, score, surely, usd
from harness.compare.prose.training_sentences import undertrained_sentence
from harness.compare.stats.estimates import Difference
from harness.compare.table.result import StrategyResult, TaskResult
from harness.metrics.statistical_power import two_digits

HORIZON_REQUESTS = 1e12
"""Break-even volumes a month beyond this are of no use to anybody."""


def nothing_fits(options: Sequence[RankedOption]) -> str:
    """Name the constraint that binds, and the option that comes nearest to fitting.

    Args:
        options: all of them, every one excluded.
    """
    broken = [[check for check in option.findings if not check.ok] for option in options]
    constraints = {name for checks in broken for name in {check.constraint for check in checks}}
    alone = {name: sum(all(check.constraint == name for check in checks) for checks in broken) for name in constraints}
    all_break = [
        name for name in constraints if all(any(check.constraint == name for check in checks) for checks in broken)
    ]
    nearest = min(options, key=lambda option: _distance(option.findings))
    binds = max(constraints, key=lambda name: (alone[name], name in all_break, name))
    unmeasured = all(check.ok is None for checks in broken for check in checks if check.constraint == binds)
    if binds in all_break and unmeasured:
        label = f"{binds} cannot be checked for any of {len(options)}"
    elif binds in all_break:
        label = f"every one of {len(options)} breaks {binds}"
    elif alone[binds]:
        label = f"{binds} binds: without it {alone[binds]} of {len(options)} would fit"
    else:
        label = f"no single constraint decides: each of {len(options)} breaks at least two"
    misses = "; ".join(_missed(check) for check in nearest.findings if not check.ok)
    return f"Nothing fits: {label}. Nearest is `{nearest.strategy}`: {misses}."


def changes(
    table: TaskResult,
    order: Sequence[StrategyResult],
    everything: TaskResult,
    options: Sequence[RankedOption],
    limits: Constraints,
) -> list[str]:
    """Say what would change the verdict: the runner-up, a volume, a limit, more items or seeds.

    Args:
        table: those that fit, compared with each other.
        order: those tied for best, by the objective; the first is chosen.
        everything: the task before anything was excluded.
        options: what was found of each of its rows.
        limits: what was asked for.
    """
    primary = table.primary or ""
    sentences = [
        _runner_up(table, order, limits),
        _thrifty(table, order, limits),
        _volume(table, order),
        *_relaxed(order[0], everything, options, limits),
        _more_items(table, order),
        _more_seeds(order),
        undertrained_sentence([row for row in table.rows if primary in row.scores], Names(table.rows)),
        unlearned_sentence([row for row in everything.rows if primary in row.scores], Names(everything.rows)),
    ]
    return [sentence for sentence in sentences if sentence]


def _distance(checks: Sequence[ConstraintCheck]) -> tuple[int, float]:
    broken = [check for check in checks if not check.ok]
    return len(broken), max((math.inf if check.miss is None else check.miss for check in broken), default=0.0)


def _missed(check: ConstraintCheck) -> str:
    by = f" ({check.miss:.0%} off)" if check.miss is not None else ""
    return f"{check.text}{by}"


def _runner_up(table: TaskResult, order: Sequence[StrategyResult], limits: Constraints) -> str:
    name, primary = Names(table.rows), table.primary or ""
    scored = [row for row in table.rows if primary in row.scores]
    if len(order) > 1:
        second, difference = order[1], order[1].to_best or order[0].to_best
        gap = f"; the difference in quality is not clear ({_unclear(difference)})" if difference else ""
        if limits.objective == "quality":
            return f"Runner-up: {name(second)}{gap}."
        label, figure = figure_of(limits.objective, order)
        value, other = figure(order[0]), figure(second)
        ratio = f", {label} {_more(other / value)}" if value and other else ""
        return f"Runner-up: {name(second)}{ratio}{gap}."
    alternatives = [row for row in scored if row is not order[0]]
    if not alternatives or alternatives[0].to_best is None:
        return ""
    gap = alternatives[0].to_best
    return f"Runner-up: {name(alternatives[0])}, {surely([gap])} worse ({change(gap)})."


def _unclear(difference: Difference) -> str:
    """Write a difference to the best, with the adjusted p where the interval alone would look clear."""
    looks_clear = difference.low > 0 or difference.high < 0
    adjusted = f"; adjusted for all comparisons p {difference.adjusted_p:.3g}" if looks_clear else ""
    return f"{change(difference)} to the best{adjusted}"


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
                f"{name(row)} keeps to everything with {1 - value / chosen_value:.0%} less {label}, "
                f"but is {surely([row.to_best] if row.to_best else [])} worse "
                f"({metric_title(primary)} {score(row.scores[primary])})."
            ).replace("% less", " % less")
    return ""


def _volume(table: TaskResult, order: Sequence[StrategyResult]) -> str:
    """Give the volume, nearest to the asked one, at which the chosen and another of those tied cost the same."""
    chosen, name = order[0], Names(table.rows)
    if chosen.money is None:
        return ""
    volume = chosen.money.usage.requests_per_month
    candidates = [
        (even, row) for row in order[1:] if row.money and (even := break_even(chosen.money, row.money)).per_month
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
    return (
        f"{name(cheap)} costs less than {name(dear)} above {usd(volume)} requests a month{ends}, "
        f"{name(dear)} less below."
    )


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


def _more_items(table: TaskResult, order: Sequence[StrategyResult]) -> str:
    """Say how many items would separate the two best of those tied, were the measured difference the true one."""
    compared = [(row, row.to_best) for row in order if row.to_best]
    if len(order) < 2 or not compared:
        return ""
    row, gap = min(compared, key=lambda pair: pair[1].detectable / max(abs(pair[1].value), 1e-9))
    name, best = Names(table.rows), table.rows[0]
    if abs(gap.value) < 1e-3:
        return f"{name(best)} and {name(row)} score the same: more items would not tell them apart."
    needed = gap.items_needed()
    if needed is None:
        return (
            f"No number of test items is enough to tell {name(row)} from {name(best)} with these seeds, were the true "
            f"difference the {abs(gap.value):.2g} measured."
        )
    if needed <= gap.n:
        return ""
    return (
        f"To tell {name(row)} from {name(best)}, were the true difference the {abs(gap.value):.2g} measured, "
        f"takes about {count(two_digits(math.ceil(needed)), 'test item')} (here {gap.n:,}; 80 % power)."
    )


def _more_seeds(order: Sequence[StrategyResult]) -> str:
    if not any(row.one_seed for row in order):
        return ""
    return "How far another seed moves one that ran with one seed was not measured: 'harness run SUITE --seeds 3' does."
