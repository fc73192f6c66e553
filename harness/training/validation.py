"""Validation monitoring: losses and metrics while a model trains, the best weights, and early stopping."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from statistics import fmean
from typing import Any

import torch
from torch import Tensor

from harness.api import Context
from harness.training.batches import TrainingSample
from harness.training.divergence import require_finite_validation
from harness.training.losses import mean_loss
from harness.training.progress import MonitoredTasks
from harness.training.settings import SupervisedSettings


@dataclass(frozen=True)
class ValidationSet:
    """What a training is evaluated on.

    Attributes:
        samples: of the validation split; their loss picks the best weights. Empty: the last weights stay.
        tasks: their metrics are logged, and pick the best weights if ``best_by=metric``; None: losses only.
    """

    samples: Sequence[TrainingSample] = ()
    tasks: MonitoredTasks | None = None


NO_VALIDATION = ValidationSet()


@dataclass
class ValidationMonitor:
    """Evaluates a training now and then, keeps its best weights and tells when it no longer improves.

    Attributes:
        module: in training; the parameters that require a gradient are kept and restored.
        packs: whether samples may share a row.
        losses: of the training steps since the last evaluation.
        best: lowest validation loss, or highest metric negated.
        stale_evaluations: in a row without a better one.
    """

    module: Any
    settings: SupervisedSettings
    context: Context
    validation: ValidationSet = NO_VALIDATION
    packs: bool = True
    losses: list[float] = field(default_factory=list[float])
    best: float = math.inf
    stale_evaluations: int = 0
    best_weights: list[Tensor] | None = None

    @property
    def out_of_patience(self) -> bool:
        """Whether patience has run out: so many evaluations in a row without a better one (Prechelt 1998)."""
        return 0 < self.settings.patience <= self.stale_evaluations

    def evaluate(self, step: int, epoch: float, *, last: bool) -> None:
        """Log one point of the training curves, and keep the weights if they are the best so far.

        Args:
            step: optimiser steps taken.
            epoch: passes over the training split; a part of one counts as a fraction.
            last: no step follows, so the best weights need no copy.

        Raises:
            HarnessError: training diverged.
        """
        point = {"step": step, "epoch": epoch, "train_loss": fmean(self.losses)}
        self.losses.clear()
        samples, tasks = self.validation.samples, self.validation.tasks
        self.module.eval()
        if samples:
            point["validation_loss"] = mean_loss(self.module, samples, self.settings.row_tokens, packs=self.packs)
            require_finite_validation(point["validation_loss"], step)
        scores = tasks.scores() if tasks else {}
        self.module.train()
        self.context.log(point | scores)
        if samples:
            metric_tasks = tasks if self.settings.best_by == "metric" else None
            loss = -metric_tasks.validation_score(scores) if metric_tasks else point["validation_loss"]
            self._keep_if_best(loss, last=last)

    def restore(self) -> None:
        """Copy the best weights back; without validation the last ones stay."""
        if self.best_weights is not None:
            with torch.no_grad():
                for parameter, weights in zip(self._parameters, self.best_weights, strict=True):
                    parameter.copy_(weights)
            self.best_weights = None

    @property
    def _parameters(self) -> list[Tensor]:
        return [p for p in self.module.parameters() if p.requires_grad]

    def _keep_if_best(self, loss: float, *, last: bool) -> None:
        """Keep the weights if the loss, or the negated metric, is the lowest so far."""
        if loss >= self.best:
            self.stale_evaluations += 1
            return
        self.best, self.stale_evaluations = loss, 0
        if last:
            self.best_weights = None
        elif self.best_weights is None:
            self.best_weights = [p.detach().clone() for p in self._parameters]
        else:  # in place: a second copy would raise peak memory
            for copy, parameter in zip(self.best_weights, self._parameters, strict=True):
                copy.copy_(parameter.detach())
