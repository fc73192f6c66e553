"""Undertrained rows: validation loss still fell at the last check, so more epochs may raise the score."""

from __future__ import annotations

from collections.abc import Sequence

from harness.compare.table.findings import Curve
from harness.compare.table.result import StrategyResult
from harness.errors import HarnessError
from harness.plan.chain import Link, build, canonical
from harness.plan.discover import find_step

MIN_FALL = 0.01
"""Smallest fall of validation loss from the best earlier check to the last, as a share, that counts."""


def undertrained(row: StrategyResult) -> bool:
    """Whether the last training run of any seed ended while its validation loss fell."""
    return any(_still_falls(trial.curves[-1]) for trial in row.trials if trial.curves)


def train_longer(strategy: str, step: str = "") -> str | None:
    """Double the epochs of the last step that has some: ``lora`` → ``lora(epochs=4)``; None where unknown.

    Args:
        strategy: text of a chain.
        step: name of the step to train longer; empty: any.
    """
    try:
        links = list(build(strategy, find_step))
    except HarnessError:
        return None
    for index in reversed(range(len(links))):
        epochs = getattr(links[index].step, "epochs", None)
        if isinstance(epochs, int) and step in ("", links[index].name):
            link = links[index]
            links[index] = Link(link.name, link.step.model_copy(update={"epochs": 2 * epochs}), link.tasks)
            return canonical(links)
    return None


def _still_falls(curve: Curve) -> bool:
    losses: Sequence[float] = [check["validation_loss"] for check in curve.checks if "validation_loss" in check]
    return len(losses) > 1 and losses[-1] < min(losses[:-1]) * (1 - MIN_FALL)
