"""Ablations against a row's own score: the loss of retriever and reader, and the effect of a paraphrased instruction.

No answer of an ablation counts in a score.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from harness.compare.stats.estimates import estimate, same_runs_difference
from harness.compare.stats.sample import Sample
from harness.compare.table.findings import TIE, AblationEffect
from harness.compare.table.result import StrategyResult, TaskResult
from harness.compare.table.retrieval_split import RetrievalSplit, missed
from harness.compare.trials.groups import Group
from harness.compare.trials.stored_trials import StoredTrialItems
from harness.metrics import get
from harness.records.ablation_names import ORACLE, ablated_task
from harness.records.record import Completed


class RetrievalLoss(NamedTuple):
    """Shortfall of a system that retrieves.

    Attributes:
        split: between its retriever and its reader, over all items.
        ablations: of the row, by name; `ORACLE` is of items whose right passage was not found.
    """

    row: StrategyResult
    split: RetrievalSplit
    ablations: Mapping[str, AblationEffect]


class OrderChange(NamedTuple):
    """A paraphrase that reorders the strategies; `first`: those that it puts first, empty where the first ones stay."""

    paraphrase: str
    first: tuple[StrategyResult, ...]


class WordingEffect(NamedTuple):
    """Sensitivity of a table to the wording of the instruction.

    Attributes:
        lowest: change of a score; highest: the same.
        row: with the largest change; effect: which that is.
        ranked: paraphrases under which two rows or more can be ranked.
        order_changes: those of them that reorder the rows.
    """

    lowest: float
    highest: float
    row: StrategyResult
    effect: AblationEffect
    ranked: int
    order_changes: tuple[OrderChange, ...]


_RowEffects = tuple[StrategyResult, Mapping[str, AblationEffect]]
"""A row with its effects by paraphrase."""


def ablation_effects(group: Group, metric_name: str) -> tuple[AblationEffect, ...]:
    """Compare each ablation with the row itself, on the items that both answered.

    Args:
        group: one strategy's seeds; an ablation counts where every finished seed has it, with the same instruction.
        metric_name: the task's primary metric.
    """
    completed = [
        trial
        for trial in group.trials
        if isinstance(trial.record, Completed) and trial.record.trial.seed in group.items
    ]
    names = (
        [name for name in completed[0].controls if all(name in trial.controls for trial in completed)]
        if completed
        else []
    )
    effects = [_effect(group, completed, name, metric_name) for name in names]
    return tuple(effect for effect in effects if effect)


def retrieval_losses(rows: Sequence[StrategyResult]) -> list[RetrievalLoss]:
    """Collect the split of each row that retrieves, with its ablations."""
    return [
        RetrievalLoss(row, row.retrieval, {effect.ablation: effect for effect in row.controls})
        for row in rows
        if row.retrieval
    ]


def wording_effect(task: TaskResult, rows: Sequence[StrategyResult]) -> WordingEffect | None:
    """Compare scores and their order under paraphrases with the usual ones; None where there is no paraphrase."""
    paraphrased = _paraphrased(rows)
    effects = [(row, effect) for row, row_effects in paraphrased for effect in row_effects.values()]
    if not effects:
        return None
    row, largest = max(effects, key=lambda pair: abs(pair[1].change.value))
    changes = [effect.change.value for _, effect in effects]
    names = dict.fromkeys(name for _, row_effects in paraphrased for name in row_effects)
    rows_by_name = {name: [entry for entry in paraphrased if name in entry[1]] for name in names}
    ranked = {name: name_rows for name, name_rows in rows_by_name.items() if len(name_rows) > 1}
    up = 1 if task.higher_is_better else -1
    order_changes = [change for name, name_rows in ranked.items() if (change := _order_change(name, name_rows, up))]
    return WordingEffect(min(changes), max(changes), row, largest, len(ranked), tuple(order_changes))


def _effect(
    group: Group, completed: Sequence[StoredTrialItems], ablation: str, metric_name: str
) -> AblationEffect | None:
    instructions = {_instruction(trial, ablation) for trial in completed}
    metric = get(metric_name)
    usual_items = [group.items[trial.record.trial.seed] for trial in completed]
    if ablation == ORACLE:  # where the right passage was found, giving it changes nothing
        usual_items = [items.at(missed(items)) for items in usual_items]
    samples = [
        Sample.from_items(metric, [items.with_labels(usual_items[0].labels) for items in items_by_seed])
        for items_by_seed in ([trial.controls[ablation] for trial in completed], usual_items)
    ]
    pair = samples[0].pair_with(samples[1]) if samples[0] and samples[1] else None
    if pair is None or len(instructions) > 1:
        return None
    return AblationEffect(
        ablation=ablation, instruction=instructions.pop(), score=estimate(pair[0]), change=same_runs_difference(*pair)
    )


def _instruction(trial: StoredTrialItems, ablation: str) -> str:
    """Return the instruction of the suite that an ablation was asked with."""
    record = trial.record
    tasks = record.tasks if isinstance(record, Completed) else ()
    name = ablated_task(record.trial.task, ablation)
    return next((info.instruction for info in tasks if info.name == name), "")


def _paraphrased(rows: Sequence[StrategyResult]) -> list[_RowEffects]:
    """Return rows with their effects by paraphrase, where its words are those of the first row that has it."""
    paraphrased: list[_RowEffects] = []
    words: dict[str, str] = {}
    for row in rows:
        comparable = {
            effect.ablation: effect
            for effect in row.controls
            if effect.is_paraphrase and words.setdefault(effect.ablation, effect.instruction) == effect.instruction
        }
        if comparable:
            paraphrased.append((row, comparable))
    return paraphrased


def _order_change(paraphrase: str, rows: Sequence[_RowEffects], up: int) -> OrderChange | None:
    """Compare the order of rows under a paraphrase with the usual one, on the same items."""
    effects = [effects[paraphrase] for _, effects in rows]
    usual, paraphrased = [up * effect.usual for effect in effects], [up * effect.score.value for effect in effects]
    if not _reordered(usual, paraphrased):
        return None
    first = _first(paraphrased)
    stays = not set(first).isdisjoint(_first(usual))
    return OrderChange(paraphrase, () if stays else tuple(rows[index][0] for index in first))


def _reordered(scores: Sequence[float], new_scores: Sequence[float]) -> bool:
    """Whether any two change places; a tie is no order."""
    pairs = [(i, j) for i in range(len(scores)) for j in range(i)]
    return any((scores[i] - scores[j]) * (new_scores[i] - new_scores[j]) < -TIE for i, j in pairs)


def _first(scores: Sequence[float]) -> list[int]:
    return [index for index, score in enumerate(scores) if score >= max(scores) - TIE]
