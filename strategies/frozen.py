"""Transfer learning with frozen layers: the lower blocks stay, the upper ones are tuned (Howard and Ruder 2018)."""

from collections.abc import Mapping
from typing import Any, ClassVar

from pydantic import Field

from harness.api import Architecture, Choice, Footprint, Range
from harness.training.tuned_step import TunedStep


class Frozen(TunedStep):
    """Train the upper blocks only: the first `layers` and the embeddings take no gradient and no optimiser state.

    Lower layers hold general features, upper ones those of the task. Tuning only the last quarter of the layers kept
    nine tenths of the quality (Lee et al. 2019).
    """

    learning_rate: float = Field(3e-4, gt=0, description="after warm-up, AdamW; constant, then falling to 0")
    weight_decay: float = Field(0.01, ge=0, description="on matrices only")
    layers: int | None = Field(None, ge=0, description="first blocks that are frozen; none: two thirds of them")

    # as of full tuning (Devlin et al. 2019, arXiv:1810.04805, appendix A.3), and up to five times as fast, since fewer
    # weights move
    space: ClassVar[Mapping[str, Range | Choice]] = {
        "learning_rate": Range(1e-5, 5e-4, log=True),
    }
    paper: ClassVar[str] = "Howard and Ruder 2018, arXiv:1801.06146; Lee et al. 2019, arXiv:1911.03090"

    def trained_footprint(self, shape: Architecture) -> Footprint:
        """Train the blocks above the frozen ones."""
        return shape.upper_blocks(shape.layers * 2 // 3 if self.layers is None else self.layers)

    def attach(self, model: Any) -> Any:
        """Make the upper blocks trainable."""
        from harness.training import adapters

        return adapters.freeze_lower_blocks(model, self.layers)
