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

_PASSAGES = {RANDOM: "random passages", NONE: "no passages"}
MOST_SPLITS = 3
"""Rows whose shortfall is split between retriever and reader, the best first."""


def sentences(task: TaskResult, scored: Sequence[StrategyResult], name: Names) -> list[str]:
    """Describe the effects of ablations.

    Args:
        task: the table.
        scored: its rows that have a score, best first.
        name: names rows.
    """
    wording = wording_effect(task, scored)
    return [
        *[_retrieval(task, loss, name) for loss in retrieval_losses(scored)[:MOST_SPLITS]],
        *([_wording(task, wording, name)] if wording else []),
    ]


def _retrieval(task: TaskResult, loss: RetrievalLoss, name: Names) -> str:
    """Say how much of a shortfall the retriever loses, and how much the reader."""
    split, oracle = loss.split, loss.ablations.get(ORACLE)
    sentence = (
        f"{name(loss.row)} misses {split.missing:.2f} on `{bare(task.name)}`: the retriever loses "
        f"{_interval(split.retriever)}, the reader {_interval(split.reader)} (right passage retrieved for "
        f"{split.found:.0%} of {count(split.items, 'item')})"
    )
    others = [
        f"with {words}: {score(loss.ablations[passages].score)}"
        for passages, words in _PASSAGES.items()
        if passages in loss.ablations
    ]
    if oracle:
        items = count(oracle.change.n, "missed item")
        others.insert(0, f"given the right passage ({items}): {score(oracle.score)}, was {oracle.usual:.2f}")
    return f"{'; '.join([sentence, *others])}."


def _wording(task: TaskResult, wording: WordingEffect, name: Names) -> str:
    """Say how far paraphrases move the scores, and whether they change the order."""
    largest = wording.effect.change
    text = (
        f"Sensitivity to the wording of the instruction of `{bare(task.name)}` ({count(largest.n, 'item')}): scores "
        f"move by {wording.lowest:+.2f} to {wording.highest:+.2f}, most for {name(wording.row)} ({change(largest)} "
        f"under {wording.effect.ablation})"
    )
    return f"{text}. {_order(wording, name)}" if wording.ranked else f"{text}."


def _order(wording: WordingEffect, name: Names) -> str:
    """Say whether the same strategy is first under every wording, and whether the order behind it holds."""
    if wording.order_changes:
        changes = listing([_order_change(order_change, name) for order_change in wording.order_changes])
        return f"The ranking by these few items changes under {changes}."
    paraphrases = "the paraphrase" if wording.ranked == 1 else f"all {wording.ranked} paraphrases"
    return f"The ranking by these few items is the same under {paraphrases}."


def _order_change(order_change: OrderChange, name: Names) -> str:
    first = order_change.first
    return f"{order_change.paraphrase} (first: {name.all(first)})" if first else order_change.paraphrase


def _interval(loss: Loss) -> str:
    return f"{loss.value:.2f} [{loss.low:.2f}, {loss.high:.2f}]"
