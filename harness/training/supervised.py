"""The supervised loop: minimise cross-entropy of the completions, given their prompts."""

from __future__ import annotations

import math
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from typing import Any

from accelerate import Accelerator
from accelerate.state import AcceleratorState

from harness.api import Context, System, TaskData
from harness.decoding.prefix_sharing import causal_lm
from harness.errors import HarnessError
from harness.models.local_model import LocalModel
from harness.models.row_budget import training_row_tokens
from harness.training.batches import TrainingSample, endless_batches
from harness.training.divergence import DivergenceDetector
from harness.training.losses import backward
from harness.training.optimiser import MasterAdamW
from harness.training.progress import monitor_tasks
from harness.training.settings import SupervisedSettings
from harness.training.stopping import run_training, stopping_rule
from harness.training.training_samples import build_split_samples
from harness.training.validation import NO_VALIDATION, ValidationMonitor, ValidationSet


def fit(model: LocalModel, system: System, task: TaskData, settings: SupervisedSettings, context: Context) -> System:
    """Train a model on a task's training split as `system` would ask it, and return the system with it.

    Args:
        model: its parameters that require a gradient are changed in place.
        system: lays out the prompts; a calibration made for the untrained model is dropped.
        task: `validation` picks the weights that stay.
        settings: how to train.
        context: takes the training curves and the number of tokens read.

    Raises:
        HarnessError: training diverged, a prompt does not fit the context window, or there is no metric to choose the
            best weights by.
    """
    tuned = system.replace(model=model)
    validation = ValidationSet(
        build_split_samples(tuned, task, "validation"), monitor_tasks(tuned, task, settings.watch_items)
    )
    if settings.best_by == "metric" and validation.tasks is None:
        raise HarnessError(
            f"best_by=metric needs a metric and a validation split of task {task.task.name!r}, and watch_items above "
            "0: give them, or take best_by=loss."
        )
    samples = build_split_samples(tuned, task, "train")
    if model.from_memory:
        row_tokens = training_row_tokens(model.module, settings.row_tokens)
        settings = settings.model_copy(update={"row_tokens": row_tokens})
    train(model.module, samples, settings, context, validation, packs=model.supports_packing)
    return tuned


def train(  # noqa: PLR0913 - the last two may be left out
    module: Any,
    samples: Sequence[TrainingSample],
    settings: SupervisedSettings,
    context: Context,
    validation: ValidationSet = NO_VALIDATION,
    *,
    packs: bool = True,
) -> None:
    """Train the parameters of `module` that require a gradient, in place.

    The loss is the mean over the completion tokens of a batch, nats. Each evaluation logs ``train_loss`` (mean over the
    steps since the last one), ``validation_loss`` and the metric on both splits; the best one's weights stay, the first
    of which is before training. How long it takes is up to `harness.training.stopping.StoppingRule`.

    Args:
        module: a causal language model.
        samples: to train on.
        settings: how to train.
        context: takes the training curves and the number of tokens read.
        validation: picks the weights that stay.
        packs: whether samples may share a row; some models compute other numbers then
            (`harness.decoding.packing_probe.supports_packing`).

    Raises:
        HarnessError: training diverged (`DivergenceDetector`) before it was of use.
    """
    accelerator = _accelerator()
    module = accelerator.prepare_model(module)
    parameters = [p for p in module.parameters() if p.requires_grad]
    optimiser = MasterAdamW(
        parameters,
        weight_decay=settings.weight_decay,
        max_norm=settings.max_norm,
        record_memory=context.record_memory,
    )
    rule = stopping_rule(settings, len(samples), settings.batch_size, validation.items)
    monitor = ValidationMonitor(module, settings, context, validation, packs)
    batches = endless_batches(samples, settings.batch_size, context.seed * 1000)
    per_epoch = math.ceil(len(samples) / settings.batch_size)

    def take_step(step: int, rate: float) -> tuple[float, float]:
        batch = next(batches)
        loss = backward(module, batch, settings.row_tokens, packs=packs, propagate=accelerator.backward)
        context.count_tokens(sum(sample.tokens for sample in batch))
        norm = optimiser.step(rate)
        monitor.losses.append(loss)
        context.log({"step": step, "loss": loss, "learning_rate": rate, "gradient_norm": norm})
        return loss, norm

    def evaluate(step: int) -> float | None:
        return monitor.evaluate(step, round(step / per_epoch, 3))

    divergence = DivergenceDetector(rule.ceiling, _uniform_loss(module))
    module.train()
    with _checkpointing(module, on=settings.checkpointing):
        run_training(rule, parameters, take_step, evaluate, divergence, context=context)
    module.eval()


def _accelerator() -> Accelerator:
    """Return an accelerator that casts nothing: the weights have the type to compute in.

    Its shared state is reset first, as an earlier step's transformers trainer may have left another precision in it.
    """
    AcceleratorState._reset_state(reset_partial_state=True)  # noqa: SLF001  # pyright: ignore[reportPrivateUsage, reportUnknownMemberType] - accelerate has no public way
    return Accelerator(mixed_precision="no")


def _uniform_loss(module: Any) -> float:
    """Return the loss of a uniform guess over the vocabulary, nats a token."""
    size = getattr(causal_lm(module).config, "vocab_size", None)
    return math.log(size) if size else math.inf


@contextmanager
def _checkpointing(module: Any, *, on: bool) -> Generator[None]:
    """Keep activations at block boundaries only, for the duration of the ``with`` block."""
    if not on:
        yield
        return
    model = causal_lm(module)
    if not getattr(model, "supports_gradient_checkpointing", False):
        raise HarnessError(f"checkpointing=true: {type(model).__name__} cannot compute its blocks again; leave it out.")
    model.gradient_checkpointing_enable({"use_reentrant": False})
    try:
        yield
    finally:
        model.gradient_checkpointing_disable()
