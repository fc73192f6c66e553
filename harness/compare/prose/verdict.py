"""Verdict of a table in sentences: the best, ties, baseline, cost, side effects.

Names stand between backticks. A sentence claims only differences that intervals and adjusted tests support.
"""

from __future__ import annotations

from collections.abc import Sequence

from harness.compare.prose import (
    forecast_sentences,
    reading_sentences,
    side_effect_sentences,
    slice_sentences,
    synthetic_sentences,
)
from harness.compare.prose.corpus_sentences import unlearned_sentence
from harness.compare.prose.names import Names, bare
from harness.compare.prose.numbers import change, count, listing, metric_title, score, surely, usd
from harness.compare.prose.training_sentences import ending_sentence, undertrained_sentence
from harness.compare.stats.estimates import Difference
from harness.compare.table.corpus_learning import unlearned
from harness.compare.table.result import StrategyResult, TaskResult
from harness.measure.units import seconds
from harness.metrics.statistical_power import ALPHA


def sentences(task: TaskResult) -> tuple[str, ...]:
    """Write the verdict of a task, the most important sentence first; its rows are best first."""
    primary = task.primary
    scored = _scored(task)
    if primary is None or not scored:
        return (f"No strategy finished on `{bare(task.name)}`: there is nothing to compare.",)
    name = Names(task.rows)
    claimed = [row for row in scored if not unlearned(row)]
    best_claimed = claimed[:1] == scored[:1]  # ties and differences are those to the best row
    tied = [row for row in claimed[1:] if row.tied_for_best] if best_claimed else []
    all_sentences = [
        _best(task, primary, claimed, tied, name) if best_claimed else _unclaimed(task, primary, scored[0], name),
        _baseline(task, claimed, name),
        _untrained(scored[0], tied, name),
        _fastest(task, [scored[0], *tied], name),
        _cheapest([scored[0], *tied], name),
        _chance(task, primary, claimed) if claimed else "",
        *reading_sentences.sentences(scored, name),
        undertrained_sentence(scored, name),
        ending_sentence(scored, name),
        unlearned_sentence(scored, name),
        *slice_sentences.sentences(task, scored, name),
        *synthetic_sentences.sentences(task, scored, name),
        *side_effect_sentences.sentences(task, claimed, name),
        forecast_sentences.sentence(scored, name),
    ]
    return tuple(filter(None, all_sentences))


def _scored(task: TaskResult) -> list[StrategyResult]:
    return [row for row in task.rows if task.primary in row.scores]


def _best(
    task: TaskResult, primary: str, scored: Sequence[StrategyResult], tied: Sequence[StrategyResult], name: Names
) -> str:
    best, task_name = scored[0], f"`{bare(task.name)}`"
    result = f"{metric_title(primary)} {score(best.scores[primary])}"
    if len(scored) == 1:
        verb = "finished" if len(_scored(task)) == 1 else "learned what it was to learn"
        return f"Only {name(best)} {verb} on {task_name} ({result}): there is nothing to compare it with."
    unknown = [row for row in scored[1:] if row.tied_for_best is None]
    incomparable = f" {name.all(unknown)} answered other items and cannot be compared with it." if unknown else ""
    extreme = "highest" if task.higher_is_better else "lowest"
    if not tied:
        if len(unknown) == len(scored) - 1:
            return f"{name(best)} is {extreme} on {task_name} ({result}).{incomparable}"
        sure = surely([row.to_best for row in scored[1:] if row.to_best])
        return f"{name(best)} is best on {task_name}: {result}, {sure} ahead of every other strategy.{incomparable}"
    if len(tied) == len(scored) - 1 and not any(_clear(row.to_baseline) for row in scored):
        smallest = min(row.to_best.detectable for row in tied if row.to_best)
        return (
            f"No clear difference on {task_name}: all {len(scored)} strategies are tied, {name(best)} being {extreme} "
            f"({result}). With {count(best.scores[primary].n, 'item')}, "
            f"differences below about {smallest:.2f} go unseen."
        )
    return f"{name(best)} is {extreme} on {task_name} ({result}); tied with it: {name.all(tied)}.{incomparable}"


