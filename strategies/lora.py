"""Low-rank adaptation: freeze the weights, learn a low-rank update of each linear layer (Hu et al. 2021)."""

from typing import ClassVar

from pydantic import Field

from harness import training
from harness.api import Context, Needs, Step, System, TaskData


class Lora(Step):
    """Freeze the weights and learn a low-rank update of every linear layer."""

    rank: int = Field(16, ge=1, description="columns of the update matrices")
    alpha: float = Field(32.0, gt=0, description="the update is scaled by alpha / rank")
    dropout: float = Field(0.0, ge=0, lt=1, description="on the adapter's input")
    targets: str = Field("all-linear", description="layers that get an update: all-linear, or names with commas")
    learning_rate: float = Field(5e-4, gt=0, description="at its peak, AdamW with warm-up and cosine")
    epochs: int = Field(2, ge=1, description="passes over the training split; the best by validation loss is kept")
    batch_size: int = Field(16, ge=1, description="examples in one optimiser step")

    needs: ClassVar[Needs] = Needs(task=frozenset({"train"}), model=frozenset({"train"}))
    changes_weights: ClassVar[bool] = True
    keeps: ClassVar[bool] = True
    random: ClassVar[bool] = True
    paper: ClassVar[str] = "Hu et al. 2021, arXiv:2106.09685; all linear layers: Dettmers et al. 2023, arXiv:2305.14314"

    def adapt(self, system: System, task: TaskData, context: Context) -> System:
        """Attach the adapter and train it on the task, asked as the system asks."""
        model = training.adapters.attach_low_rank(
            system.model, rank=self.rank, alpha=self.alpha, dropout=self.dropout, targets=self.targets
        )
        settings = training.supervised.Settings(self.learning_rate, self.epochs, self.batch_size)
        return training.supervised.fit(model, system, task, settings, context)
