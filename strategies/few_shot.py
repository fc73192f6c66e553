"""Few-shot prompting: exemplars in the prompt, and batch calibration (Brown et al. 2020, Zhou et al. 2024)."""

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
    ScoresChoices,
    Step,
    System,
    TaskData,
)
from harness.prompts.label_prior import batch_prior
from harness.retrieval.exemplars import FixedExemplars, NearestExemplars, shuffled, shuffled_by_label


class FewShot(Step):
    """Worked examples from the training split stand in the prompt: balanced over the labels, random, or similar.

    A small model then often answers every question with the same label. So if the labels are fixed, each label's mean
    log-probability over some training inputs is subtracted from its score (batch calibration).
    """

    k: int = Field(8, ge=1, description="worked examples in the prompt")
    choose: Literal["balanced", "random", "similar"] = Field(
        "balanced",
        description="as many of each label in random order, any, or those nearest the question, nearest last",
    )
    calibrate: bool = Field(True, description="take off the mean log-probability of each label")
    calibration_items: int = Field(32, ge=1, description="training inputs that the mean is taken over")
    embedder: str = Field("minilm", description="finds the similar ones: pinned name, folder or hub id")

    needs: ClassVar[Needs] = Needs(task=frozenset({"train"}))
    random: ClassVar[bool] = True
    # more exemplars are not always better (Zhao et al. 2021, arXiv:2102.09690)
    space: ClassVar[Mapping[str, Range | Choice]] = {"k": Choice((2, 4, 8, 16))}
    paper: ClassVar[str] = (
        "Brown et al. 2020, arXiv:2005.14165; similar: Liu et al. 2022, arXiv:2101.06804; calibration: Zhou et al."
        " 2024, arXiv:2309.17249"
    )

    def sources(self) -> tuple[str, ...]:
        """Name the embedding model, if exemplars are chosen by similarity."""
        return (self.embedder,) if self.choose == "similar" else ()

    def footprint(self, shape: Architecture) -> Footprint:
        """Put exemplars into each prompt; ask some prompts to calibrate."""
        del shape
        calibration_prompts = self.calibration_items if self.calibrate else 0
        return Footprint(
            exemplars=self.k,
            shared_exemplars=self.choose != "similar",
            extra_prompts=calibration_prompts,
            fixed_labels_only=True,
        )

    def adapt(self, system: System, task: TaskData, context: Context) -> System:
        """Choose the exemplars; measure the labels' mean log-probabilities if the labels are fixed."""
        shuffle = shuffled if self.choose == "random" else shuffled_by_label
        order = shuffle(task.train, context.seed)
        system_exemplars = (
            self._choose_nearest(task.train, context)
            if self.choose == "similar"
            else self._choose_fixed(order, context)
        )
        system = system.replace(exemplars=system_exemplars, prior=())
        if self.calibrate and task.task.choices and isinstance(system.model, ScoresChoices):
            calibration_examples = order[self.k :][: self.calibration_items] or order
            return system.replace(prior=mean_log_probabilities(system, system.model, calibration_examples, context))
        return system

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


def mean_log_probabilities(
    system: System, model: ScoresChoices, examples: Sequence[Example], context: Context
) -> tuple[float, ...]:
    """Return each label's log-probability among the labels, nats, averaged over the examples' inputs."""
    prompts = system.prompts([e.query for e in examples])
    answers = model.score_choices(prompts, [system.task.choices] * len(examples), progress=context.progress)
    context.count_tokens(sum(answer.prompt_tokens + answer.output_tokens for answer in answers))
    return batch_prior([answer.choice_scores for answer in answers])
