"""IA³: learn vectors that scale keys, values and the feed-forward layer's inside (Liu et al. 2022)."""

from collections.abc import Mapping
from typing import Any, ClassVar

from pydantic import Field

from harness.api import Architecture, Choice, Footprint, Range
from harness.training.tuned_step import TunedStep


class Ia3(TunedStep):
    """Learn one factor for each key, value and inner activation; all begin at 1. The fewest weights of all methods."""

    learning_rate: float = Field(1e-2, gt=0, description="after warm-up; the paper's 3e-3 is for 1,000 steps, not tens")

    # 3e-3 in the paper; a few hundred vectors of a small model bear more
    space: ClassVar[Mapping[str, Range | Choice]] = {
        "learning_rate": Range(5e-4, 3e-2, log=True),
    }
    paper: ClassVar[str] = "Liu et al. 2022, arXiv:2205.05638"

    def trained_footprint(self, shape: Architecture) -> Footprint:
        """Train a factor for each key, value and inner feature."""
        scaled = 2 * shape.kv_width + shape.intermediate
        trained = shape.layers * scaled
        return Footprint(
            trained_parameters=trained,
            added_parameters=trained,
            modules_per_block=3,
            backward_share=1.0,
            saved_activations=scaled,
        )

    def attach(self, model: Any) -> Any:
        """Attach the factors."""
        from harness.training import peft_methods

        return peft_methods.attach(model, "ia3")
