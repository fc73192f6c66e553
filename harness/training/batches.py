"""Training examples as tokens, grouped so that no padding is computed and a shared prompt is read once a row."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass

from harness.models.tree import Branch, Row, Tokens, common_prefix, fill_rows, lay_out


@dataclass(frozen=True, slots=True)
class Sample:
    """One training example.

    Attributes:
        prompt: tokens that are read only.
        completion: tokens that are learned, the end of the turn included.
    """

    prompt: Tokens
    completion: Tokens

    @property
    def tokens(self) -> int:
        """Tokens of the example when it stands alone."""
        return len(self.prompt) + len(self.completion)


def epoch(samples: Sequence[Sample], batch_size: int, seed: int) -> list[list[Sample]]:
    """Shuffle the samples and cut them into batches; the last one may be smaller."""
    order = list(samples)
    random.Random(seed).shuffle(order)
    return [order[i : i + batch_size] for i in range(0, len(order), batch_size)]


def rows(batch: Sequence[Sample], budget: int) -> list[Row]:
    """Lay a batch out in rows of at most `budget` tokens; what its prompts begin with alike stands once in each.

    The rows give the loss and gradients of the same examples padded side by side: a mask keeps each from seeing
    the others.

    Args:
        batch: one or more samples.
        budget: tokens in a row; a longer sample gets a row of its own.
    """
    prompts = [sample.prompt for sample in batch]
    shared = min(common_prefix(prompts), min(map(len, prompts)) - 1)
    costs = [sample.tokens - shared - 1 for sample in batch]
    return [_row([batch[i] for i in group], shared) for group in fill_rows(costs, max(budget - shared, 1))]


def _row(group: Sequence[Sample], shared: int) -> Row:
    branches = [Branch(sample.prompt[shared:], (sample.completion,)) for sample in group]
    return lay_out(branches, shared).with_prefix(group[0].prompt[:shared])
