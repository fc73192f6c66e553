"""Preference pairs as tokens, laid out so that whatever both answers begin with is read once.

A pair is a prompt with two branches. What both answers share, the prompt and their common beginning, cancels in the
difference of their log-likelihoods, so that it is context for both and only the rest is predicted.
"""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import torch
from torch import Tensor

from harness.api import Example, System, TaskData
from harness.decoding.prefix_sharing import (
    Branch,
    PackedRow,
    Tokens,
    common_prefix,
    fill_rows,
    lay_out,
    log_likelihoods,
)
from harness.models.local_model import local_model
from harness.training.training_samples import systems


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
        """The pair as a tree: what both answers begin with alike belongs to the stem; each leaf has a token."""
        same = min(common_prefix([self.chosen, self.rejected]), len(self.chosen) - 1, len(self.rejected) - 1)
        return Branch(self.prompt + self.chosen[:same], (self.chosen[same:], self.rejected[same:]))


def learned(system: System, task: TaskData, split: Literal["train", "validation"]) -> list[PreferencePair]:
    """Give the pairs of a split, of every task that is learned."""
    return [
        pair
        for asked, part in systems(system, task)
        for pair in pairs_of(asked, part.train if split == "train" else part.validation)
    ]


def pairs_of(system: System, examples: Sequence[Example]) -> list[PreferencePair]:
    """Lay pairs out as the system asks them; examples without a worse answer are left out.

    Raises:
        HarnessError: a prompt does not fit the context window.
    """
    model = local_model(system.model)
    judged = [(example, example.rejected) for example in examples if example.rejected is not None]
    prompts = system.prompts([example.query for example, _ in judged])
    end = [model.tokenizer.eos_token_id]
    answers = [
        (model.answer_tokens(prompt, example.references[0]) + end, model.answer_tokens(prompt, rejected) + end)
        for prompt, (example, rejected) in zip(prompts, judged, strict=True)
    ]
    laid = model.lay_out(prompts, max((len(answer) for both in answers for answer in both), default=0))
    return [PreferencePair(prompt.tokens, *both) for prompt, both in zip(laid, answers, strict=True)]


def batches(data: Sequence[PreferencePair], batch_size: int, seed: int) -> list[list[PreferencePair]]:
    """Shuffle the pairs and cut them into batches; the last one may be smaller."""
    order = list(data)
    random.Random(seed).shuffle(order)
    return [order[i : i + batch_size] for i in range(0, len(order), batch_size)]


def rows(branches: Sequence[Branch], budget: int) -> Iterator[tuple[list[int], PackedRow]]:
    """Lay branches out in rows of at most `budget` tokens; what their stems begin with alike stands once in each.

    Yields:
        The places of a row's branches, in the order of the row, and the row.
    """
    stems = [branch.stem for branch in branches]
    shared = min(common_prefix(stems), min(map(len, stems)) - 1)
    rest = [Branch(branch.stem[shared:], branch.leaves) for branch in branches]
    for group in fill_rows([branch.cost for branch in rest], max(budget - shared, 1)):
        yield group, lay_out([rest[place] for place in group], shared).with_prefix(stems[0][:shared])


def log_differences(
    module: Any, pairs: Sequence[PreferencePair], row_tokens: int | None
) -> Iterator[tuple[list[int], Tensor]]:
    """Give log p(chosen) - log p(rejected) of some pairs at a time: their places, and float32 [places]."""
    branches = [pair.branch for pair in pairs]
    if row_tokens is None:
        for place, branch in enumerate(branches):
            alone = [lay_out([Branch(branch.stem, (leaf,))], 0) for leaf in branch.leaves]
            better, worse = (log_likelihoods(module, row, masked=False).sum() for row in alone)
            yield [place], (better - worse)[None]
        return
    if not branches:
        return
    for places, row in rows(branches, row_tokens):
        logs = log_likelihoods(module, row)
        sums = torch.zeros(row.leaves, device=logs.device).index_add(0, row.leaf_of.to(logs.device), logs)
        yield places, sums[0::2] - sums[1::2]
