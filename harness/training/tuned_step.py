"""Base class of the steps that tune on examples: a method attaches what it trains, and one loop trains it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, ClassVar

from harness.api import Architecture, Context, Footprint, Needs, Step, System, TaskData
from harness.training.settings import SupervisedSettings


class TunedStep(Step, SupervisedSettings):
    """Make some weights trainable, and train them on the task as the system asks it.

    A method says in `attach` which weights those are, and sets the learning rate that suits it. All share the loop:
    AdamW at a rate that rises, stays, and falls to 0 once validation says so (`harness.training.stopping`), and
    gradients clipped to a norm of 1.0 (Pascanu et al. 2013, arXiv:1211.5063; the figure: Brown et al. 2020,
    arXiv:2005.14165, appendix B).
    """

    needs: ClassVar[Needs] = Needs(task=frozenset({"train"}), model=frozenset({"train"}))
    changes_weights: ClassVar[bool] = True
    keeps_artifact: ClassVar[bool] = True
    random: ClassVar[bool] = True
    retired: ClassVar[Mapping[str, str]] = {
        "schedule": "the learning rate stays, and falls to 0 when validation says that training ends."
    }

    def attach(self, model: Any) -> Any:
        """Return the model with what this method trains, and nothing else, requiring a gradient.

        Args:
            model: a `harness.models.local_model.LocalModel`, changed in place.
        """
        raise NotImplementedError

    def trained_footprint(self, shape: Architecture) -> Footprint:
        """Return what `attach` makes trainable and adds; `footprint` adds the loop's settings."""
        return shape.low_rank(8)  # not far off for most small parts on a frozen model

    def footprint(self, shape: Architecture) -> Footprint:
        """Return what is trained, with the loop's settings."""
        return replace(
            self.trained_footprint(shape),
            epochs=self.epochs,
            min_steps=self.min_steps,
            patience=self.patience,
            evaluate_every=self.evaluate_every,
            batch_size=self.batch_size,
            row_tokens=self.row_tokens,
            checkpointing=self.checkpointing,
            monitored_items=self.watch_items,
        )

    def adapt(self, system: System, task: TaskData, context: Context) -> System:
        """Attach what the method trains, and train it."""
        from harness.training import supervised  # noqa: PLC0415 - torch comes with it, which a list of strategies can do without

        return supervised.fit(self.attach(system.model), system, task, self, context)
