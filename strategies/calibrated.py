"""Take off what the prompt makes the model say whatever is asked (contextual calibration, Zhao et al. 2021)."""

from typing import ClassVar

from pydantic import Field

from harness.api import Architecture, Context, Footprint, Needs, Query, Step, System, TaskData
from harness.prompts.label_prior import contextual_prior


class Calibrated(Step):
    """The system as it is gets asked questions that say nothing, and what it then favours is taken off.

    Labels are divided by their mean probability behind such questions. Where each query brings its own choices, a
    choice's log-likelihood behind such questions is taken off instead, which is measured when it is asked.
    """

    content_free: list[str] = Field(["N/A", "[MASK]", ""], min_length=1, description="questions that say nothing")

    needs: ClassVar[Needs] = Needs(task=frozenset({"choices"}), model=frozenset({"score_choices"}))
    paper: ClassVar[str] = (
        "Zhao et al. 2021, arXiv:2102.09690; where each query brings its choices: Holtzman et al. 2021,"
        " arXiv:2104.08315"
    )

    def footprint(self, shape: Architecture) -> Footprint:
        """Ask what says nothing."""
        del shape
        return Footprint(asked=len(self.content_free))

    def adapt(self, system: System, task: TaskData, context: Context) -> System:
        """Ask what says nothing, and keep what the labels get."""
        system = system.replace(prior=(), content_free=())
        if not task.task.choices:
            return system.replace(content_free=tuple(self.content_free))
        queries = [Query(f"content-free/{place}", text) for place, text in enumerate(self.content_free)]
        from harness.predict.answering import ask

        found = ask(system, queries, context.progress)
        context.count_tokens(sum(one.raw.prompt_tokens + one.raw.output_tokens for one in found))
        return system.replace(prior=contextual_prior([one.raw.choice_scores for one in found]))
