"""The preference loop: from pairs of a better and a worse answer, to a margin between them that is wide and positive.

Bradley and Terry (1952) say that the better answer is preferred with probability sigmoid(margin). In direct preference
optimisation (Rafailov et al. 2023, arXiv:2305.18290) the margin is how much more than a reference the policy favours
the better answer; in a reward model it is the difference of two rewards. Both are trained here, by one loop.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor
from torch.nn.functional import logsigmoid

from harness.api import Context, System, TaskData
from harness.models.local_model import LocalModel
from harness.training.divergence import Divergence
from harness.training.optimiser import MasterAdamW, Schedule
from harness.training.pairs import PreferencePair, batches, learned, log_differences
from harness.training.progress import MonitoredTasks, asked

Margins = Callable[[Sequence[PreferencePair]], Iterator[Tensor]]
"""Gives the margins of a batch of pairs, some of them at a time (float32 [pairs of one forward pass]), in any order."""


@dataclass(frozen=True)
class PreferenceSettings:
    """How to train on pairs.

    Attributes:
        learning_rate: at its peak, after warm-up.
        epochs: passes over the training split.
        batch_size: pairs in one optimiser step.
        beta: what the log-ratio of policy and reference is multiplied by; the higher, the closer they stay.
        row_tokens: tokens computed in one forward pass; None: each answer has a pass of its own.
        watch_items: items of each split on which the task's metric is looked at after each epoch; 0: none.
    """

    learning_rate: float
    epochs: int
    batch_size: int
    beta: float = 0.1
    row_tokens: int | None = 768
    watch_items: int = 0


def optimise_directly(
    model: LocalModel, system: System, task: TaskData, settings: PreferenceSettings, context: Context
) -> System:
    """Return the system with a model that was tuned by direct preference optimisation.

    The reference is the model as it comes in: its log-likelihoods are computed once, before the first update, while
    a fresh adapter still adds nothing, so no second model is held.

    Args:
        model: its parameters that require a gradient are changed in place.
        system: lays out the prompts; a calibration made for the untrained model is dropped.
        task: `train` are the pairs to learn, `validation` picks the epoch that is kept.
        settings: how to train.
        context: takes the curves and the tokens seen.

    Raises:
        HarnessError: training diverged, or a prompt does not fit the context window.
    """
    tuned = system.replace(model=model, prior=())
    if not model.packs:
        settings = replace(settings, row_tokens=None)
    pairs, held_out = (
        with_reference(model.module, learned(tuned, task, split), settings.row_tokens)
        for split in ("train", "validation")
    )
    parameters = [p for p in model.module.parameters() if p.requires_grad]
    loop = PreferenceLoop(settings, context, metric=asked(tuned, task, settings.watch_items))
    train(parameters, pairs, held_out, log_ratio_margins(model.module, settings), loop)
    return tuned


def with_reference(module: Any, pairs: Sequence[PreferencePair], row_tokens: int | None) -> list[PreferencePair]:
    """Return the pairs with what the model, as it is now, makes of them."""
    module.eval()
    found: dict[int, float] = {}
    with torch.no_grad():
        for places, differences in log_differences(module, pairs, row_tokens):
            found.update(zip(places, differences.tolist(), strict=True))
    return [replace(pair, reference=found[place]) for place, pair in enumerate(pairs)]


def log_ratio_margins(module: Any, settings: PreferenceSettings) -> Margins:
    """Return the margins of direct preference optimisation: β times the change of the log-likelihoods' difference."""

    def margins(batch: Sequence[PreferencePair]) -> Iterator[Tensor]:
        for places, differences in log_differences(module, batch, settings.row_tokens):
            reference = torch.tensor([batch[place].reference for place in places], device=differences.device)
            yield settings.beta * (differences - reference)

    module.eval()  # no dropout: policy and reference would differ by it
    return margins


@dataclass(frozen=True)
class PreferenceLoop:
    """What steers the loop and what listens to it.

    Attributes:
        prefix: put before the names of what is logged, where a step has several loops.
        metric: gives the task's metric after each epoch; None: losses and margins only.
    """

    settings: PreferenceSettings
    context: Context
    prefix: str = ""
    metric: MonitoredTasks | None = None

    def log(self, step: int, **values: float) -> None:
        """Log a point."""
        self.context.log({"step": step, **{f"{self.prefix}{name}": value for name, value in values.items()}})

    def log_epoch(
        self, step: int, epoch: int, train: Mapping[str, float], validation: Mapping[str, float] | None
    ) -> None:
        """Log what an epoch came to on both splits, and how the task's metric stands."""
        named = {f"train_{name}": value for name, value in train.items()}
        named |= {f"validation_{name}": value for name, value in (validation or {}).items()}
        self.log(step, epoch=epoch, **named, **(self.metric.scores() if self.metric else {}))


def train(
    parameters: Sequence[Tensor],
    data: Sequence[PreferencePair],
    held_out: Sequence[PreferencePair],
    margins: Margins,
    loop: PreferenceLoop,
) -> None:
    """Minimise the mean of -log sigmoid(margin), by AdamW; the epoch with the lowest loss on `held_out` stays.

    Raises:
        HarnessError: training diverged (`divergence`).
    """
    settings, context = loop.settings, loop.context
    optimiser = MasterAdamW(parameters, weight_decay=0.0, held=context.record_memory)
    total = settings.epochs * math.ceil(len(data) / settings.batch_size)
    schedule, divergence = Schedule(settings.learning_rate, total), Divergence(total)
    best, kept, step = math.inf, None, 0
    for epoch in range(1, settings.epochs + 1):
        seen: list[float] = []
        for batch in batches(data, settings.batch_size, context.seed * 1000 + epoch):
            found = _backward(batch, margins)
            context.count_tokens(sum(pair.tokens for pair in batch))
            seen += found
            rate, values = schedule.at(step), _summary(found)
            divergence.see(values["loss"])
            norm = optimiser.step(rate)
            step += 1
            loop.log(step, learning_rate=rate, gradient_norm=norm, **values)
            context.progress(step, total)
        found = evaluate(held_out, margins) if held_out else None
        loop.log_epoch(step, epoch, _summary(seen), found)
        if found and found["loss"] < best:
            best, kept = found["loss"], [p.detach().clone() for p in parameters]
    if kept is not None:
        with torch.no_grad():
            for parameter, value in zip(parameters, kept, strict=True):
                parameter.copy_(value)


def evaluate(pairs: Sequence[PreferencePair], margins: Margins) -> dict[str, float]:
    """Return the mean loss in nats, the mean margin, and the share of pairs whose margin is positive."""
    with torch.no_grad():
        return _summary([value for some in margins(pairs) for value in some.tolist()])


def _backward(batch: Sequence[PreferencePair], margins: Margins) -> list[float]:
    """Add the batch's gradients to the parameters and return its margins."""
    found: list[float] = []
    for some in margins(batch):
        (-logsigmoid(some).sum() / len(batch)).backward()
        found += some.tolist()
    return found


def _summary(margins: Sequence[float]) -> dict[str, float]:
    """Mean loss in nats, mean margin, and the share of margins above zero."""
    return {
        "loss": float(-logsigmoid(torch.tensor(margins)).mean()),
        "reward_margin": sum(margins) / len(margins),
        "preference_accuracy": sum(margin > 0 for margin in margins) / len(margins),
    }
