"""Divergence of a training: a loss that is not finite, or one that rises and stays high."""

from __future__ import annotations

import math
from dataclasses import dataclass, field

from harness.errors import HarnessError

FACTOR = 2.0
MARGIN = 1.0
"""Nats a token: a tenth of the loss of a uniform guess over 20,000 tokens."""


@dataclass
class DivergenceDetector:
    """Checks every step's loss, and stops a training that diverges.

    It diverges if each of the last k losses is above twice the mean of the first k, and above the lowest mean of k in a
    row by one nat or more. The loss of a uniform guess caps both means, as some trainings diverge from their second
    step on. k is a quarter of all steps, from 3 to 8. Each of the last k counts, not their mean: small batches give
    single high losses in a healthy training too, but it does not stay above where it began.

    Attributes:
        steps: optimiser steps planned.
        uniform: loss of a uniform guess, the logarithm of the vocabulary's size; infinite where that is not known.
    """

    steps: int
    uniform: float = math.inf
    losses: list[float] = field(default_factory=list[float])
    lowest: float = math.inf

    @property
    def window(self) -> int:
        """The k of the rule."""
        return min(8, max(3, self.steps // 4))

    def check(self, loss: float) -> None:
        """Add the loss of the next step, nats a token.

        Raises:
            HarnessError: training has diverged, or the model gave no numbers before the first step.
        """
        if not self.losses and not math.isfinite(loss):
            raise HarnessError(
                f"the model gives no numbers (the loss is {loss}) for the first batch of the training items: its "
                "weights, a reference or a reward are damaged, or too large for the number format."
            )
        self.losses.append(loss)
        if not math.isfinite(loss):
            raise _error(len(self.losses), f"the loss is {loss}")
        k = self.window
        if len(self.losses) < k:
            return
        self.lowest = min(self.lowest, self.uniform, sum(self.losses[-k:]) / k)
        first = min(sum(self.losses[:k]) / k, self.uniform)
        if len(self.losses) > k and min(self.losses[-k:]) > max(FACTOR * first, self.lowest + MARGIN):
            raise _error(
                len(self.losses), f"the last {k} losses were {min(self.losses[-k:]):.2f} or more, from {first:.2f}"
            )


def require_finite_validation(loss: float, step: int) -> None:
    """Refuse a validation loss that is not finite: no weights would be the best.

    Raises:
        HarnessError: training has diverged.
    """
    if not math.isfinite(loss):
        raise _error(step, f"the validation loss is {loss}")


def _error(step: int, symptom: str) -> HarnessError:
    return HarnessError(f"training diverged at step {step}: {symptom}; lower learning_rate.")
