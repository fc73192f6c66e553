"""Training examples as tokens, grouped into forward passes: packed into one row, or stacked by length as a batch."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import torch
from torch import Tensor

from harness.decoding.prefix_sharing import Branch, PackedRow, Tokens, common_prefix, fill_rows, lay_out


@dataclass(frozen=True, slots=True)
class TrainingSample:
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


@dataclass(frozen=True)
class StackedBatch:
    """Samples of about equal length side by side, each on its own row, the shorter ones filled up at their ends.

    What fills them up comes after everything that is predicted, so a causal model needs no mask.

    Attributes:
        tokens: int64 [samples, length].
        rows: int64 [predictions]: the sample that each prediction belongs to.
        places: int64 [predictions]: the place in the sample whose output predicts the target.
        targets: int64 [predictions].
    """

    tokens: Tensor
    rows: Tensor
    places: Tensor
    targets: Tensor


def epoch(samples: Sequence[TrainingSample], batch_size: int, seed: int) -> list[list[TrainingSample]]:
    """Shuffle the samples and cut them into batches; the last one may be smaller."""
    order = list(samples)
    random.Random(seed).shuffle(order)
    return [order[i : i + batch_size] for i in range(0, len(order), batch_size)]


def passes(batch: Sequence[TrainingSample], budget: int, *, packs: bool = True) -> list[PackedRow | StackedBatch]:
    """Divide a batch into forward passes of at most `budget` tokens, in the form that is likely to take less time.

    Packing reads what the prompts begin with alike once, and computes no padding, but every sample of a row is also
    multiplied with all others before the mask takes them apart. So short samples behind a long shared beginning are
    packed, and long ones that share little are stacked. Samples of several tasks share little with each other and
    much among themselves: each family of them has passes of its own.

    Args:
        batch: one or more samples.
        budget: tokens in a pass; a longer sample gets a pass of its own.
        packs: False: the model cannot share rows (`harness.decoding.prefix_sharing.packs`), so they are stacked.
    """
    if not packs:
        return list(_stacks(batch, budget))
    families = _families(sorted(batch, key=lambda sample: sample.prompt))
    found: list[PackedRow | StackedBatch] = []
    for family in families if len(families) > 1 else [batch]:
        packed, stacks = rows(family, budget), _stacks(family, budget)
        cost_packed = sum(_cost(1, len(row.tokens)) for row in packed)
        found += packed if cost_packed <= sum(_cost(*stack.tokens.shape) for stack in stacks) else stacks
    return found


def _families(batch: Sequence[TrainingSample]) -> list[Sequence[TrainingSample]]:
    """Cut samples, sorted by prompt, where neighbours share least, as long as that leaves fewer tokens to read.

    What k samples of a family begin with alike, s tokens, is read once instead of k times: (k - 1) s tokens less.
    Samples that no cut leaves a neighbour stay together.
    """
    seams = [_shared(pair) for pair in pairwise(batch)]
    least = min(seams, default=0)
    cuts = [place for place, seam in enumerate(seams, start=1) if seam == least]
    parts = [batch[start:end] for start, end in pairwise([0, *cuts, len(batch)])]
    alone = [part[0] for part in parts if len(part) == 1]
    families = [part for part in parts if len(part) > 1]
    spared = sum((len(part) - 1) * _shared(part) for part in (*families, alone) if part)
    if spared <= len(seams) * least:
        return [batch]
    return [one for part in families for one in _families(part)] + ([alone] if alone else [])


def _shared(batch: Sequence[TrainingSample]) -> int:
    """Return how many tokens all prompts begin with alike."""
    return common_prefix([sample.prompt for sample in batch])


def rows(batch: Sequence[TrainingSample], budget: int) -> list[PackedRow]:
    """Lay a batch out in rows of at most `budget` tokens; what its prompts begin with alike stands once in each.

    The rows give the loss and gradients of the same examples padded side by side: a mask keeps each from seeing
    the others.

    Args:
        batch: one or more samples.
        budget: tokens in a row; a longer sample gets a row of its own.
    """
    shared = min(_shared(batch), min(len(sample.prompt) for sample in batch) - 1)
    costs = [sample.tokens - shared - 1 for sample in batch]
    return [_row([batch[i] for i in group], shared) for group in fill_rows(costs, max(budget - shared, 1))]


def _cost(samples: int, length: int) -> float:
    """Predict a pass's time in that of a token's matrix products; attention is counted for at least `_SHORT` places.

    The constants are a fit to forward and backward passes of a model of 135 M parameters on a processor.
    """
    return samples * length * (1 + _ATTENTION * max(length, _SHORT))


_ATTENTION = 7e-4
_SHORT = 300


def _stacks(batch: Sequence[TrainingSample], budget: int) -> list[StackedBatch]:
    """Stack a batch's samples, longest first."""
    order = sorted(batch, key=lambda sample: -sample.tokens)
    stacks: list[StackedBatch] = []
    while order:
        count = max(1, budget // order[0].tokens)
        stacks.append(_stack(order[:count]))
        order = order[count:]
    return stacks


def _stack(group: Sequence[TrainingSample]) -> StackedBatch:
    tokens = torch.zeros(len(group), group[0].tokens - 1, dtype=torch.long)
    for row, sample in zip(tokens, group, strict=True):
        read = (sample.prompt + sample.completion)[:-1]
        row[: len(read)] = torch.tensor(read)
    return StackedBatch(
        tokens,
        torch.tensor([row for row, sample in enumerate(group) for _ in sample.completion]),
        torch.tensor([len(s.prompt) - 1 + place for s in group for place in range(len(s.completion))]),
        torch.tensor([target for sample in group for target in sample.completion]),
    )


def _row(group: Sequence[TrainingSample], shared: int) -> PackedRow:
    branches = [Branch(sample.prompt[shared:], (sample.completion,)) for sample in group]
    return lay_out(branches, shared).with_prefix(group[0].prompt[:shared])
