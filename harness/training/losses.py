"""The loss that is minimised: cross-entropy of the completions, computed only where there is a label."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import torch
from torch import Tensor

from harness.models.tree import Branch, lay_out, log_likelihoods
from harness.training.batches import Sample, rows


def backward(
    module: Any,
    batch: Sequence[Sample],
    row_tokens: int | None,
    propagate: Callable[[Tensor], None] = Tensor.backward,
) -> float:
    """Add a batch's gradients to the parameters, accumulated over its rows, and return its loss.

    Args:
        module: a causal language model.
        batch: the loss is the mean over all their completion tokens, however they are divided into rows.
        row_tokens: tokens of one forward pass; None: one sample each.
        propagate: takes the loss of a row and adds its gradients.

    Returns:
        Nats a token.
    """
    labels = sum(len(sample.completion) for sample in batch)
    total = 0.0
    for log in _log_likelihoods(module, batch, row_tokens):
        loss = -log.sum() / labels
        propagate(loss)
        total += loss.item()
    return total


def mean_loss(module: Any, data: Sequence[Sample], row_tokens: int | None) -> float:
    """Return the mean cross-entropy over all completion tokens, nats a token."""
    with torch.inference_mode():
        total = sum(-log.sum().item() for log in _log_likelihoods(module, data, row_tokens))
    return total / sum(len(sample.completion) for sample in data)


def _log_likelihoods(module: Any, batch: Sequence[Sample], row_tokens: int | None) -> Iterator[Tensor]:
    """Give the log-likelihoods of all completion tokens, row by row; None: one sample a row, the model's own mask."""
    if row_tokens is None:
        for sample in batch:
            row = lay_out([Branch(sample.prompt, (sample.completion,))], 0)
            yield log_likelihoods(module, row, masked=False)
        return
    for row in rows(batch, row_tokens):
        yield log_likelihoods(module, row)
