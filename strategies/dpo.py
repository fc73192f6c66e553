"""Direct preference optimisation: raise chosen answers over rejected ones, without a reward model."""

from collections.abc import Mapping
from dataclasses import replace
from typing import ClassVar

from pydantic import Field

from harness.api import Architecture, Choice, Context, Footprint, Needs, Range, Step, System, TaskData
from harness.training.settings import PreferenceSettings


class Dpo(Step, PreferenceSettings):
    """Raise the likelihood of each pair's better answer against the worse one's, held to where tuning began.

    Usually after supervised tuning, as ``lora+dpo``. An earlier adapter is merged into the weights and a new one
    attached, so the reference is the model that the step before has left.

    The learning rate was chosen by validation on 128 to 192 pairs, a few dozen updates: at 5e-5 nothing changed,
    at 5e-4 the loss on held-out pairs rose after supervised tuning. With thousands of updates, take 5e-6 to 5e-5.
    """

    learning_rate: float = Field(2e-4, gt=0, description="after warm-up, AdamW; constant, then falling to 0")
    rank: int = Field(16, ge=1, description="columns of the adapter's update matrices")
    alpha: float = Field(32.0, gt=0, description="the update is scaled by alpha / rank")
    targets: str = Field("all-linear", description="layers that get an update: all-linear, or names with commas")

    needs: ClassVar[Needs] = Needs(task=frozenset({"preferences"}), model=frozenset({"train"}))
    changes_weights: ClassVar[bool] = True
    keeps_artifact: ClassVar[bool] = True
    random: ClassVar[bool] = True
    # beta of 0.05 to 5 and 1e-6 for all weights: Rafailov et al., section 6 and appendix B; adapters bear more
    space: ClassVar[Mapping[str, Range | Choice]] = {
        "learning_rate": Range(5e-6, 5e-4, log=True),
        "beta": Range(0.05, 1.0, log=True),
    }
    paper: ClassVar[str] = "Rafailov et al. 2023, arXiv:2305.18290; by an adapter: Hu et al. 2021, arXiv:2106.09685"

    def footprint(self, shape: Architecture) -> Footprint:
        """Train the low-rank update on pairs, which the reference reads once."""
        trains = shape.low_rank(self.rank, self.targets)
        return replace(
            trains,
            objective="pairs",
            epochs=self.epochs,
            min_steps=self.min_steps,
            patience=self.patience,
            evaluate_every=self.evaluate_every,
            batch_size=self.batch_size,
            row_tokens=self.row_tokens or trains.row_tokens,
            monitored_items=self.watch_items,
        )

    def adapt(self, system: System, task: TaskData, context: Context) -> System:
        """Attach an adapter, and train it on the pairs."""
        from harness.models.local_model import require_local
        from harness.training import adapters, preferences

        model = adapters.attach_low_rank(
            require_local(system.model), rank=self.rank, alpha=self.alpha, dropout=0.0, targets=self.targets
        )
        return preferences.tune_by_dpo(model, system, task, self, context)
