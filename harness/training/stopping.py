"""When a training stops, and its learning rate until then: one rule, and one loop around it, for every objective.

The rate is trapezoidal: it rises, stays, and falls to 0 over the last fifth of the steps (warmup-stable-decay: Zhai et
al. 2022, arXiv:2106.04560, section 3.5; Hägele et al. 2024, arXiv:2405.18392, section 3). A cosine needs the number of
steps before the first one; here it follows from validation: the fall begins when patience is spent (Prechelt 1998),
or when the ceiling would be passed otherwise.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from harness.api import Context
from harness.api.training_run import StopReason, TrainingRun
from harness.training.divergence import DivergenceDetector, TrainingDivergedError
from harness.training.settings import DECAY_PART, LEAST_INTERVAL, StoppingSettings, evaluation_interval

TakeStep = Callable[[int, float], tuple[float, float]]
"""Takes the number of the step, from 1, and its learning rate; returns the batch's loss and the gradients' norm."""
Evaluate = Callable[[int], float | None]
"""Takes the number of steps taken; returns what is to be low on validation, or None where there is no validation."""


@dataclass
class StoppingRule:
    """Says the learning rate of each step, when to evaluate, and when to stop; all lengths are optimiser steps.

    Attributes:
        peak: learning rate after warm-up.
        ceiling: steps at most, the decay included.
        floor: steps before patience counts; the first evaluations may be worse than the untrained model's.
        patience: evaluations in a row without a better one that begin the decay; 0: only the ceiling does.
        interval: steps between evaluations; the last step is evaluated too.
        warmup: steps in which the rate rises.
        step: steps taken.
        best: lowest evaluation so far; best_step: when it was, None: never evaluated.
        stale_evaluations: in a row without a better one, since the floor.
    """

    peak: float
    ceiling: int
    floor: int = 0
    patience: int = 0
    interval: int = LEAST_INTERVAL
    warmup: int = 0
    step: int = 0
    best: float = math.inf
    best_step: int | None = None
    stale_evaluations: int = 0
    diverged: bool = False
    _patience_spent: int | None = None

    @property
    def decay_start(self) -> int:
        """Steps before the decay, as far as is known: at the latest, those that the ceiling leaves."""
        latest = self.ceiling * (DECAY_PART - 1) // DECAY_PART
        return latest if self._patience_spent is None else self._patience_spent

    @property
    def end(self) -> int:
        """Steps in all, as far as is known."""
        if self._patience_spent is None:
            return self.ceiling
        return min(self.ceiling, self._patience_spent + max(1, self._patience_spent // (DECAY_PART - 1)))

    @property
    def learning_rate(self) -> float:
        """Learning rate of the next step."""
        rise = min(1.0, (self.step + 1) / self.warmup) if self.warmup else 1.0
        return self.peak * min(rise, (self.end - self.step) / max(1, self.end - self.decay_start))

    @property
    def evaluation_due(self) -> bool:
        """Whether to evaluate now: at the end, and every `interval` steps unless the end is near."""
        if self.step >= self.end:
            return True
        return self.step % self.interval == 0 and self.end - self.step > self.interval // 2

    @property
    def reason(self) -> StopReason:
        """Why the training stopped."""
        if self.diverged:
            return "diverged"
        return "ceiling" if self._patience_spent is None else "patience"

    def judge(self, loss: float) -> bool:
        """Take the evaluation of the present weights, lower is better; tell whether it is the best so far."""
        if loss < self.best:
            self.best, self.best_step, self.stale_evaluations = loss, self.step, 0
            return True
        if self.step >= self.floor:
            self.stale_evaluations += 1
        if 0 < self.patience <= self.stale_evaluations and self.step < self.decay_start:
            self._patience_spent = self.step
        return False

    def run(self, part: str = "") -> TrainingRun:
        """Describe the training up to now."""
        return TrainingRun(
            steps=self.step,
            floor_steps=self.floor,
            ceiling_steps=self.ceiling,
            patience=self.patience,
            evaluate_every=self.interval,
            reason=self.reason,
            best_step=self.best_step,
            part=part,
        )


def stopping_rule(settings: StoppingSettings, items: int, batch_size: int, evaluated_items: int) -> StoppingRule:
    """Return the rule for a training.

    Args:
        settings: of its length.
        items: of an epoch.
        batch_size: items of one optimiser step.
        evaluated_items: read by one evaluation.
    """
    ceiling = settings.epochs * math.ceil(items / batch_size)
    warmup = max(1, round(settings.warmup * ceiling)) if settings.warmup else 0
    return StoppingRule(
        peak=settings.learning_rate,
        ceiling=ceiling,
        floor=min(ceiling, max(settings.min_steps, warmup)),
        patience=settings.patience,
        interval=settings.evaluate_every or evaluation_interval(batch_size, evaluated_items),
        warmup=warmup,
    )


def run_training(  # noqa: PLR0913 - what a loop differs by
    rule: StoppingRule,
    parameters: Sequence[Tensor],
    take_step: TakeStep,
    evaluate: Evaluate,
    divergence: DivergenceDetector,
    *,
    context: Context,
    part: str = "",
) -> None:
    """Take steps until the rule says stop; the best weights stay. Those before training are among the candidates.

    Args:
        rule: which has taken no step yet.
        parameters: in training; changed in place.
        take_step: takes an optimiser step.
        evaluate: evaluates the present weights.
        divergence: checks every step.
        context: takes progress, and how the training ended.
        part: of the step that trains, where it has several loops.

    Raises:
        HarnessError: training diverged before any evaluation was better than the weights before it.
    """
    best = _BestWeights(parameters)
    try:
        _judge(rule, evaluate, best)
        while rule.step < rule.end:
            loss, norm = take_step(rule.step + 1, rule.learning_rate)
            rule.step += 1
            divergence.check(loss, norm)
            if rule.evaluation_due:
                _judge(rule, evaluate, best)
            context.progress(rule.step, rule.end)
    except TrainingDivergedError:
        if not rule.best_step or not divergence.has_learned(rule.best):
            raise
        rule.diverged = True
    best.restore()
    context.record_training(rule.run(part))


def _judge(rule: StoppingRule, evaluate: Evaluate, best: _BestWeights) -> None:
    loss = evaluate(rule.step)
    if loss is not None and rule.judge(loss):
        best.keep(last=rule.step >= rule.end)


class _BestWeights:
    """A copy of the best weights so far."""

    def __init__(self, parameters: Sequence[Tensor]) -> None:
        self.parameters = parameters
        self.copies: list[Tensor] | None = None

    def keep(self, *, last: bool) -> None:
        """Copy the present weights; the last ones need no copy."""
        if last:
            self.copies = None
        elif self.copies is None:
            self.copies = [parameter.detach().clone() for parameter in self.parameters]
        else:  # in place: a second copy would raise peak memory
            for copy, parameter in zip(self.copies, self.parameters, strict=True):
                copy.copy_(parameter.detach())

    def restore(self) -> None:
        """Copy the best weights back; without an evaluation the present ones stay."""
        if self.copies is not None:
            with torch.no_grad():
                for parameter, copy in zip(self.parameters, self.copies, strict=True):
                    parameter.copy_(copy)
