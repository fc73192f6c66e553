"""Prompt tuning: learn vectors that stand before every prompt of a frozen model (Lester et al. 2021)."""

from collections.abc import Mapping
from typing import Any, ClassVar

from pydantic import Field

from harness.api import Architecture, Choice, Footprint, Range
from harness.training.tuned_step import TunedStep


class PromptTuning(TunedStep):
    """Learn virtual tokens before the prompt; they begin as real tokens, from which a small model learns better.

    Lester et al. start from sampled tokens or the labels' words (section 3.2) and use a rate of 0.3 with Adafactor.
    """

    learning_rate: float = Field(3e-2, gt=0, description="after warm-up, AdamW; constant, then falling to 0")
    tokens: int = Field(20, ge=1, description="vectors before the prompt")
    text: str = Field("", description="what they begin as; empty: tokens drawn from the vocabulary")

    # lengths of 1 to 150 and high learning rates: Lester et al., section 3.2
    space: ClassVar[Mapping[str, Range | Choice]] = {
        "learning_rate": Range(1e-3, 3e-1, log=True),
        "tokens": Choice((5, 20, 50)),
    }
    paper: ClassVar[str] = "Lester et al. 2021, arXiv:2104.08691"

    def trained_footprint(self, shape: Architecture) -> Footprint:
        """Train the vectors before the prompt; the backward pass goes through every block."""
        trained = self.tokens * shape.hidden
        return Footprint(
            trained_parameters=trained, added_parameters=trained, backward_share=1.0, virtual_tokens=self.tokens
        )

    def attach(self, model: Any) -> Any:
        """Put the vectors before every prompt."""
        from harness.training import adapters

        return adapters.attach_virtual_tokens(model, self.tokens, self.text)
