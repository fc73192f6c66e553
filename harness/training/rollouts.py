"""Rollouts: questions, answers sampled from the policy, and rows in which each question is read once."""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from torch import Tensor

from harness.api import Sampling, System, TaskData
from harness.decoding import batched_decode
from harness.decoding.packed_rows import Branch, PackedRow, Tokens, pack_row
from harness.decoding.prefix_sharing import log_likelihoods
from harness.models.local_model import LocalModel, require_local
from harness.training.pairs import pack_branches
from harness.training.reward import Question
from harness.training.training_samples import lay_out, task_systems


@dataclass(frozen=True)
class PackedRollouts:
    """Answers laid out for one forward pass.

    Attributes:
        advantages: float32 [predictions], of the answer that each token belongs to.
        masked: whether the row needs its mask.
    """

    row: PackedRow
    advantages: Tensor
    masked: bool

    def token_log_likelihoods(self, module: Any) -> Tensor:
        """Return log p of every token of the answers: float32 [predictions], nats; gradients flow."""
        return log_likelihoods(module, self.row, masked=self.masked)


def build_questions(
    system: System, task: TaskData, split: Literal["train", "validation"], max_new_tokens: int
) -> list[Question]:
    """Return the questions of a split of every task that is learned, laid out to be answered in `max_new_tokens`.

    Raises:
        HarnessError: a prompt does not fit the context window.
    """
    questions: list[Question] = []
    for task_system, part in task_systems(system, task):
        examples = part.train if split == "train" else part.validation
        prompts = lay_out(task_system, examples, training=split == "train")
        rendered = require_local(system.model).render_prompts(prompts, max_new_tokens)
        questions += [Question(e, prompt.tokens, part) for e, prompt in zip(examples, rendered, strict=True)]
    return questions


def draw_batches(questions: Sequence[Question], size: int, seed: int) -> Iterator[list[Question]]:
    """Yield batches of `size` questions without end, in random order; none repeats before all have come."""
    generator, remaining = random.Random(seed), list[Question]()
    while True:
        while len(remaining) < size:
            remaining += generator.sample(questions, len(questions))
        yield remaining[:size]
        remaining = remaining[size:]


def sample_answers(
    model: LocalModel, questions: Sequence[Question], answers: int, max_new_tokens: int, seed: int
) -> list[list[Tokens]]:
    """Sample answers to each question; a complete one has the end of the turn as its last token."""
    limits = model.decode_limits(max_new_tokens)
    draw = batched_decode.decode_batched if model.supports_packing else batched_decode.decode_one_by_one
    prompts = [question.prompt for question in questions]
    drawn = [
        draw(model.module, prompts, limits, Sampling(seed=seed * answers + draw_index)) for draw_index in range(answers)
    ]
    ends = [model.end_id(question.part.task) for question in questions]
    return [
        [tokens if len(tokens) == max_new_tokens else [*tokens, end] for tokens in group]
        for end, group in zip(ends, zip(*drawn, strict=True), strict=True)
    ]


def pack_rollouts(
    model: LocalModel,
    questions: Sequence[Question],
    answers: Sequence[Sequence[Tokens]],
    advantages: Tensor,
    row_tokens: int,
) -> list[PackedRollouts]:
    """Pack answers behind their questions, with their advantages, float32 [questions, answers]."""
    if not model.supports_packing:
        return [
            PackedRollouts(
                pack_row([Branch(question.prompt, (tokens,))], 0), advantage.expand(len(tokens)), masked=False
            )
            for question, group, group_advantages in zip(questions, answers, advantages, strict=True)
            for tokens, advantage in zip(group, group_advantages, strict=True)
        ]
    branches = [Branch(question.prompt, tuple(group)) for question, group in zip(questions, answers, strict=True)]
    return [
        PackedRollouts(row, advantages[indices].flatten()[row.leaf_index], masked=True)
        for indices, row in pack_branches(branches, row_tokens)
    ]
