"""How long a training may take: to its ceiling, or to the earliest step at which it may stop."""

from __future__ import annotations

import math
from dataclasses import dataclass

from harness.api.architecture import Footprint
from harness.training.settings import DECAY_PART, evaluation_interval


@dataclass(frozen=True)
class TrainingLength:
    """Length of a training if it reaches its ceiling, and if it stops as early as it may.

    Attributes:
        floor_share: steps of the shortest training, as a share of those of the longest.
        evaluations: of the longest; floor_evaluations: of the shortest; the one before training is among them.
    """

    floor_share: float
    evaluations: int
    floor_evaluations: int


def training_length(footprint: Footprint, items: int, evaluated_items: int) -> TrainingLength:
    """Follow `harness.training.stopping.StoppingRule` without a training.

    Args:
        footprint: of the step that trains.
        items: of one epoch, or sampled in all steps.
        evaluated_items: read by one evaluation; without any, only the ceiling ends a training.
    """
    batch_size = max(1, min(footprint.batch_size, items or 1))
    passes = 1 if footprint.objective == "samples" else footprint.epochs
    ceiling = max(1, round(passes * math.ceil(items / batch_size)))
    interval = footprint.evaluate_every or evaluation_interval(batch_size, evaluated_items)
    floor = ceiling
    if footprint.patience and evaluated_items:
        first_interval = max(1, math.ceil(footprint.min_steps / interval))
        spent = interval * (first_interval + footprint.patience - 1)
        if spent < ceiling * (DECAY_PART - 1) // DECAY_PART:
            floor = spent + max(1, spent // (DECAY_PART - 1))
    return TrainingLength(floor / ceiling, _evaluations(ceiling, interval), _evaluations(floor, interval))


def _evaluations(steps: int, interval: int) -> int:
    return 1 + math.ceil(steps / interval)
