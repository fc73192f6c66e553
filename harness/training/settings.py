"""Settings of the supervised loop: declared once, for the loop and for the steps that have them as parameters."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

ScheduleShape = Literal["cosine", "linear", "constant"]
BestBy = Literal["loss", "metric"]


class SupervisedSettings(BaseModel):
    """How the supervised loop trains; `harness.training.tuned_step.TunedStep` inherits the fields as its parameters.

    A batch of more than `row_tokens` is divided into passes whose gradients are accumulated, which gives the same step.
    `checkpointing` keeps no activations inside a block and computes them again in the backward pass (Chen et al. 2016,
    arXiv:1604.06174): less memory for about a third more time. Names, order, defaults and descriptions are part of
    trial keys and of ``harness strategies``.

    Example:
        ``SupervisedSettings(learning_rate=5e-4, patience=2)``
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    learning_rate: float = Field(gt=0, description="at its peak, AdamW with warm-up and cosine")
    epochs: int = Field(2, ge=1, description="passes over the training split; the best by validation loss is kept")
    batch_size: int = Field(16, ge=1, description="examples in one optimiser step")
    weight_decay: float = Field(0.0, ge=0, description="on matrices only")
    schedule: ScheduleShape = Field("cosine", description="learning rate after warm-up")
    warmup: float = Field(0.1, ge=0, lt=1, description="share of the steps in which the learning rate rises")
    max_norm: float = Field(1.0, gt=0, description="gradients are clipped to this global L2 norm")
    patience: int = Field(0, ge=0, description="evaluations without a better one before an early stop; 0: none")
    evaluate_every: int = Field(0, ge=0, description="steps between evaluations besides each epoch's; 0: none")
    best_by: BestBy = Field("loss", description="what the weights kept are best by, on validation")
    checkpointing: bool = Field(False, description="compute activations again on the way back: less memory, slower")
    row_tokens: int = Field(768, ge=1, description="tokens of one pass; a batch of more is accumulated over several")
    watch_items: int = Field(16, ge=0, description="items a split on which the metric is watched; 0: losses only")
