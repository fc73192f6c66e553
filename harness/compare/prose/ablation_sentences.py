"""Sentences about ablations: the loss of retriever and reader, and the sensitivity to the wording of the instruction.

Names stand between backticks.
"""

from __future__ import annotations

from collections.abc import Sequence

from harness.compare.prose.names import Names, bare
from harness.compare.prose.numbers import change, count, listing, score
from harness.compare.table.ablation_effects import (
    OrderChange,
    RetrievalLoss,
    WordingEffect,
    retrieval_losses,
    wording_effect,
)
from harness.compare.table.result import StrategyResult, TaskResult
from harness.compare.table.retrieval_split import Loss
from harness.records.ablation_names import NONE, ORACLE, RANDOM

_PASSAGES = {RANDOM: "with random passages", NONE: "with none"}


def sentences(task: TaskResult, scored: Sequence[StrategyResult], name: Names) -> list[str]:
    """Describe the effects of ablations.

    Args:
        task: the table.
        scored: its rows that have a score, best first.
        name: names rows.
    """
    wording = wording_effect(task, scored)
    return [
        *[_retrieval(task, loss, name) for loss in retrieval_losses(scored)],
        *([_wording(task, wording, name)] if wording else []),
    ]


def _retrieval(task: TaskResult, loss: RetrievalLoss, name: Names) -> str:
    """Say how much of a shortfall the retriever loses, and how much the reader."""
    split, oracle = loss.split, loss.ablations.get(ORACLE)
    sentence = (
        f"Of the {split.missing:.2f} that {name(loss.row)} misses on `{bare(task.name)}`, the retriever loses "
        f"{_interval(split.retriever)}, if items without the right passage scored as those with it do, and the reader "
        f"{_interval(split.reader)} ({count(split.items, 'item')}; {split.found:.0%} had the right passage)"
    )
    others = [
        f"{words} it scores {score(loss.ablations[passages].score)}"
        for passages, words in _PASSAGES.items()
        if passages in loss.ablations
    ]
    if oracle:
        items = count(oracle.change.n, "item")
        others.insert(0, f"{items} without it score {score(oracle.score)} once it is given, {oracle.usual:.2f} before")
    return f"{sentence}{'; ' if others else ''}{', '.join(others)}."


def _wording(task: TaskResult, wording: WordingEffect, name: Names) -> str:
    """Say how far paraphrases move the scores, and whether they change the order."""
    largest = wording.effect.change
    text = (
        f"Other words for the instruction of `{bare(task.name)}` ({count(largest.n, 'item')} asked again) "
        f"move scores by {wording.lowest:+.2f} to {wording.highest:+.2f}, most of all that of {name(wording.row)}: "
        f"{change(largest)} under {wording.effect.ablation}"
    )
    return f"{text}. {_order(wording, name)}" if wording.ranked else f"{text}."


def _order(wording: WordingEffect, name: Names) -> str:
    """Say whether the same strategy is first under every wording, and whether the order behind it holds."""
    if wording.order_changes:
        changes = listing([_order_change(order_change, name) for order_change in wording.order_changes])
        return f"The order of the strategies by these scores, which has no interval, changes under {changes}."
    paraphrases = "the paraphrase" if wording.ranked == 1 else f"each of the {wording.ranked} paraphrases"
    return f"The order of the strategies by these scores, which has no interval, is the same under {paraphrases}."


def _order_change(order_change: OrderChange, name: Names) -> str:
    first = order_change.first
    verb = "comes" if len(first) == 1 else "come"
    return f"{order_change.paraphrase} ({name.all(first)} {verb} first)" if first else order_change.paraphrase


def _interval(loss: Loss) -> str:
    return f"{loss.value:.2f} [{loss.low:.2f}, {loss.high:.2f}]"
