"""The supervised loop: minimise cross-entropy of the completions, given their prompts."""

from __future__ import annotations

import math
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any

from accelerate import Accelerator
from accelerate.state import AcceleratorState

from harness.api import Context, System, TaskData
from harness.decoding.prefix_sharing import causal
from harness.errors import HarnessError
from harness.models.local_model import LocalModel
from harness.training.batches import TrainingSample, epoch
from harness.training.divergence import Divergence
from harness.training.losses import backward, mean_loss
from harness.training.optimiser import MasterAdamW, Schedule, Shape
from harness.training.progress import MonitoredTasks, asked
from harness.training.training_samples import learned
from harness.training.validation import BestBy, ValidationMonitor

__all__ = ["SupervisedSettings", "fit", "mean_loss", "train"]


@dataclass(frozen=True)
class SupervisedSettings:
    """How to train.

    Attributes:
        learning_rate: at its peak, after warm-up.
        epochs: passes over the training split.
        batch_size: examples in one optimiser step.
        row_tokens: tokens computed in one forward pass; the gradients of a batch of more are accumulated over several,
            which gives the same step.
        weight_decay: on matrices only.
        schedule: of the learning rate after warm-up.
        warmup: share of the steps in which the learning rate rises, 0 to 1.
        max_norm: gradients are clipped to this global L2 norm.
        patience: evaluations without a better one after which training stops; 0: it never does early.
        evaluate_every: steps between evaluations, besides the one after each epoch; 0: none besides.
        best_by: which weights stay: those with the lowest validation loss, or with the best validation metric.
        checkpointing: keep no activations inside a block, but compute them again on the way back (Chen et al. 2016,
            arXiv:1604.06174): less memory for about a third more time.
        watch_items: items of the validation split, and as many of the training split, on which the metric is looked
            at in each evaluation; 0: losses only.
        packs: whether examples may share a row; some models give them other numbers then (`tree.packs`).
    """

    learning_rate: float
    epochs: int
    batch_size: int = 16
    row_tokens: int = 768
    weight_decay: float = 0.0
    schedule: Shape = "cosine"
    warmup: float = 0.1
    max_norm: float = 1.0
    patience: int = 0
    evaluate_every: int = 0
    best_by: BestBy = "loss"
    checkpointing: bool = False
    watch_items: int = 16
    packs: bool = True


def fit(model: LocalModel, system: System, task: TaskData, settings: SupervisedSettings, context: Context) -> System:
    """Train a model on a task's training split as `system` would ask it, and return the system with it.

    Args:
        model: its parameters that require a gradient are changed in place.
        system: lays out the prompts; a calibration made for the untrained model is dropped.
        task: `validation` picks the weights that are kept.
        settings: how to train.
        context: takes the curves and the tokens seen.

    Raises:
        HarnessError: training diverged, a prompt does not fit the context window, or there is no metric to choose the
            best weights by.
    """
    tuned = system.replace(model=model, prior=())
    held_out = learned(tuned, task, "validation")
    metric = asked(tuned, task, settings.watch_items)
    if settings.best_by == "metric" and metric is None:
        raise HarnessError(
            f"best_by=metric needs a metric and a validation split of task {task.task.name!r}, and watch_items above "
            "0: give them, or take best_by=loss."
        )
    settings = replace(settings, packs=settings.packs and model.packs)
    train(model.module, learned(tuned, task, "train"), settings, context, held_out, metric)
    return tuned


def train(  # noqa: PLR0913, PLR0917 - the last two are what is watched, and may be left out
    module: Any,
    data: Sequence[TrainingSample],
    settings: SupervisedSettings,
    context: Context,
    held_out: Sequence[TrainingSample] = (),
    metric: MonitoredTasks | None = None,
) -> None:
    """Train the parameters of `module` that require a gradient, in place.

    The loss is the mean over the completion tokens of a batch, nats. In each evaluation ``train_loss`` (mean over the
    steps since the last one), ``validation_loss`` and the metric on both splits are logged, and the weights of the best
    one are those that stay.

    Raises:
        HarnessError: training diverged (`divergence`).
    """
    accelerator = _accelerator()
    module = accelerator.prepare_model(module)
    parameters = [p for p in module.parameters() if p.requires_grad]
    optimiser = MasterAdamW(
        parameters, weight_decay=settings.weight_decay, max_norm=settings.max_norm, held=context.record_memory
    )
    batches = [
        batch
        for number in range(settings.epochs)
        for batch in epoch(data, settings.batch_size, context.seed * 1000 + number)
    ]
    total, per_epoch = len(batches), len(batches) // settings.epochs
    schedule = Schedule(settings.learning_rate, total, settings.warmup, settings.schedule)
    watch, divergence = (
        ValidationMonitor(module, settings, context, held_out, metric),
        Divergence(total, _uniform_loss(module)),
    )
    module.train()
    with _checkpointing(module, on=settings.checkpointing):
        for step, batch in enumerate(batches, 1):
            loss = backward(module, batch, settings.row_tokens, packs=settings.packs, propagate=accelerator.backward)
            context.count_tokens(sum(sample.tokens for sample in batch))
            divergence.see(loss)
            rate = schedule.at(step - 1)
            norm = optimiser.step(rate)
            watch.losses.append(loss)
            context.log({"step": step, "loss": loss, "learning_rate": rate, "gradient_norm": norm})
            if step % per_epoch == 0 or (settings.evaluate_every and step % settings.evaluate_every == 0):
                watch.evaluate(step, round(step / per_epoch, 3), last=step == total)
            context.progress(step, total)
            if watch.exhausted:
                break
    watch.restore()
    module.eval()


def _accelerator() -> Accelerator:
    """Return what places the model and propagates; weights have the type to compute in, so nothing is cast on top.

    An earlier step's trainer may have left a precision of its own in the state that all share, as transformers'
    trainers expect of each other too.
    """
    AcceleratorState._reset_state(reset_partial_state=True)  # noqa: SLF001  # pyright: ignore[reportPrivateUsage, reportUnknownMemberType] - accelerate has no public way
    return Accelerator(mixed_precision="no")


def _uniform_loss(module: Any) -> float:
    """Return what a model loses that finds all tokens equally likely, nats."""
    size = getattr(causal(module).config, "vocab_size", None)
    return math.log(size) if size else math.inf


@contextmanager
def _checkpointing(module: Any, *, on: bool) -> Generator[None]:
    """Keep activations at the borders of blocks only, while the ``with`` block lasts."""
    if not on:
        yield
        return
    inner = causal(module)
    if not getattr(inner, "supports_gradient_checkpointing", False):
        raise HarnessError(f"checkpointing=true: {type(inner).__name__} cannot compute its blocks again; leave it out.")
    inner.gradient_checkpointing_enable({"use_reentrant": False})
    try:
        yield
    finally:
        inner.gradient_checkpointing_disable()
