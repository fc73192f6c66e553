"""Show worked examples in the prompt, and take off the bias that they bring (Brown et al. 2020, Zhou et al. 2024)."""

import random
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from math import exp, log
from typing import ClassVar

from pydantic import Field

from harness.api import Context, Example, Needs, Query, ScoresChoices, Step, System, TaskData


class FewShot(Step):
    """Worked examples from the training split stand in the prompt, as many of each label, in random order.

    A small model then often answers with one label whatever is asked. So for fixed labels the mean log-probability
    that each label gets over some training inputs is measured, and taken off its score (batch calibration).
    """

    k: int = Field(8, ge=1, description="worked examples in the prompt")
    calibrate: bool = Field(True, description="take off the mean log-probability of each label")
    calibration_items: int = Field(32, ge=1, description="training inputs that the mean is taken over")

    needs: ClassVar[Needs] = Needs(task=frozenset({"train"}))
    random: ClassVar[bool] = True
    paper: ClassVar[str] = "Brown et al. 2020, arXiv:2005.14165; calibration: Zhou et al. 2024, arXiv:2309.17249"

    def adapt(self, system: System, task: TaskData, context: Context) -> System:
        """Choose the exemplars; measure the labels' mean log-probabilities where the labels are fixed."""
        order = shuffled_by_label(task.train, context.seed)
        shown = order[: self.k]
        random.Random(context.seed).shuffle(shown)
        system = system.having(exemplars=Fixed(tuple(shown), spare=order[self.k] if len(order) > self.k else None))
        if self.calibrate and task.task.choices and isinstance(system.model, ScoresChoices):
            inputs = order[self.k :][: self.calibration_items] or shown
            return system.having(prior=mean_log_probabilities(system, inputs, context))
        return system


@dataclass(frozen=True)
class Fixed:
    """The same exemplars for every query; a query that is one of them gets `spare` in its place."""

    examples: tuple[Example, ...]
    spare: Example | None

    def pick(self, query: Query) -> tuple[Example, ...]:
        """Return the exemplars, never the query itself."""
        if all(example.query.id != query.id for example in self.examples):
            return self.examples
        replaced = [self.spare if example.query.id == query.id else example for example in self.examples]
        return tuple(example for example in replaced if example is not None)


def shuffled_by_label(examples: Sequence[Example], seed: int) -> list[Example]:
    """Shuffle, then take one of each label in turn; without fixed labels, just shuffle."""
    order = list(examples)
    random.Random(seed).shuffle(order)
    by_label: dict[str, list[Example]] = defaultdict(list)
    for example in order:
        by_label[example.references[0]].append(example)
    if len(by_label) > len(order) // 2:  # answers, not labels
        return order
    turns = [(place, example) for group in by_label.values() for place, example in enumerate(group)]
    return [example for _, example in sorted(turns, key=lambda turn: turn[0])]


def mean_log_probabilities(system: System, examples: Sequence[Example], context: Context) -> tuple[float, ...]:
    """Return each label's log-probability among the labels, averaged over the examples' inputs, nats."""
    labels = system.task.choices
    answers = system.model.score_choices(
        system.prompts([e.query for e in examples]), [labels] * len(examples), report=context.report
    )
    context.count(sum(answer.prompt_tokens + answer.output_tokens for answer in answers))
    totals = [0.0] * len(labels)
    for answer in answers:
        top = max(answer.choice_scores)
        whole = top + log(sum(exp(score - top) for score in answer.choice_scores))
        totals = [total + score - whole for total, score in zip(totals, answer.choice_scores, strict=True)]
    return tuple(total / len(answers) for total in totals)
