"""The loss that is minimised: cross-entropy of the completions, computed only where there is a label."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import torch
from torch import Tensor

from harness.decoding.prefix_sharing import PackedRow, causal, log_likelihoods
from harness.training.batches import StackedBatch, TrainingSample, passes


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
        batch: the loss is the mean over all their completion tokens, however they are divided into passes.
        row_tokens: tokens of one forward pass.
        packs: whether samples may share a row.
        propagate: takes the loss of a pass and adds its gradients.

    Returns:
        Nats a token.
    """
    labels = sum(len(sample.completion) for sample in batch)
    total = 0.0
    for log in _log_likelihoods(module, passes(batch, row_tokens, packs=packs)):
        loss = -log.sum() / labels
        propagate(loss)
        total += loss.item()
    return total


def mean_loss(module: Any, data: Sequence[TrainingSample], row_tokens: int, *, packs: bool = True) -> float:
    """Return the mean cross-entropy over all completion tokens, nats a token."""
    with torch.inference_mode():
        divided = passes(data, row_tokens, packs=packs)
        total = sum(-log.sum().item() for log in _log_likelihoods(module, divided))
    return total / sum(len(sample.completion) for sample in data)


def _log_likelihoods(module: Any, divided: Sequence[PackedRow | StackedBatch]) -> Iterator[Tensor]:
    """Give the log-likelihoods of all completion tokens, nats, pass by pass."""
    for one in divided:
        yield _stacked(module, one) if isinstance(one, StackedBatch) else log_likelihoods(module, one)


def _stacked(module: Any, stack: StackedBatch) -> Tensor:
    """Run a model over a stack and return log p(target) of every prediction, float32 [predictions]."""
    inner = causal(module)
    device = module.device
    rows, places = stack.rows.to(device), stack.places.to(device)

    def labelled(_: Any, arguments: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
        return arguments[0][rows, places][None], *arguments[1:]

    # the model's own head is asked, as some scale or cap what comes out of it, but only where there is a label
    handle = inner.get_output_embeddings().register_forward_pre_hook(labelled)
    try:
        found = inner(input_ids=stack.tokens.to(device), use_cache=False).logits[0].float()
    finally:
        handle.remove()
    return -torch.nn.functional.cross_entropy(found, stack.targets.to(device), reduction="none")
