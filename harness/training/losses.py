"""Cross-entropy of the completions, computed only at labelled positions."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import torch
from torch import Tensor

from harness.decoding.packed_rows import PackedRow
from harness.decoding.prefix_sharing import causal_lm, log_likelihoods
from harness.training.batches import StackedBatch, TrainingSample, divide_into_passes


def backward(
    module: Any,
    batch: Sequence[TrainingSample],
    row_tokens: int,
    *,
    packs: bool = True,
    propagate: Callable[[Tensor], None] = Tensor.backward,
) -> float:
    """Add a batch's gradients to the parameters, accumulated over its passes, and return its loss.

    Args:
        module: a causal language model.
        batch: the loss is the mean over all its completion tokens, however they are divided into passes.
        row_tokens: tokens of one forward pass.
        packs: whether samples may share a row.
        propagate: runs the backward pass of a loss.

    Returns:
        Nats a token.
    """
    label_count = sum(len(sample.completion) for sample in batch)
    total = 0.0
    for log_likelihood in _log_likelihoods(module, divide_into_passes(batch, row_tokens, packs=packs)):
        loss = -log_likelihood.sum() / label_count
        propagate(loss)
        total += loss.item()
    return total


def mean_loss(module: Any, samples: Sequence[TrainingSample], row_tokens: int, *, packs: bool = True) -> float:
    """Return the mean cross-entropy over all completion tokens, nats a token."""
    with torch.inference_mode():
        forward_passes = divide_into_passes(samples, row_tokens, packs=packs)
        total = sum(-log_likelihood.sum().item() for log_likelihood in _log_likelihoods(module, forward_passes))
    return total / sum(len(sample.completion) for sample in samples)


def _log_likelihoods(module: Any, forward_passes: Sequence[PackedRow | StackedBatch]) -> Iterator[Tensor]:
    """Yield the log-likelihoods of all completion tokens, nats, pass by pass."""
    for forward_pass in forward_passes:
        if isinstance(forward_pass, StackedBatch):
            yield _stacked_log_likelihoods(module, forward_pass)
        else:
            yield log_likelihoods(module, forward_pass)


def _stacked_log_likelihoods(module: Any, stack: StackedBatch) -> Tensor:
    """Run a model over a stack and return log p(target) of every prediction, float32 [predictions]."""
    model = causal_lm(module)
    device = module.device
    rows, positions = stack.rows.to(device), stack.positions.to(device)

    def select_labelled(_: Any, arguments: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
        return arguments[0][rows, positions][None], *arguments[1:]

    # by the model's own forward, as some models scale or cap the logits, but only at labelled positions
    handle = model.get_output_embeddings().register_forward_pre_hook(select_labelled)
    try:
        logits = model(input_ids=stack.tokens.to(device), use_cache=False).logits[0].float()
    finally:
        handle.remove()
    return -torch.nn.functional.cross_entropy(logits, stack.targets.to(device), reduction="none")
