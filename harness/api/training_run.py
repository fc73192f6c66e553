"""What a finished training says of itself: how long it might have been, how long it was, and why it ended."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

StopReason = Literal["patience", "ceiling", "diverged"]


@dataclass(frozen=True)
class TrainingRun:
    """One training loop, after it ended; all lengths are optimiser steps.

    Attributes:
        steps: taken.
        floor_steps: before which patience did not count; ceiling_steps: that could be taken at most.
        patience: evaluations in a row without a better one that began the decay; 0: none did.
        evaluate_every: steps between evaluations.
        reason: ``patience``: it was spent; ``ceiling``: it was not; ``diverged``: the loss or the gradients were lost,
            after weights better than those before training.
        best_step: after which the weights were the best on validation, and stayed; 0: those before training; None:
            there was no validation, and the last ones stayed.
        part: of the step, where one has several loops: ``reward_model``; empty: the model itself.
    """

    steps: int
    floor_steps: int
    ceiling_steps: int
    patience: int
    evaluate_every: int
    reason: StopReason
    best_step: int | None
    part: str = ""
