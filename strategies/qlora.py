"""LoRA on weights held in 4 bits: less memory, and weights that are rounded (Dettmers et al. 2023)."""

from collections.abc import Mapping
from typing import Any, ClassVar

from pydantic import Field

from harness.api import Architecture, Choice, Footprint, Range
from harness.training.tuned_step import TunedStep


class Qlora(TunedStep):
    """Hold the linear layers in 4 bits (NF4, double quantisation), and learn a low-rank update of each.

    The model answers with the 4-bit weights and the update on top of them.
    """

    learning_rate: float = Field(5e-4, gt=0, description="after warm-up, AdamW; constant, then falling to 0")
    rank: int = Field(8, ge=1, description="columns of the update matrices; Hu et al. found 4 to 8 to be enough")
    alpha: float = Field(16.0, gt=0, description="the update is scaled by alpha / rank")
    dropout: float = Field(0.0, ge=0, lt=1, description="on the adapter's input")
    targets: str = Field("all-linear", description="layers that get an update: all-linear, or names with commas")

    # as of LoRA: the learning rate decides most (Biderman et al. 2024, arXiv:2405.09673), and with adapters on all
    # linear layers the rank hardly does (Dettmers et al., appendix A)
    space: ClassVar[Mapping[str, Range | Choice]] = {
        "learning_rate": Range(5e-5, 2e-3, log=True),
        "rank": Choice((4, 8, 16, 64)),
    }
    paper: ClassVar[str] = "Dettmers et al. 2023, arXiv:2305.14314"

    def trained_footprint(self, shape: Architecture) -> Footprint:
        """Train the update of each matrix that is a target, on 4-bit weights."""
        return shape.low_rank(self.rank, self.targets, four_bits=True)

    def attach(self, model: Any) -> Any:
        """Quantise the linear layers, then attach the adapter."""
        from harness.training import adapters

        return adapters.attach_low_rank(
            model,
            rank=self.rank,
            alpha=self.alpha,
            dropout=self.dropout,
            targets=self.targets,
            four_bits=True,
        )
