"""The preference loop: widen the margin between the chosen and the rejected answer of each pair.

Bradley and Terry (1952): the chosen answer is preferred with probability sigmoid(margin). In direct preference
optimisation (DPO: Rafailov et al. 2023, arXiv:2305.18290) the margin is how much more than the reference the policy
favours the chosen answer; in a reward model it is the difference of two rewards. One loop trains both.
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
from harness.training.batches import endless_batches
from harness.training.divergence import DivergenceDetector, require_finite_validation
from harness.training.optimiser import MasterAdamW
from harness.training.pairs import PreferencePair, build_split_pairs, log_differences
from harness.training.progress import MonitoredTasks, monitor_tasks
from harness.training.settings import PreferenceSettings
from harness.training.stopping import run_training, stopping_rule

Margins = Callable[[Sequence[PreferencePair]], Iterator[Tensor]]
"""Yields the margins of a batch of pairs, one forward pass at a time (float32 [pairs of the pass]), in any order."""


def tune_by_dpo(
    model: LocalModel, system: System, task: TaskData, settings: PreferenceSettings, context: Context
) -> System:
    """Tune a model by direct preference optimisation, and return the system with it.

    The reference is the model before tuning: its log-likelihoods are computed once, before the first update, while a
    fresh adapter still adds nothing, so no second model is needed.

    Args:
        model: its parameters that require a gradient are changed in place.
        system: lays out the prompts; a calibration made for the untrained model is dropped.
        task: `train` holds the pairs to learn, `validation` picks the weights that stay.
        settings: how to train.
        context: takes the training curves and the number of tokens read.

    Raises:
        HarnessError: training diverged, or a prompt does not fit the context window.
    """
    tuned = system.replace(model=model)
    if not model.supports_packing:
        settings = settings.model_copy(update={"row_tokens": None})
    pairs, held_out = (
        with_reference(model.module, build_split_pairs(tuned, task, split), settings.row_tokens)
        for split in ("train", "validation")
    )
    parameters = [p for p in model.module.parameters() if p.requires_grad]
    loop = PreferenceLoop(settings, context, tasks=monitor_tasks(tuned, task, settings.watch_items))
    train(parameters, pairs, held_out, log_ratio_margins(model.module, settings), loop)
    return tuned


def with_reference(module: Any, pairs: Sequence[PreferencePair], row_tokens: int | None) -> list[PreferencePair]:
    """Return the pairs with the present model as their reference."""
    module.eval()
    references: dict[int, float] = {}
    with torch.no_grad():
        for indices, differences in log_differences(module, pairs, row_tokens):
            references.update(zip(indices, differences.tolist(), strict=True))
    return [replace(pair, reference=references[index]) for index, pair in enumerate(pairs)]


def log_ratio_margins(module: Any, settings: PreferenceSettings) -> Margins:
    """Return the margins of DPO: β times the change of the log-likelihoods' difference from the reference."""

    def margins(batch: Sequence[PreferencePair]) -> Iterator[Tensor]:
        for indices, differences in log_differences(module, batch, settings.row_tokens):
            reference = torch.tensor([batch[index].reference for index in indices], device=differences.device)
            yield settings.beta * (differences - reference)

    module.eval()  # no dropout: policy and reference would differ by it
    return margins


@dataclass(frozen=True)
class PreferenceLoop:
    """Settings of the loop, and where it logs.

    Attributes:
        part: of the step, where it has several loops; its name is in front of those in the log.
        tasks: scored by their metrics at each evaluation; None: losses and margins only.
    """

    settings: PreferenceSettings
    context: Context
    part: str = ""
    tasks: MonitoredTasks | None = None

    def log(self, step: int, **values: float) -> None:
        """Log a point."""
        prefix = f"{self.part}_" if self.part else ""
        self.context.log({"step": step, **{f"{prefix}{name}": value for name, value in values.items()}})

    def log_evaluation(
        self, step: int, epoch: float, train: Mapping[str, float], validation: Mapping[str, float]
    ) -> None:
        """Log losses and margins on both splits, and the task's metric."""
        figures = {f"train_{name}": value for name, value in train.items()}
        figures |= {f"validation_{name}": value for name, value in validation.items()}
        figures |= self.tasks.scores() if self.tasks else {}
        if figures:
            self.log(step, epoch=epoch, **figures)


def train(
    parameters: Sequence[Tensor],
    pairs: Sequence[PreferencePair],
    held_out: Sequence[PreferencePair],
    margins: Margins,
    loop: PreferenceLoop,
) -> None:
    """Minimise the mean of -log sigmoid(margin) by AdamW; the weights with the lowest loss on `held_out` stay.

    Raises:
        HarnessError: training diverged (`DivergenceDetector`) before it was of use.
    """
    settings, context = loop.settings, loop.context
    optimiser = MasterAdamW(parameters, weight_decay=0.0, record_memory=context.record_memory)
    evaluated_items = len(held_out) + (loop.tasks.count if loop.tasks else 0)
    rule = stopping_rule(settings, len(pairs), settings.batch_size, evaluated_items)
    batches = endless_batches(pairs, settings.batch_size, context.seed * 1000 + 1)
    per_epoch = max(1, math.ceil(len(pairs) / settings.batch_size))
    recent_margins: list[float] = []

    def take_step(step: int, rate: float) -> tuple[float, float]:
        batch = next(batches)
        batch_margins = _backward(batch, margins)
        context.count_tokens(sum(pair.tokens for pair in batch))
        recent_margins.extend(batch_margins)
        figures, norm = _summary(batch_margins), optimiser.step(rate)
        loop.log(step, learning_rate=rate, gradient_norm=norm, **figures)
        return figures["loss"], norm

    def evaluate_pairs(step: int) -> float | None:
        validation = evaluate(held_out, margins) if held_out else {}
        if validation:
            require_finite_validation(validation["loss"], step)
        train_figures = _summary(recent_margins) if recent_margins else {}
        recent_margins.clear()
        loop.log_evaluation(step, round(step / per_epoch, 3), train_figures, validation)
        return validation.get("loss")

    divergence = DivergenceDetector(rule.ceiling)
    run_training(rule, parameters, take_step, evaluate_pairs, divergence, context=context, part=loop.part)


def evaluate(pairs: Sequence[PreferencePair], margins: Margins) -> dict[str, float]:
    """Return the mean loss in nats, the mean margin, and the share of pairs whose margin is positive."""
    with torch.no_grad():
        return _summary([margin for pass_margins in margins(pairs) for margin in pass_margins.tolist()])


def _backward(batch: Sequence[PreferencePair], margins: Margins) -> list[float]:
    """Add the batch's gradients to the parameters and return its margins."""
    batch_margins: list[float] = []
    for pass_margins in margins(batch):
        (-logsigmoid(pass_margins).sum() / len(batch)).backward()
        batch_margins += pass_margins.tolist()
    return batch_margins


def _summary(margins: Sequence[float]) -> dict[str, float]:
    """Mean loss in nats, mean margin, and the share of margins above zero."""
    return {
        "loss": float(-logsigmoid(torch.tensor(margins)).mean()),
        "reward_margin": sum(margins) / len(margins),
        "preference_accuracy": sum(margin > 0 for margin in margins) / len(margins),
    }
