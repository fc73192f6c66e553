"""The supervised loop: minimise cross-entropy of the completions, given their prompts."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import torch

from harness.api import Context, System, TaskData
from harness.errors import HarnessError
from harness.models.local import LocalModel
from harness.models.tree import Branch, lay_out, log_likelihoods
from harness.training.batches import Sample, epoch, rows
from harness.training.optimiser import MasterAdamW, Schedule
from harness.training.samples import learned


@dataclass(frozen=True)
class Settings:
    """How to train.

    Attributes:
        learning_rate: at its peak, after warm-up.
        epochs: passes over the training split.
        batch_size: examples in one optimiser step.
        row_tokens: tokens computed in one forward pass; a batch of more is accumulated over several. None: each
            example has a pass of its own, for models that cannot share rows (`tree.packs`).
        weight_decay: on matrices only.
    """

    learning_rate: float
    epochs: int
    batch_size: int = 16
    row_tokens: int | None = 768
    weight_decay: float = 0.0


def fit(model: LocalModel, system: System, task: TaskData, settings: Settings, context: Context) -> System:
    """Train a model on a task's training split as `system` would ask it, and return the system with it.

    Args:
        model: its parameters that require a gradient are changed in place.
        system: lays out the prompts; a calibration made for the untrained model is dropped.
        task: `validation` picks the epoch that is kept.
        settings: how to train.
        context: takes the loss curve and the tokens seen.

    Raises:
        HarnessError: training diverged, or a prompt does not fit the context window.
    """
    tuned = system.having(model=model, prior=())
    held_out = learned(tuned, task, "validation")
    if not model.packs:
        settings = replace(settings, row_tokens=None)
    train(model.module, learned(tuned, task, "train"), settings, context, held_out)
    return tuned


def train(
    module: Any,
    data: Sequence[Sample],
    settings: Settings,
    context: Context,
    held_out: Sequence[Sample] = (),
) -> None:
    """Train the parameters of `module` that require a gradient, in place.

    The loss is the mean over the completion tokens of a batch, nats. After each epoch the loss on `held_out` is
    logged, and the weights of the best epoch are the ones that stay.

    Raises:
        HarnessError: the loss is not a number: the learning rate is too high.
    """
    parameters = [p for p in module.parameters() if p.requires_grad]
    optimiser = MasterAdamW(parameters, weight_decay=settings.weight_decay)
    batches = [epoch(data, settings.batch_size, context.seed * 1000 + n) for n in range(settings.epochs)]
    total = sum(map(len, batches))
    schedule = Schedule(settings.learning_rate, total)
    best = _Best(parameters)
    step = 0
    module.train()
    for number, batches_of_epoch in enumerate(batches, 1):
        for batch in batches_of_epoch:
            loss = _backward(module, batch, settings.row_tokens)
            context.count(sum(sample.tokens for sample in batch))
            if not math.isfinite(loss):
                raise HarnessError(f"training diverged at step {step + 1}: the loss is {loss}; lower learning_rate.")
            rate = schedule.at(step)
            norm = optimiser.step(rate)
            step += 1
            context.log({"step": step, "loss": loss, "learning_rate": rate, "gradient_norm": norm})
            context.report(step, total)
        if held_out:
            module.eval()
            value = mean_loss(module, held_out, settings.row_tokens)
            context.log({"step": step, "epoch": number, "validation_loss": value})
            best.offer(value, last=number == settings.epochs)
            module.train()
    best.restore()
    module.eval()


def mean_loss(module: Any, data: Sequence[Sample], row_tokens: int | None) -> float:
    """Return the mean cross-entropy over all completion tokens, nats a token."""
    with torch.inference_mode():
        total = sum(-log.sum().item() for log in _log_likelihoods(module, data, row_tokens))
    return total / sum(len(sample.completion) for sample in data)


def _backward(module: Any, batch: Sequence[Sample], row_tokens: int | None) -> float:
    """Add the batch's gradients to the parameters and return its loss."""
    labels = sum(len(sample.completion) for sample in batch)
    total = 0.0
    for log in _log_likelihoods(module, batch, row_tokens):
        loss = -log.sum() / labels
        loss.backward()
        total += loss.item()
    return total


def _log_likelihoods(module: Any, batch: Sequence[Sample], row_tokens: int | None) -> Iterator[torch.Tensor]:
    """Give the log-likelihoods of all completion tokens, row by row; None: one sample a row, the model's own mask."""
    if row_tokens is None:
        for sample in batch:
            row = lay_out([Branch(sample.prompt, (sample.completion,))], 0)
            yield log_likelihoods(module, row, masked=False)
        return
    for row in rows(batch, row_tokens):
        yield log_likelihoods(module, row)


class _Best:
    """The weights of the epoch with the lowest validation loss; copied only when a later epoch could spoil them."""

    def __init__(self, parameters: list[torch.Tensor]) -> None:
        self.parameters = parameters
        self.value = math.inf
        self.kept: list[torch.Tensor] | None = None

    def offer(self, value: float, *, last: bool) -> None:
        """Keep the present weights if they are the best so far."""
        if value < self.value:
            self.value = value
            self.kept = None if last else [p.detach().clone() for p in self.parameters]

    def restore(self) -> None:
        """Put the best weights back."""
        if self.kept is not None:
            with torch.no_grad():
                for parameter, value in zip(self.parameters, self.kept, strict=True):
                    parameter.copy_(value)
