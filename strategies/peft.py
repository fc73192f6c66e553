"""Any other method that peft has, by its name there."""

from collections.abc import Sequence
from typing import Any, ClassVar

from pydantic import Field

from harness.api import Context, Step, System, TaskData
from harness.training.tuned_step import TunedStep
from harness.training.untrainable_peft import UNSUPPORTED

_DEFAULT_RATE, _RATES = 1e-3, {"vera": 3e-2}
"""VeRA's by validation loss on sentiment (24 steps): 2.93 at 1e-3, 1.44 at 3e-3, 0.24 at 1e-2, 0.17 at 3e-2."""


class Peft(TunedStep):
    """Train what a peft method attaches, with peft's own defaults, on all linear layers where there is a choice."""

    method: str = Field("vera", description="peft's name for it, e.g. vera, loha, oft, ln_tuning, prefix_tuning")
    options: str = Field("", description="its settings, as in 'r=8, dropout=0.1'; empty: peft's defaults")
    learning_rate: float | None = Field(  # type: ignore[override]
        None, gt=0, description="after warm-up; none: 3e-2 for vera, 1e-3 for others, which differ in what suits them"
    )

    paper: ClassVar[str] = "Mangrulkar et al. 2022, PEFT; vera: Kopiczko et al. 2023, arXiv:2310.11454"

    def objection(self, task: TaskData, later: Sequence[Step]) -> str | None:
        """Refuse a method that cannot be trained here before anything loads."""
        del task, later
        reason = UNSUPPORTED.get(self.method)
        return reason and f"method {self.method} cannot be trained here: {reason}"

    def attach(self, model: Any) -> Any:
        """Attach the method's parameters."""
        from harness.training import peft_methods

        return peft_methods.attach(model, self.method, self.options)

    def adapt(self, system: System, task: TaskData, context: Context) -> System:
        """Attach and train, at the method's own learning rate unless one is set."""
        rate = self.learning_rate or _RATES.get(self.method, _DEFAULT_RATE)
        return TunedStep.adapt(self.model_copy(update={"learning_rate": rate}), system, task, context)