def _unclaimed(task: TaskResult, primary: str, best: StrategyResult, name: Names) -> str:
    """Say that the best row is one that no claim can rest on."""
    extreme = "highest" if task.higher_is_better else "lowest"
    return (
        f"{name(best)} is {extreme} on `{bare(task.name)}` ({metric_title(primary)} {score(best.scores[primary])}), "
        "but it is undertrained: which strategy is best is not known."
    )


def _baseline(task: TaskResult, scored: Sequence[StrategyResult], name: Names) -> str:
    compared = [(row, row.to_baseline) for row in scored if row.to_baseline]
    if not compared:
        return ""
    up = 1 if task.higher_is_better else -1
    clear = [(row, difference) for row, difference in compared if _clear(difference)]
    better = [(row, difference) for row, difference in clear if difference.value * up > 0]
    texts = [] if better else ["None is clearly better than `zero_shot`."]
    for sure in (True, False):
        word = "Clearly" if sure else "Probably"
        gains = [f"{name(row)} {change(difference)}" for row, difference in better if difference.sure == sure]
        texts += [f"{word} better than `zero_shot`: {listing(gains)}."] if gains else []
        worse = [row for row, difference in clear if difference.value * up < 0 and difference.sure == sure]
        texts += [f"{word} worse than `zero_shot`: {name.all(worse)}."] if worse else []
    return " ".join(texts)


def _clear(difference: Difference | None) -> bool:
    return difference is not None and difference.adjusted_p <= ALPHA


def _untrained(best: StrategyResult, tied: Sequence[StrategyResult], name: Names) -> str:
    free = [row for row in tied if not _trained(row)]
    if not _trained(best) or not free:
        return ""
    return f"{name.all(free)} {'needs' if len(free) == 1 else 'need'} no training and {_is(free)} among the tied."


def _fastest(task: TaskResult, group: Sequence[StrategyResult], name: Names) -> str:
    timed = [(row.cost.total_s, row) for row in group if row.cost]
    if len(timed) < 2 or not task.speed_comparable:
        return ""
    least, most = min(timed, key=lambda pair: pair[0]), max(timed, key=lambda pair: pair[0])
    if most[0] < 1.5 * least[0]:
        return ""
    return (
        f"Of those tied, {name(least[1])} took the least time ({seconds(least[0])} against {seconds(most[0])} "
        f"for {name(most[1])})."
    )


def _cheapest(group: Sequence[StrategyResult], name: Names) -> str:
    """Name the cheapest of the tied rows, where the dearest costs 1.5 times as much or more; not by single timings."""
    paid = sorted(((row.money.total_usd(), row) for row in group if row.money), key=lambda pair: pair[0])
    if len(paid) < 2:
        return ""
    least, most, cheapest = paid[0], paid[-1], paid[0][1].money
    dearer = [row.money for _, row in paid[1:] if row.money]
    if most[0] < 1.5 * least[0] or not (cheapest and all(map(cheapest.costs_less_than, dearer))):
        return ""
    return (
        f"Of those tied, {name(least[1])} costs least ({usd(least[0])} USD in all against {usd(most[0])} for "
        f"{name(most[1])}, at the prices and the usage below)."
    )


def _chance(task: TaskResult, primary: str, scored: Sequence[StrategyResult]) -> str:
    if constant := reading_sentences.constant_sentence(task, scored, Names(task.rows)):
        return constant
    if task.chance is None or any(row.scores[primary].low > task.chance for row in scored):
        return ""
    return f"No strategy is clearly above guessing ({task.chance:.2f})."


def _trained(row: StrategyResult) -> bool:
    return bool(row.cost and row.cost.trained_parameters)


def _is(rows: Sequence[StrategyResult]) -> str:
    return "is" if len(rows) == 1 else "are"
