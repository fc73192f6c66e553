"""Divergence of a training: a loss that is no number, stays high or is that of a guess, or gradients that are lost."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from statistics import fmean

from harness.errors import HarnessError

FACTOR = 2.0
MARGIN = 1.0
"""Nats a token: a tenth of the loss of a uniform guess over 20,000 tokens."""
UNIFORM_MARGIN = 0.05
"""Nats a token below the loss of a uniform guess: nearer, the model does not look at its input."""
EXPLODING = 100.0
"""Growth of the gradients' norm at which they explode, where the loss rises too."""


class TrainingDivergedError(HarnessError):
    """The weights are lost; the best ones from before may not be."""


@dataclass
class DivergenceDetector:
    """Checks every step's loss and gradients, and stops a training that diverges.

    It diverges if for k steps in a row

    - the loss is above twice the mean of the first k, and above the lowest mean of k in a row by one nat or more (the
      loss of a uniform guess caps both means, as some trainings diverge from their second step on); or
    - the loss is that of a uniform guess, or higher, where it began lower by a nat or more; or
    - the gradients are 0 though the loss is not; or
    - their norm is above 100 times the lowest of the first k, and the loss above the mean of the first k.

    k is a quarter of all steps, from 3 to 8. Each of the last k counts, not their mean: small batches give single high
    losses in a healthy training too, but it does not stay above where it began. A loss or a norm that is not finite is
    enough once.

    Attributes:
        steps: optimiser steps at most.
        uniform: loss of a uniform guess, the logarithm of the vocabulary's size; infinite where that is not known.
        falling: whether a healthy training lowers the loss; if not, only numbers that are not finite count.
    """

    steps: int
    uniform: float = math.inf
    falling: bool = True
    losses: list[float] = field(default_factory=list[float])
    norms: list[float] = field(default_factory=list[float])
    lowest: float = math.inf

    @property
    def window(self) -> int:
        """The k of the rule."""
        return min(8, max(3, self.steps // 4))

    def has_learned(self, loss: float) -> bool:
        """Tell whether weights of this validation loss are better than a guess."""
        return loss < self.uniform - MARGIN

    def check(self, loss: float, norm: float) -> None:
        """Add the next step.

        Args:
            loss: of its batch before the update, nats a token.
            norm: of the gradients before clipping.

        Raises:
            HarnessError: training has diverged, or the model gave no numbers before the first step.
        """
        if not self.losses:
            require_numbers(loss, "the first batch of the training items")
        self.losses.append(loss)
        self.norms.append(norm)
        if not math.isfinite(loss):
            raise self._error(f"the loss is {loss}")
        if not math.isfinite(norm):
            raise self._error(f"the norm of the gradients is {norm}")
        if self.falling and len(self.losses) >= self.window:
            symptom = self._rise() or self._guess() or self._lost_gradients() or self._explosion()
            if symptom:
                raise self._error(symptom)

    def _rise(self) -> str:
        k = self.window
        self.lowest = min(self.lowest, self.uniform, fmean(self.losses[-k:]))
        first, least = min(fmean(self.losses[:k]), self.uniform), min(self.losses[-k:])
        if len(self.losses) == k or least <= max(FACTOR * first, self.lowest + MARGIN):
            return ""
        return f"the last {k} losses were {least:.2f} or more, from {first:.2f}"

    def _guess(self) -> str:
        k = self.window
        if self.losses[0] > self.uniform - MARGIN or min(self.losses[-k:]) < self.uniform - UNIFORM_MARGIN:
            return ""
        guess = f"{self.uniform:.2f}, that of a guess over the whole vocabulary"
        return f"the last {k} losses were no lower than {guess}, from {self.losses[0]:.2f}"

    def _lost_gradients(self) -> str:
        k = self.window
        if any(self.norms[-k:]) or min(self.losses[-k:]) < UNIFORM_MARGIN:
            return ""
        return f"the gradients of the last {k} steps are 0, and the loss is {self.losses[-1]:.2f}"

    def _explosion(self) -> str:
        k = self.window
        first, least = min(self.norms[:k]), min(self.norms[-k:])
        if not first or least <= EXPLODING * first or min(self.losses[-k:]) <= fmean(self.losses[:k]):
            return ""
        return f"the gradients' norm of the last {k} steps was {least:.3g} or more, from {first:.3g}"

    def _error(self, symptom: str) -> TrainingDivergedError:
        return _diverged(len(self.losses), symptom)


def require_numbers(loss: float, of: str) -> None:
    """Refuse a loss that is not finite before the first step.

    Raises:
        HarnessError: the model gives no numbers.
    """
    if not math.isfinite(loss):
        raise HarnessError(
            f"the model gives no numbers (the loss is {loss}) for {of}: its weights, a reference or a reward are "
            "damaged, or too large for the number format."
        )


def require_finite_validation(loss: float, step: int) -> None:
    """Refuse a validation loss that is not finite: no weights would be the best.

    Raises:
        HarnessError: training has diverged, or the model gave no numbers before the first step.
    """
    if step == 0:
        require_numbers(loss, "the validation items")
    if not math.isfinite(loss):
        raise _diverged(step, f"the validation loss is {loss}")


def _diverged(step: int, symptom: str) -> TrainingDivergedError:
    return TrainingDivergedError(f"training diverged at step {step}: {symptom}; lower learning_rate.")
