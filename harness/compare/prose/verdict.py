"""Verdict of a table in sentences: the best or a tie, baseline, training, side effects.

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
from harness.compare.prose.numbers import change, listing, metric_title, score, surely
from harness.compare.prose.tie_sentences import apart, detects, highest, too_few, why_first
from harness.compare.prose.training_sentences import ending_sentence, stopped_sentence
from harness.compare.stats.estimates import Difference
from harness.compare.table.corpus_learning import unlearned
from harness.compare.table.result import StrategyResult, TaskResult
from harness.compare.table.tie_order import systems, tie_order
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
    distinct = systems(claimed)
    tied = [row for row in distinct[1:] if row.tied_for_best] if best_claimed else []
    all_sentences = [
        _best(task, primary, distinct, tied, name) if best_claimed else _unclaimed(task, primary, scored[0], name),
        _baseline(task, claimed, name),
        stopped_sentence(task, scored, name),
        _chance(task, primary, claimed) if claimed else "",
        *reading_sentences.sentences(scored, name),
        ending_sentence(scored, name),
        unlearned_sentence(task.suite, scored, name),
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
    metric = metric_title(primary)
    result = f"{metric} {score(best.scores[primary])}"
    if len(scored) == 1:
        verb = "finished" if len(_scored(task)) == 1 else "learned its corpus"
        return f"Only {name(best)} {verb} on {task_name} ({result}): nothing to compare it with."
    unknown = [row for row in scored[1:] if row.tied_for_best is None]
    incomparable = f" Not compared, for other items: {name.all(unknown)}." if unknown else ""
    if not tied:
        if len(unknown) == len(scored) - 1:
            return f"{name(best)} is {_extreme(task)} on {task_name} ({result}).{incomparable}"
        sure = surely([row.to_best for row in scored[1:] if row.to_best])
        return f"{name(best)} is {sure} the best on {task_name}: {result}.{incomparable}"
    gaps = [row.to_best for row in tied if row.to_best]
    if all(too_few(gap, primary) for gap in gaps):
        return f"{detects(gaps[0], primary)} on {task_name}.{incomparable}"
    order = tie_order([best, *tied])
    everything = "No clear difference: all " if len(order) == len(scored) else ""
    tie = f"{everything}{apart(order, primary)} on {task_name} by {metric}"
    sentences = [
        f"{tie}; {name(order[0])} is {why_first(order, name)}.",
        highest(order, primary, name),
        f"{detects(min(gaps, key=lambda gap: gap.detectable), primary)}.",
    ]
    return " ".join(filter(None, sentences)) + incomparable


def _extreme(task: TaskResult) -> str:
    return "highest" if task.higher_is_better else "lowest"


def _unclaimed(task: TaskResult, primary: str, best: StrategyResult, name: Names) -> str:
    """Say that the best row is one that no claim can rest on."""
    return (
        f"{name(best)} is {_extreme(task)} on `{bare(task.name)}` ({metric_title(primary)} "
        f"{score(best.scores[primary])}), but undertrained: the best strategy is unknown."
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


def _chance(task: TaskResult, primary: str, scored: Sequence[StrategyResult]) -> str:
    if constant := reading_sentences.constant_sentence(task, scored, Names(task.rows)):
        return constant
    if task.chance is None or any(row.scores[primary].low > task.chance for row in scored):
        return ""
    return f"No strategy is clearly above guessing ({task.chance:.2f})."
