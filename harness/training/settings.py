"""Settings of the training loops: declared once, for the loop and for the steps that have them as parameters."""

from __future__ import annotations

import math
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

BestBy = Literal["loss", "metric"]

DECAY_PART = 5
"""The learning rate falls over the last one in so many steps."""
LEAST_INTERVAL = 8
"""Fewest steps between evaluations, where the interval is not set."""
_TRAINING_COST, _EVALUATION_SHARE = 3, 4
"""A training step reads an item forward and backward, at three times the cost of an evaluation; evaluations may take
one part in four of that."""


def evaluation_interval(batch_size: float, evaluated_items: float) -> int:
    """Return so many steps between evaluations that these cost at most a quarter of the training."""
    return max(LEAST_INTERVAL, math.ceil(_EVALUATION_SHARE * evaluated_items / (_TRAINING_COST * batch_size)))


class StoppingSettings(BaseModel):
    """How long a loop trains, and at which rate: `harness.training.stopping.StoppingRule`, for every loop alike.

    Names, order, defaults and descriptions are part of trial keys and of ``harness strategies``.

    Example:
        ``StoppingSettings(learning_rate=5e-4, epochs=20)``
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    learning_rate: float = Field(gt=0, description="after warm-up, AdamW; constant, then falling to 0")
    epochs: int = Field(10, ge=1, description="passes over the training split at most; the best by validation is kept")
    min_steps: int = Field(48, ge=0, description="optimiser steps before patience counts")
    patience: int = Field(3, ge=0, description="evaluations without a better one before the rate decays; 0: no limit")
    evaluate_every: int = Field(0, ge=0, description="steps between evaluations; 0: a quarter of the cost at most")
    warmup: float = Field(0.05, ge=0, lt=1, description="share of the most steps in which the learning rate rises")


class SupervisedSettings(StoppingSettings):
    """How the supervised loop trains; `harness.training.tuned_step.TunedStep` inherits the fields as its parameters.

    A batch of more than `row_tokens` is divided into passes whose gradients are accumulated, which gives the same step.
    `checkpointing` keeps no activations inside a block and computes them again in the backward pass (Chen et al. 2016,
    arXiv:1604.06174): less memory for about a third more time.
    """

    batch_size: int = Field(16, ge=1, description="examples in one optimiser step")
    weight_decay: float = Field(0.0, ge=0, description="on matrices only")
    max_norm: float = Field(1.0, gt=0, description="gradients are clipped to this global L2 norm")
    best_by: BestBy = Field("loss", description="what the weights kept are best by, on validation")
    checkpointing: bool = Field(False, description="compute activations again on the way back: less memory, slower")
    row_tokens: int = Field(768, ge=1, description="tokens of one pass; a batch of more is accumulated over several")
    watch_items: int = Field(16, ge=0, description="items a split on which the metric is watched; 0: losses only")


class PreferenceSettings(StoppingSettings):
    """How the preference loop trains; ``dpo`` has the fields as its parameters."""

    batch_size: int = Field(8, ge=1, description="pairs in one optimiser step")
    beta: float = Field(0.1, gt=0, description="weight of the log-ratio; the higher, the closer to the reference")
    row_tokens: int | None = Field(768, ge=1, description="tokens of one pass; none: each answer gets its own")
    watch_items: int = Field(16, ge=0, description="items a split on which the metric is watched; 0: losses only")
