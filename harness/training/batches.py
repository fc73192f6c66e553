"""Training examples as tokens, grouped into forward passes: packed into one row, or stacked by length as a batch."""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import count, pairwise
from typing import TypeVar

import torch
from torch import Tensor

from harness.decoding.packed_rows import Branch, PackedRow, Tokens, common_prefix_length, fill_rows, pack_row

Sample = TypeVar("Sample")


@dataclass(frozen=True, slots=True)
class TrainingSample:
    """One training example.

    Attributes:
        prompt: tokens without a loss.
        completion: tokens to learn, the end of the turn included.
    """

    prompt: Tokens
    completion: Tokens

    @property
    def tokens(self) -> int:
        """Tokens of the prompt and the completion."""
        return len(self.prompt) + len(self.completion)


@dataclass(frozen=True)
class StackedBatch:
    """Samples of about equal length side by side, one a row, the shorter ones padded at their ends.

    The padding comes after every prediction, so a causal model needs no mask.

    Attributes:
        tokens: int64 [samples, length].
        rows: int64 [predictions]: index of the sample that each prediction belongs to.
        positions: int64 [predictions]: position in the sample whose output predicts the target.
        targets: int64 [predictions].
    """

    tokens: Tensor
    rows: Tensor
    positions: Tensor
    targets: Tensor


def epoch_batches(samples: Sequence[Sample], batch_size: int, seed: int) -> list[list[Sample]]:
    """Shuffle the samples and cut them into batches; the last one may be smaller."""
    order = list(samples)
    random.Random(seed).shuffle(order)
    return [order[i : i + batch_size] for i in range(0, len(order), batch_size)]


def endless_batches(samples: Sequence[Sample], batch_size: int, seed: int) -> Iterator[list[Sample]]:
    """Yield the batches of one epoch after the other without end; each epoch is shuffled by the next seed."""
    for number in count(seed):
        yield from epoch_batches(samples, batch_size, number)


def divide_into_passes(
    batch: Sequence[TrainingSample], budget: int, *, packs: bool = True
) -> list[PackedRow | StackedBatch]:
    """Divide a batch into forward passes of at most `budget` tokens, packed or stacked, whichever should be faster.

    Packing reads a shared prefix once and computes no padding, but its attention multiplies every sample of a row with
    all others before the mask removes them. So short samples behind a long shared prefix are packed, and long ones
    that share little are stacked. Samples of several tasks share little across tasks and much within one: each family
    gets its own passes.

    Args:
        batch: one or more samples.
        budget: tokens in a pass; a longer sample gets its own pass.
        packs: whether samples may share a row (`harness.decoding.packing_probe.supports_packing`).
    """
    if not packs:
        return list(_stack_samples(batch, budget))
    families = _split_families(sorted(batch, key=lambda sample: sample.prompt))
    forward_passes: list[PackedRow | StackedBatch] = []
    for family in families if len(families) > 1 else [batch]:
        packed, stacks = pack_rows(family, budget), _stack_samples(family, budget)
        cost_packed = sum(_pass_cost(1, len(row.tokens)) for row in packed)
        forward_passes += packed if cost_packed <= sum(_pass_cost(*stack.tokens.shape) for stack in stacks) else stacks
    return forward_passes


def _split_families(batch: Sequence[TrainingSample]) -> list[Sequence[TrainingSample]]:
    """Cut samples, sorted by prompt, where neighbours share least, as long as that leaves fewer tokens to read.

    A prefix of s tokens that k samples of a family share is read once instead of k times: (k - 1) s tokens saved.
    Samples that a cut leaves without a neighbour form one family.
    """
    seams = [_shared_tokens(pair) for pair in pairwise(batch)]
    minimum = min(seams, default=0)
    cuts = [index for index, seam in enumerate(seams, start=1) if seam == minimum]
    parts = [batch[start:end] for start, end in pairwise([0, *cuts, len(batch)])]
    singles = [part[0] for part in parts if len(part) == 1]
    families = [part for part in parts if len(part) > 1]
    saved = sum((len(part) - 1) * _shared_tokens(part) for part in (*families, singles) if part)
    if saved <= len(seams) * minimum:
        return [batch]
    return [family for part in families for family in _split_families(part)] + ([singles] if singles else [])


def _shared_tokens(batch: Sequence[TrainingSample]) -> int:
    """Return the length of the prefix that all prompts share, tokens."""
    return common_prefix_length([sample.prompt for sample in batch])


def pack_rows(batch: Sequence[TrainingSample], budget: int) -> list[PackedRow]:
    """Pack a batch into rows of at most `budget` tokens, each of which holds the shared prefix once.

    Loss and gradients are those of the same samples padded side by side: a mask separates them.

    Args:
        batch: one or more samples.
        budget: tokens in a row; a longer sample gets its own row.
    """
    shared = min(_shared_tokens(batch), min(len(sample.prompt) for sample in batch) - 1)
    costs = [sample.tokens - shared - 1 for sample in batch]
    return [_pack_row([batch[i] for i in group], shared) for group in fill_rows(costs, max(budget - shared, 1))]


def _pass_cost(samples: int, length: int) -> float:
    """Predict a pass's time, in units of one token's matrix products; attention counts for at least `_SHORT` tokens.

    The constants are fitted to forward and backward passes of a model of 135 M parameters on a CPU.
    """
    return samples * length * (1 + _ATTENTION * max(length, _SHORT))


_ATTENTION = 7e-4
_SHORT = 300


def _stack_samples(batch: Sequence[TrainingSample], budget: int) -> list[StackedBatch]:
    """Stack a batch's samples, longest first."""
    order = sorted(batch, key=lambda sample: -sample.tokens)
    stacks: list[StackedBatch] = []
    while order:
        count = max(1, budget // order[0].tokens)
        stacks.append(_stack_batch(order[:count]))
        order = order[count:]
    return stacks


def _stack_batch(group: Sequence[TrainingSample]) -> StackedBatch:
    tokens = torch.zeros(len(group), group[0].tokens - 1, dtype=torch.long)
    for row, sample in zip(tokens, group, strict=True):
        read = (sample.prompt + sample.completion)[:-1]
        row[: len(read)] = torch.tensor(read)
    return StackedBatch(
        tokens,
        torch.tensor([row for row, sample in enumerate(group) for _ in sample.completion]),
        torch.tensor([len(s.prompt) - 1 + offset for s in group for offset in range(len(s.completion))]),
        torch.tensor([target for sample in group for target in sample.completion]),
    )


def _pack_row(group: Sequence[TrainingSample], shared: int) -> PackedRow:
    branches = [Branch(sample.prompt[shared:], (sample.completion,)) for sample in group]
    return pack_row(branches, shared).with_prefix(group[0].prompt[:shared])
