"""Full fine-tuning: every weight takes a gradient (Howard and Ruder 2018)."""

from collections.abc import Mapping
from typing import Any, ClassVar

from pydantic import Field

from harness.api import Architecture, Choice, Footprint, Range
from harness.training.tuned_step import TunedStep


class Full(TunedStep):
    """Train every weight of the model on the task."""

    learning_rate: float = Field(3e-5, gt=0, description="after warm-up, AdamW; constant, then falling to 0")
    weight_decay: float = Field(0.01, ge=0, description="on matrices only")

    # 2e-5 to 5e-5: Devlin et al. 2019, arXiv:1810.04805, appendix A.3; widened for another model
    space: ClassVar[Mapping[str, Range | Choice]] = {
        "learning_rate": Range(5e-6, 2e-4, log=True),
    }
    paper: ClassVar[str] = (
        "Howard and Ruder 2018, arXiv:1801.06146; AdamW: Loshchilov and Hutter 2019, arXiv:1711.05101"
    )

    def trained_footprint(self, shape: Architecture) -> Footprint:
        """Train everything."""
        return shape.all_weights()

    def attach(self, model: Any) -> Any:
        """Make every weight trainable."""
        from harness.training import adapters

        return adapters.unfreeze(model)
