"""Continued pretraining on the task's documents: next-token loss over the corpus (Gururangan et al. 2020)."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, ClassVar, Literal

from pydantic import Field

from harness.api import (
    Architecture,
    Choice,
    Context,
    CorpusFigures,
    Footprint,
    Needs,
    Passage,
    Range,
    Step,
    System,
    TaskData,
)
from harness.training.settings import SupervisedSettings
from harness.training.tuned_step import TunedStep

RATES = {"full": 2e-4, "lora": 1e-3}
"""Learning rate of each method where none is given."""


class Pretrain(TunedStep):
    """Train the model to write the passages of the corpus, before anything is asked about them.

    What everybody will ask the model, everybody may read: passages with readers are left out unless `restricted`.
    """

    epochs: int = Field(12, ge=1, description="passes over the corpus, at most")
    method: Literal["full", "lora"] = Field("full", description="every weight, or a low-rank update of all layers")
    learning_rate: float | None = Field(  # pyright: ignore[reportIncompatibleVariableOverride, reportGeneralTypeIssues] - none: the method's
        None, gt=0, description="at its peak; none: 2e-4 for full, 1e-3 for lora"
    )
    rank: int = Field(32, ge=1, description="of lora: columns of the update matrices; alpha is twice as much")
    watch_items: int = Field(0, ge=0, description="items a split on which the metric is watched; 0: losses only")
    restricted: bool = Field(False, description="learn passages too that not everybody may read")

    needs: ClassVar[Needs] = Needs(task=frozenset({"corpus"}), model=frozenset({"train"}))
    learns_corpus: ClassVar[bool] = True
    space: ClassVar[Mapping[str, Range | Choice]] = {"epochs": Choice((6, 12, 24))}
    paper: ClassVar[str] = (
        "Gururangan et al. 2020, arXiv:2004.10964; against retrieval: Ovadia et al. 2024, arXiv:2312.05934"
    )

    def objection(self, task: TaskData, later: Sequence[Step]) -> str | None:
        """Object to a corpus that has nothing for everybody to read."""
        del later
        if self._passages(task)[0]:
            return None
        return f"no passage of task {task.task.name!r} is for everybody to read: 'restricted=true' learns all"

    def trained_footprint(self, shape: Architecture) -> Footprint:
        """Train everything, or the update of each matrix."""
        trained = shape.all_weights() if self.method == "full" else shape.low_rank(self.rank)
        return replace(trained, objective="corpus")

    def attach(self, model: Any) -> Any:
        """Make every weight trainable, or attach the update."""
        from harness.training import adapters

        if self.method == "full":
            return adapters.unfreeze(model)
        return adapters.attach_low_rank(model, rank=self.rank, alpha=2.0 * self.rank, dropout=0.0, targets="all-linear")

    def adapt(self, system: System, task: TaskData, context: Context) -> System:
        """Attach what the method trains, and train it on the passages and on the paraphrases of an earlier step."""
        from harness.training import corpus_samples

        settings = {name: getattr(self, name) for name in SupervisedSettings.model_fields}
        settings["learning_rate"] = self.learning_rate or RATES[self.method]
        tuned = system.replace(model=self.attach(system.model))
        passages, _ = self._passages(task, paraphrased=True)
        corpus_samples.fit_corpus(tuned, task, passages, SupervisedSettings(**settings), context)
        return tuned

    def measure_corpus(self, system: System, task: TaskData, context: Context) -> CorpusFigures:
        """Measure bits a byte and cloze recall on a sample of the passages that are learned, paraphrases left out."""
        from harness.models.local_model import require_local
        from harness.training import corpus_recall

        passages, restricted = self._passages(task)
        learned, _ = self._passages(task, paraphrased=True)
        figures = corpus_recall.measure(require_local(system.model), passages, self.row_tokens, context)
        return replace(figures, restricted_passages=restricted, paraphrases=len(learned) - len(passages))

    def _passages(self, task: TaskData, *, paraphrased: bool = False) -> tuple[list[Passage], int]:
        """Return the passages to learn, and how many are left out for their readers."""
        passages = corpus_of(task, paraphrased=paraphrased)
        learned = [passage for passage in passages if self.restricted or not passage.readers]
        return learned, len(passages) - len(learned)


def corpus_of(task: TaskData, *, paraphrased: bool = True) -> list[Passage]:
    """Return the passages of all tasks that are learned, each text once: for everybody where any copy of it is.

    Args:
        task: the material.
        paraphrased: with what an earlier step wrote in other words.
    """
    parts = task.parts or (task,)
    passages = [passage for part in parts for passage in (*part.corpus, *(part.paraphrases if paraphrased else ()))]
    passages.sort(key=lambda passage: not passage.readers)
    return list({(passage.title, passage.text): passage for passage in passages}.values())
