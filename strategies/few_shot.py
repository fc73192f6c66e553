"""Few-shot prompting: exemplars in the prompt (Brown et al. 2020)."""

import random
from collections.abc import Mapping, Sequence
from typing import ClassVar, Literal

from pydantic import Field

from harness.api import (
    Architecture,
    Choice,
    Context,
    Example,
    Exemplars,
    Footprint,
    Needs,
    Range,
    Step,
    System,
    TaskData,
)
from harness.retrieval.exemplars import FixedExemplars, NearestExemplars, shuffled, shuffled_by_label


class FewShot(Step):
    """Worked examples from the training split stand in the prompt: balanced over the labels, random, or similar."""

    k: int = Field(8, ge=1, description="worked examples in the prompt")
    choose: Literal["balanced", "random", "similar"] = Field(
        "balanced",
        description="as many of each label in random order, any, or those nearest the question, nearest last",
    )
    embedder: str = Field("minilm", description="finds the similar ones: pinned name, folder or hub id")

    needs: ClassVar[Needs] = Needs(task=frozenset({"train"}))
    random: ClassVar[bool] = True
    # more exemplars are not always better (Zhao et al. 2021, arXiv:2102.09690)
    space: ClassVar[Mapping[str, Range | Choice]] = {"k": Choice((2, 4, 8, 16))}
    retired: ClassVar[Mapping[str, str]] = dict.fromkeys(
        ("calibrate", "calibration_items"), "every system that scores labels is calibrated alike, so leave it out."
    )
    paper: ClassVar[str] = "Brown et al. 2020, arXiv:2005.14165; similar: Liu et al. 2022, arXiv:2101.06804"

    def sources(self) -> tuple[str, ...]:
        """Name the embedding model, if exemplars are chosen by similarity."""
        return (self.embedder,) if self.choose == "similar" else ()

    def footprint(self, shape: Architecture) -> Footprint:
        """Put exemplars into each prompt."""
        del shape
        return Footprint(exemplars=self.k, shared_exemplars=self.choose != "similar")

    def adapt(self, system: System, task: TaskData, context: Context) -> System:
        """Choose the exemplars."""
        shuffle = shuffled if self.choose == "random" else shuffled_by_label
        order = shuffle(task.train, context.seed)
        system_exemplars = (
            self._choose_nearest(task.train, context)
            if self.choose == "similar"
            else self._choose_fixed(order, context)
        )
        return system.replace(exemplars=system_exemplars)

    def _choose_fixed(self, order: Sequence[Example], context: Context) -> Exemplars:
        exemplars = list(order[: self.k])
        random.Random(context.seed).shuffle(exemplars)
        return FixedExemplars(tuple(exemplars), tuple(order[self.k :]))

    def _choose_nearest(self, examples: Sequence[Example], context: Context) -> Exemplars:
        from harness.retrieval import dense

        embedder = dense.open_embedder(context.locate(self.embedder))
        inputs = [example.query.input for example in examples]
        context.count_tokens(dense.count_tokens(embedder, inputs))
        return NearestExemplars(embedder, tuple(examples), dense.embed(embedder, inputs, "document"), self.k)
