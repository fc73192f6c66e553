"""Any other method that peft has, by its name there."""

from typing import Any, ClassVar

from pydantic import Field

from harness import training
from harness.training.tuned import Tuned


class Peft(Tuned):
    """Train what a peft method attaches, with peft's own defaults, on all linear layers where there is a choice."""

    method: str = Field("vera", description="peft's name for it, e.g. vera, loha, oft, ln_tuning, prefix_tuning")
    options: str = Field("", description="its settings, as in 'r=8, dropout=0.1'; empty: peft's defaults")
    learning_rate: float = Field(1e-3, gt=0, description="at its peak; methods differ in what suits them")

    paper: ClassVar[str] = "Mangrulkar et al. 2022, PEFT; vera: Kopiczko et al. 2023, arXiv:2310.11454"

    def attach(self, model: Any) -> Any:
        """Attach what the method trains."""
        return training.peft_methods.attach(model, self.method, self.options)
