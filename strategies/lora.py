"""Low-rank adaptation: freeze the weights, learn a low-rank update of each linear layer (Hu et al. 2021)."""

from typing import Any, ClassVar, Literal

from pydantic import Field

from harness import training
from harness.training.tuned import Tuned


class Lora(Tuned):
    """Freeze the weights and learn a low-rank update of every linear layer.

    `rslora` scales the update by alpha / √rank, so that high ranks don't learn ever more slowly; `dora` learns the
    length of the weights' columns apart from their direction.
    """

    learning_rate: float = Field(5e-4, gt=0, description="at its peak, AdamW with warm-up and cosine")
    rank: int = Field(16, ge=1, description="columns of the update matrices")
    alpha: float = Field(32.0, gt=0, description="the update is scaled by alpha / rank, for rslora by alpha / √rank")
    dropout: float = Field(0.0, ge=0, lt=1, description="on the adapter's input")
    targets: str = Field("all-linear", description="layers that get an update: all-linear, or names with commas")
    variant: Literal["lora", "rslora", "dora"] = Field("lora", description="as published, rank-stabilised, or split")

    paper: ClassVar[str] = (
        "Hu et al. 2021, arXiv:2106.09685; all linear layers: Dettmers et al. 2023, arXiv:2305.14314; rslora: "
        "Kalajdzievski 2023, arXiv:2312.03732; dora: Liu et al. 2024, arXiv:2402.09353"
    )

    def attach(self, model: Any) -> Any:
        """Attach the adapter."""
        return training.adapters.attach_low_rank(
            model,
            rank=self.rank,
            alpha=self.alpha,
            dropout=self.dropout,
            targets=self.targets,
            variant=self.variant,
        )
