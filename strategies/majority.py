"""Always give the commonest answer of the training split: what any other system must beat."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from math import log
from typing import ClassVar

from harness.api import (
    Answer,
    Context,
    Example,
    ModelInfo,
    Needs,
    ProgressCallback,
    Prompt,
    Sampling,
    Step,
    System,
    TaskData,
)

_OTHER = -1e6
"""Score of a choice that is not given, nats: far below, whatever the choice's length."""


class Majority(Step):
    """The same answer to every question, without reading it: the label that most training items have.

    Of sets of labels it is the commonest set. Where every item brings its own choices, the answer is the text, or else
    the position, that is right most often.
    """

    needs: ClassVar[Needs] = Needs(task=frozenset({"train", "choices"}))
    asks_model: ClassVar[bool] = False
    paper: ClassVar[str] = "ZeroR; Witten, Frank and Hall 2011, Data Mining, 3rd edition, section 11.4"

    def adapt(self, system: System, task: TaskData, context: Context) -> System:
        """Count the training answers, and put them in the place of the model."""
        del context
        labels = system.task.choices
        answers = [example.references[0] for example in task.train]
        counts = Counter(answers)
        if labels and system.task.kind == "classification":
            shares = tuple(log((counts[label] + 1) / (len(answers) + len(labels))) for label in labels)
            text = max(labels, key=lambda label: counts[label])
            constant = ConstantModel(system.model.info, text, 0, shares)
        elif labels:
            constant = ConstantModel(system.model.info, counts.most_common(1)[0][0], 0)
        else:
            constant = ConstantModel(system.model.info, counts.most_common(1)[0][0], _position(task.train))
        return system.replace(model=constant, exemplars=None, retriever=None, reasoning=None)


@dataclass(frozen=True)
class ConstantModel:
    """Gives one answer.

    Attributes:
        info: of the model that is not asked.
        text: the answer.
        position: of the answer where `text` is no choice.
        label_scores: logarithm of each label's smoothed share; empty where every item brings its own choices.
    """

    info: ModelInfo
    text: str
    position: int
    label_scores: tuple[float, ...] = ()

    def generate(
        self,
        prompts: Sequence[Prompt],
        *,
        max_new_tokens: int,
        one_line: bool,
        sampling: Sampling | None = None,
        progress: ProgressCallback | None = None,
    ) -> list[Answer]:
        """Write the answer."""
        del max_new_tokens, one_line, sampling, progress
        return [Answer("", self.text) for _ in prompts]

    def score_choices(
        self, prompts: Sequence[Prompt], choices: Sequence[Sequence[str]], *, progress: ProgressCallback | None = None
    ) -> list[Answer]:
        """Score the answer highest."""
        del progress
        return [Answer("", "", self._scores(options)) for _, options in zip(prompts, choices, strict=True)]

    def _scores(self, options: Sequence[str]) -> tuple[float, ...]:
        if self.label_scores:
            return self.label_scores
        chosen = options.index(self.text) if self.text in options else min(self.position, len(options) - 1)
        return tuple(0.0 if index == chosen else _OTHER for index in range(len(options)))


def _position(train: Sequence[Example]) -> int:
    """Return the position of the right choice that is commonest; of equals, the first."""
    counts = Counter(example.query.choices.index(example.references[0]) for example in train)
    return min(counts, key=lambda position: (-counts[position], position))
