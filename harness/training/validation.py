"""Validation monitoring: losses and metrics while a model trains."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from statistics import fmean
from typing import Any

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

    @property
    def items(self) -> int:
        """Items that one evaluation reads."""
        return len(self.samples) + (self.tasks.count if self.tasks else 0)


NO_VALIDATION = ValidationSet()


@dataclass
class ValidationMonitor:
    """Evaluates a training now and then.

    Attributes:
        module: in training.
        packs: whether samples may share a row.
        losses: of the training steps since the last evaluation.
    """

    module: Any
    settings: SupervisedSettings
    context: Context
    validation: ValidationSet = NO_VALIDATION
    packs: bool = True
    losses: list[float] = field(default_factory=list[float])

    def evaluate(self, step: int, epoch: float) -> float | None:
        """Log one point of the training curves.

        Args:
            step: optimiser steps taken.
            epoch: passes over the training split; a part of one counts as a fraction.

        Returns:
            What the best weights are best by, lower is better: the validation loss, or the metric negated; None without
            validation items.

        Raises:
            HarnessError: training diverged.
        """
        figures = {"train_loss": fmean(self.losses)} if self.losses else dict[str, float]()
        self.losses.clear()
        samples, tasks = self.validation.samples, self.validation.tasks
        self.module.eval()
        if samples:
            figures["validation_loss"] = mean_loss(self.module, samples, self.settings.row_tokens, packs=self.packs)
            require_finite_validation(figures["validation_loss"], step)
        scores = tasks.scores() if tasks else {}
        self.module.train()
        if figures or scores:
            self.context.log({"step": step, "epoch": epoch} | figures | scores)
        if not samples:
            return None
        metric_tasks = tasks if self.settings.best_by == "metric" else None
        return -metric_tasks.validation_score(scores) if metric_tasks else figures["validation_loss"]
