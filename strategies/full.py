"""Full fine-tuning: every weight takes a gradient (Howard and Ruder 2018)."""

from typing import ClassVar

from pydantic import Field

from harness import training
from harness.api import Context, Needs, Step, System, TaskData


class Full(Step):
    """Train every weight of the model on the task."""

    learning_rate: float = Field(3e-5, gt=0, description="at its peak, AdamW with warm-up and cosine")
    epochs: int = Field(2, ge=1, description="passes over the training split; the best by validation loss is kept")
    batch_size: int = Field(16, ge=1, description="examples in one optimiser step")
    weight_decay: float = Field(0.01, ge=0, description="on matrices only")

    needs: ClassVar[Needs] = Needs(task=frozenset({"train"}), model=frozenset({"train"}))
    changes_weights: ClassVar[bool] = True
    keeps: ClassVar[bool] = True
    random: ClassVar[bool] = True
    paper: ClassVar[str] = (
        "Howard and Ruder 2018, arXiv:1801.06146; AdamW: Loshchilov and Hutter 2019, arXiv:1711.05101"
    )

    def adapt(self, system: System, task: TaskData, context: Context) -> System:
        """Make every weight trainable and train on the task, asked as the system asks."""
        model = training.adapters.unfrozen(system.model)
        settings = training.supervised.Settings(
            self.learning_rate, self.epochs, self.batch_size, weight_decay=self.weight_decay
        )
        return training.supervised.fit(model, system, task, settings, context)
