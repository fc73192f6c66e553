"""What is looked at while a model trains: losses and metrics, the best weights so far, and whether to go on."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from statistics import fmean
from typing import TYPE_CHECKING, Any, Literal

import torch
from torch import Tensor

from harness.api import Context
from harness.training.batches import TrainingSample
from harness.training.losses import mean_loss
from harness.training.progress import MonitoredTasks

if TYPE_CHECKING:
    from harness.training.supervised import SupervisedSettings

BestBy = Literal["loss", "metric"]


@dataclass
class ValidationMonitor:
    """Evaluates a training now and then, keeps its best weights and knows when it no longer improves.

    Attributes:
        module: what is trained; its parameters that require a gradient are what is kept.
        held_out: samples of the validation split.
        asked: gives the task's metric; None: losses only.
    """

    module: Any
    settings: SupervisedSettings
    context: Context
    held_out: Sequence[TrainingSample] = ()
    asked: MonitoredTasks | None = None
    losses: list[float] = field(default_factory=list[float])
    best: float = math.inf
    idle: int = 0
    kept: list[Tensor] | None = None

    @property
    def exhausted(self) -> bool:
        """Whether as many evaluations in a row brought nothing better as patience lasts (Prechelt 1998)."""
        return 0 < self.settings.patience <= self.idle

    def evaluate(self, step: int, epoch: float, *, last: bool) -> None:
        """Log one point of the curves, and keep the present weights if they are the best so far.

        Args:
            step: optimiser steps taken.
            epoch: passes over the training split, partly done ones as a share.
            last: whether nothing follows, so that the weights need no copy.
        """
        point = {"step": step, "epoch": epoch, "train_loss": fmean(self.losses)}
        self.losses.clear()
        self.module.eval()
        if self.held_out:
            point["validation_loss"] = mean_loss(
                self.module, self.held_out, self.settings.row_tokens, packs=self.settings.packs
            )
        scores = self.asked.scores() if self.asked else {}
        self.module.train()
        self.context.log(point | scores)
        if self.held_out:
            by_metric = self.settings.best_by == "metric" and self.asked
            self._offer(-self.asked.better(scores) if by_metric and self.asked else point["validation_loss"], last=last)

    def restore(self) -> None:
        """Put the best weights back; those of a training without validation stay as they are."""
        if self.kept is not None:
            with torch.no_grad():
                for parameter, value in zip(self._parameters, self.kept, strict=True):
                    parameter.copy_(value)
            self.kept = None

    @property
    def _parameters(self) -> list[Tensor]:
        return [p for p in self.module.parameters() if p.requires_grad]

    def _offer(self, value: float, *, last: bool) -> None:
        """Take a value, lower being better."""
        if value >= self.best:
            self.idle += 1
            return
        self.best, self.idle = value, 0
        if last:
            self.kept = None
        elif self.kept is None:
            self.kept = [p.detach().clone() for p in self._parameters]
        else:  # in place: two copies at once would raise the peak
            for copy, parameter in zip(self.kept, self._parameters, strict=True):
                copy.copy_(parameter.detach())
