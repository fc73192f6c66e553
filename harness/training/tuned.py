"""The shape of every step that tunes by examples: what is made trainable is the method, the rest is one loop."""

from __future__ import annotations

from typing import Any, ClassVar

from pydantic import Field

from harness import training
from harness.api import Context, Needs, Step, System, TaskData


class Tuned(Step):
    """Make some weights trainable, and train them on the task as the system asks it.

    A method says in `attach` which weights those are, and brings the learning rate that suits it.
    """

    learning_rate: float = Field(gt=0, description="at its peak, AdamW with warm-up and cosine")
    epochs: int = Field(2, ge=1, description="passes over the training split; the best by validation loss is kept")
    batch_size: int = Field(16, ge=1, description="examples in one optimiser step")
    weight_decay: float = Field(0.0, ge=0, description="on matrices only")

    needs: ClassVar[Needs] = Needs(task=frozenset({"train"}), model=frozenset({"train"}))
    changes_weights: ClassVar[bool] = True
    keeps: ClassVar[bool] = True
    random: ClassVar[bool] = True

    def attach(self, model: Any) -> Any:
        """Return the model with what this method trains, and nothing else, requiring a gradient.

        Args:
            model: a `harness.models.local.LocalModel`, changed in place.
        """
        raise NotImplementedError

    def adapt(self, system: System, task: TaskData, context: Context) -> System:
        """Attach what is trained, and train it."""
        settings = training.supervised.Settings(
            self.learning_rate, self.epochs, self.batch_size, weight_decay=self.weight_decay
        )
        return training.supervised.fit(self.attach(system.model), system, task, settings, context)
