"""The shape of every step that tunes by examples: what is made trainable is the method, the rest is one loop."""

from __future__ import annotations

from dataclasses import fields, replace
from typing import Any, ClassVar, Literal

from pydantic import Field

from harness.api import Architecture, Context, Footprint, Needs, Step, System, TaskData


class Tuned(Step):
    """Make some weights trainable, and train them on the task as the system asks it.

    A method says in `attach` which weights those are, and brings the learning rate that suits it. What they share:
    AdamW with warm-up over a tenth of the steps (as BERT was tuned: Devlin et al. 2019, arXiv:1810.04805), then a
    cosine (Touvron et al. 2023, arXiv:2307.09288, section 3.1), and gradients clipped to a norm of 1.0 (Pascanu et al.
    2013, arXiv:1211.5063; the figure: Brown et al. 2020, arXiv:2005.14165, appendix B).
    """

    learning_rate: float = Field(gt=0, description="at its peak, AdamW with warm-up and cosine")
    epochs: int = Field(2, ge=1, description="passes over the training split; the best by validation loss is kept")
    batch_size: int = Field(16, ge=1, description="examples in one optimiser step")
    weight_decay: float = Field(0.0, ge=0, description="on matrices only")
    schedule: Literal["cosine", "linear", "constant"] = Field("cosine", description="learning rate after warm-up")
    warmup: float = Field(0.1, ge=0, lt=1, description="share of the steps in which the learning rate rises")
    max_norm: float = Field(1.0, gt=0, description="gradients are clipped to this global L2 norm")
    patience: int = Field(0, ge=0, description="evaluations without a better one before an early stop; 0: none")
    evaluate_every: int = Field(0, ge=0, description="steps between evaluations besides each epoch's; 0: none")
    best_by: Literal["loss", "metric"] = Field("loss", description="what the weights kept are best by, on validation")
    checkpointing: bool = Field(False, description="compute activations again on the way back: less memory, slower")
    row_tokens: int = Field(768, ge=1, description="tokens of one pass; a batch of more is accumulated over several")
    watch_items: int = Field(16, ge=0, description="items a split on which the metric is watched; 0: losses only")

    needs: ClassVar[Needs] = Needs(task=frozenset({"train"}), model=frozenset({"train"}))
    changes_weights: ClassVar[bool] = True
    keeps_artifact: ClassVar[bool] = True
    random: ClassVar[bool] = True

    def attach(self, model: Any) -> Any:
        """Return the model with what this method trains, and nothing else, requiring a gradient.

        Args:
            model: a `harness.models.local_model.LocalModel`, changed in place.
        """
        raise NotImplementedError

    def trains(self, shape: Architecture) -> Footprint:
        """Say what `attach` makes trainable, and adds; the loop's own figures are put in by `footprint`."""
        return shape.low_rank(8)  # not far off for most small parts on a frozen model

    def footprint(self, shape: Architecture) -> Footprint:
        """Say what is trained, and how the loop trains it."""
        return replace(
            self.trains(shape),
            epochs=self.epochs,
            batch=self.batch_size,
            row_tokens=self.row_tokens,
            checkpointing=self.checkpointing,
            watched=self.watch_items,
        )

    def adapt(self, system: System, task: TaskData, context: Context) -> System:
        """Attach what is trained, and train it."""
        from harness.training import supervised  # noqa: PLC0415 - torch comes with it, which a list of strategies can do without

        names = [field.name for field in fields(supervised.SupervisedSettings) if field.name != "packs"]
        settings = supervised.SupervisedSettings(**{name: getattr(self, name) for name in names})
        return supervised.fit(self.attach(system.model), system, task, settings, context)
