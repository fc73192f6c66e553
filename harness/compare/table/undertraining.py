"""How training ended: still improving, so that more of it may raise the score; without a gain; or diverged."""

from __future__ import annotations

import math

from harness.compare.table.findings import Curve
from harness.compare.table.result import StrategyResult, TrialResult
from harness.errors import HarnessError
from harness.plan.chain import Link, build, canonical
from harness.plan.discover import find_step

MIN_FALL = 0.01
"""Smallest improvement on the best earlier check by the last, as a share, that counts."""


def undertrained(row: StrategyResult) -> bool:
    """Whether the last training run of any seed reached its ceiling while it improved on validation."""
    return any(_still_improves(trial) for trial in row.trials)


def without_gain(row: StrategyResult) -> bool:
    """Whether some training of any seed was of no use: its best weights are those from before it."""
    return any(training.best_step == 0 for trial in row.trials for training in trial.trainings)


def diverged(row: StrategyResult) -> bool:
    """Whether some training of any seed diverged after weights that were of use, which stayed."""
    return any(training.reason == "diverged" for trial in row.trials for training in trial.trainings)


def train_longer(strategy: str, step: str = "") -> str | None:
    """Double the epochs, or steps, of the last step that has some: ``lora`` → ``lora(epochs=20)``; None where unknown.

    Args:
        strategy: text of a chain.
        step: name of the step to train longer; empty: any.
    """
    try:
        links = list(build(strategy, find_step))
    except HarnessError:
        return None
    for index in reversed(range(len(links))):
        link = links[index]
        ceiling = next((name for name in ("epochs", "steps") if name in type(link.step).model_fields), None)
        if ceiling and step in ("", link.name):
            doubled = {ceiling: 2 * getattr(link.step, ceiling)}
            links[index] = Link(link.name, link.step.model_copy(update=doubled), link.tasks)
            return canonical(links)
    return None


def _still_improves(trial: TrialResult) -> bool:
    """Go by the recorded reason of the end, where there is one: records of protocol 1 have curves only."""
    if not trial.curves or (trial.trainings and trial.trainings[-1].reason != "ceiling"):
        return False
    losses = _validation_losses(trial.curves[-1])
    least = min(losses[:-1], default=-math.inf)
    return bool(losses) and losses[-1] < least - MIN_FALL * abs(least)


def _validation_losses(curve: Curve) -> list[float]:
    """Return what was to be low on validation at each check: the loss, or the reward negated."""
    losses = [check["validation_loss"] for check in curve.checks if "validation_loss" in check]
    return losses or [-check["validation_reward"] for check in curve.checks if "validation_reward" in check]
