"""Bottleneck adapters: a narrow trained block behind each sublayer of a frozen model (Houlsby et al. 2019)."""

from collections.abc import Mapping
from typing import Any, ClassVar, Literal

from pydantic import Field

from harness.api import Architecture, Choice, Footprint, Range
from harness.training.tuned_step import TunedStep


class Adapter(TunedStep):
    """Put a narrow block behind attention and feed-forward of every layer; it begins as the identity."""

    learning_rate: float = Field(1e-3, gt=0, description="after warm-up, AdamW; constant, then falling to 0")
    width: int = Field(32, ge=1, description="of the narrow hidden layer; Houlsby et al. tried 8, 64 and 256")
    activation: Literal["gelu", "relu"] = Field("gelu", description="of the hidden layer")
    after: Literal["both", "feed_forward"] = Field(
        "both", description="sublayers with a block behind them: both, or the feed-forward only (Pfeiffer et al. 2021)"
    )

    # 3e-5 to 3e-3 and widths of 8, 64 and 256: Houlsby et al., section 3.1
    space: ClassVar[Mapping[str, Range | Choice]] = {
        "learning_rate": Range(3e-5, 3e-3, log=True),
        "width": Choice((8, 32, 64, 256)),
    }
    paper: ClassVar[str] = "Houlsby et al. 2019, arXiv:1902.00751; feed-forward only: Pfeiffer 2021, arXiv:2005.00247"

    def trained_footprint(self, shape: Architecture) -> Footprint:
        """Train two narrow matrices with biases, once or twice a block."""
        parts = 2 if self.after == "both" else 1
        trained = shape.layers * parts * (2 * shape.hidden * self.width + self.width + shape.hidden)
        activations = parts * (shape.hidden + 2 * self.width)
        return Footprint(
            trained_parameters=trained,
            added_parameters=trained,
            modules_per_block=parts,
            backward_share=1.0,
            saved_activations=activations,
        )

    def attach(self, model: Any) -> Any:
        """Put a bottleneck behind each sublayer."""
        from harness.training import adapters

        return adapters.attach_bottleneck(model, width=self.width, activation=self.activation, after=self.after)
