"""Preference pairs as tokens, laid out so that the prefix that both answers share is read once.

A pair is a prompt with two branches. The prompt and the answers' common prefix cancel in the difference of their
log-likelihoods, so they are context for both, and only the remainders are predicted.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import torch
from torch import Tensor

from harness.api import Example, System, TaskData
from harness.decoding.packed_rows import Branch, PackedRow, Tokens, common_prefix_length, fill_rows, pack_row
from harness.decoding.prefix_sharing import log_likelihoods
from harness.models.local_model import require_local
from harness.training.training_samples import lay_out, task_systems


@dataclass(frozen=True, slots=True)
class PreferencePair:
    """Two answers to one prompt, as tokens; the end of the turn is part of both.

    Attributes:
        reference: log p(chosen | prompt) - log p(rejected | prompt) under the reference model, nats.
    """

    prompt: Tokens
    chosen: Tokens
    rejected: Tokens
    reference: float = 0.0

    @property
    def tokens(self) -> int:
        """Tokens of the prompt and both answers."""
        return len(self.prompt) + len(self.chosen) + len(self.rejected)

    @property
    def branch(self) -> Branch:
        """The pair as a tree: the stem is the prompt and the answers' common prefix; no leaf is empty."""
        shared = min(common_prefix_length([self.chosen, self.rejected]), len(self.chosen) - 1, len(self.rejected) - 1)
        return Branch(self.prompt + self.chosen[:shared], (self.chosen[shared:], self.rejected[shared:]))


def build_split_pairs(system: System, task: TaskData, split: Literal["train", "validation"]) -> list[PreferencePair]:
    """Return the pairs of a split, of every task that is learned."""
    training = split == "train"
    return [
        pair
        for task_system, part in task_systems(system, task)
        for pair in build_pairs(task_system, part.train if training else part.validation, training=training)
    ]


def build_pairs(system: System, examples: Sequence[Example], *, training: bool = False) -> list[PreferencePair]:
    """Return the pairs laid out as the system asks them; examples without a rejected answer are left out.

    Args:
        system: with the model.
        examples: of one split.
        training: as of `harness.training.training_samples.build_samples`.

    Raises:
        HarnessError: a prompt does not fit the context window.
    """
    model = require_local(system.model)
    judged = [(example, example.rejected) for example in examples if example.rejected is not None]
    prompts = lay_out(system, [example for example, _ in judged], training=training)
    answers = [(example.references[0], rejected) for example, rejected in judged]
    rendered = model.render_answered(prompts, answers)
    return [PreferencePair(prompt.tokens, prompt.answers[0], prompt.answers[1]) for prompt in rendered]


def pack_branches(branches: Sequence[Branch], budget: int) -> Iterator[tuple[list[int], PackedRow]]:
    """Pack branches into rows of at most `budget` tokens, each of which holds the stems' shared prefix once.

    Yields:
        The indices of a row's branches, in the order of the row, and the row.
    """
    stems = [branch.stem for branch in branches]
    shared = min(common_prefix_length(stems), min(map(len, stems)) - 1)
    remainders = [Branch(branch.stem[shared:], branch.leaves) for branch in branches]
    for group in fill_rows([branch.cost for branch in remainders], max(budget - shared, 1)):
        yield group, pack_row([remainders[index] for index in group], shared).with_prefix(stems[0][:shared])


def log_differences(
    module: Any, pairs: Sequence[PreferencePair], row_tokens: int | None
) -> Iterator[tuple[list[int], Tensor]]:
    """Yield log p(chosen) - log p(rejected), some pairs at a time: the indices of the pairs, and float32 [indices]."""
    branches = [pair.branch for pair in pairs]
    if row_tokens is None:
        for index, branch in enumerate(branches):
            leaf_rows = [pack_row([Branch(branch.stem, (leaf,))], 0) for leaf in branch.leaves]
            chosen, rejected = (log_likelihoods(module, row, masked=False).sum() for row in leaf_rows)
            yield [index], (chosen - rejected)[None]
        return
    if not branches:
        return
    for indices, row in pack_branches(branches, row_tokens):
        log_probabilities = log_likelihoods(module, row)
        device = log_probabilities.device
        sums = torch.zeros(row.leaf_count, device=device).index_add(0, row.leaf_index.to(device), log_probabilities)
        yield indices, sums[0::2] - sums[1::2]
