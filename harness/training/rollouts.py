"""Rollouts: questions, answers that a policy draws to them, and rows in which each question is read once."""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from torch import Tensor

from harness.api import Sampling, System, TaskData
from harness.decoding import batched_decode
from harness.decoding.prefix_sharing import Branch, PackedRow, Tokens, lay_out, log_likelihoods
from harness.models.local_model import LocalModel, local_model
from harness.training.pairs import rows
from harness.training.reward import Question
from harness.training.training_samples import systems


@dataclass(frozen=True)
class PackedRollouts:
    """Answers laid out for one forward pass.

    Attributes:
        advantages: float32 [predictions], of the answer that each token belongs to.
        masked: whether the row needs its own mask.
    """

    row: PackedRow
    advantages: Tensor
    masked: bool

    def logs(self, module: Any) -> Tensor:
        """Return log p of every token of the answers: float32 [predictions], nats; gradients flow."""
        return log_likelihoods(module, self.row, masked=self.masked)


def asked(system: System, task: TaskData, split: Literal["train", "validation"], room: int) -> list[Question]:
    """Lay the questions of a split out as they are asked, with `room` for tokens behind, of every task that is learned.

    Raises:
        HarnessError: a prompt does not fit the context window.
    """
    found: list[Question] = []
    for asking, part in systems(system, task):
        examples = part.train if split == "train" else part.validation
        laid = local_model(system.model).lay_out(asking.prompts([e.query for e in examples]), room)
        found += [Question(e, prompt.tokens, part) for e, prompt in zip(examples, laid, strict=True)]
    return found


def turns(questions: Sequence[Question], size: int, seed: int) -> Iterator[list[Question]]:
    """Give `size` questions at a time, without end, in random order; none comes again before all have come."""
    generator, left = random.Random(seed), list[Question]()
    while True:
        while len(left) < size:
            left += generator.sample(questions, len(questions))
        yield left[:size]
        left = left[size:]


def sample(
    model: LocalModel, questions: Sequence[Question], answers: int, max_new_tokens: int, seed: int
) -> list[list[Tokens]]:
    """Draw answers to each question; one that ended has the end of the turn as its last token."""
    limits = batched_decode.DecodeLimits(max_new_tokens, model.end_ids, rows=model.decode_rows)
    draw = batched_decode.continuations if model.packs else batched_decode.continuations_alone
    prompts, end = [question.prompt for question in questions], model.tokenizer.eos_token_id
    drawn = [draw(model.module, prompts, limits, Sampling(seed=seed * answers + place)) for place in range(answers)]
    return [
        [tokens if len(tokens) == max_new_tokens else [*tokens, end] for tokens in found]
        for found in zip(*drawn, strict=True)
    ]


def layouts(
    model: LocalModel,
    questions: Sequence[Question],
    answers: Sequence[Sequence[Tokens]],
    values: Tensor,
    row_tokens: int,
) -> list[PackedRollouts]:
    """Lay answers out behind their questions, with their advantages [questions, answers]."""
    if not model.packs:
        return [
            PackedRollouts(lay_out([Branch(question.prompt, (tokens,))], 0), value.expand(len(tokens)), masked=False)
            for question, found, own in zip(questions, answers, values, strict=True)
            for tokens, value in zip(found, own, strict=True)
        ]
    branches = [Branch(question.prompt, tuple(found)) for question, found in zip(questions, answers, strict=True)]
    return [
        PackedRollouts(row, values[places].flatten()[row.leaf_of], masked=True)
        for places, row in rows(branches, row_tokens)
    ]
