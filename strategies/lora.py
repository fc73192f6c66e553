"""Low-rank adaptation: freeze the weights, learn a low-rank update of each linear layer (Hu et al. 2021)."""

from collections.abc import Mapping
from typing import Any, ClassVar, Literal

from pydantic import Field

from harness.api import Architecture, Choice, Footprint, Range
from harness.training.tuned_step import TunedStep


class Lora(TunedStep):
    """Freeze the weights and learn a low-rank update of every linear layer.

    `rslora` scales the update by alpha / √rank, so that high ranks don't learn ever more slowly; `dora` learns the
    length of the weights' columns apart from their direction.
    """

    learning_rate: float = Field(5e-4, gt=0, description="after warm-up, AdamW; constant, then falling to 0")
    rank: int = Field(8, ge=1, description="columns of the update matrices; Hu et al. found 4 to 8 to be enough")
    alpha: float = Field(16.0, gt=0, description="the update is scaled by alpha / rank, for rslora by alpha / √rank")
    dropout: float = Field(0.0, ge=0, lt=1, description="on the adapter's input")
    targets: str = Field("all-linear", description="layers that get an update: all-linear, or names with commas")
    variant: Literal["lora", "rslora", "dora"] = Field("lora", description="as published, rank-stabilised, or split")

    # the learning rate decides most, and is best some ten times that of full tuning (Biderman et al. 2024,
    # arXiv:2405.09673); ranks as far as Hu et al. tried them, section 7.2
    space: ClassVar[Mapping[str, Range | Choice]] = {
        "learning_rate": Range(5e-5, 2e-3, log=True),
        "rank": Choice((4, 8, 16, 64)),
    }
    paper: ClassVar[str] = (
        "Hu et al. 2021, arXiv:2106.09685; all linear layers: Dettmers et al. 2023, arXiv:2305.14314; rslora: "
        "Kalajdzievski 2023, arXiv:2312.03732; dora: Liu et al. 2024, arXiv:2402.09353"
    )

    def trained_footprint(self, shape: Architecture) -> Footprint:
        """Train the update of each matrix that is a target."""
        return shape.low_rank(self.rank, self.targets, magnitudes=self.variant == "dora")

    def attach(self, model: Any) -> Any:
        """Attach the adapter."""
        from harness.training import adapters

        return adapters.attach_low_rank(
            model,
            rank=self.rank,
            alpha=self.alpha,
            dropout=self.dropout,
            targets=self.targets,
            variant=self.variant,
        )
