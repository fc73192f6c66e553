"""Contextual calibration: subtract the model's bias under the prompt from the choice scores (Zhao et al. 2021)."""

from typing import ClassVar

from pydantic import Field

from harness.api import Architecture, Context, Footprint, Needs, Query, Step, System, TaskData
from harness.prompts.label_prior import contextual_prior


class Calibrated(Step):
    """The system as it is gets asked questions that say nothing, and what it then favours is taken off.

    Labels are divided by their mean probability behind such content-free questions. If each query brings its own
    choices, a choice's log-likelihood behind them is subtracted instead, measured at query time.
    """

    content_free: list[str] = Field(["N/A", "[MASK]", ""], min_length=1, description="questions that say nothing")

    needs: ClassVar[Needs] = Needs(task=frozenset({"choices"}), model=frozenset({"score_choices"}))
    paper: ClassVar[str] = (
        "Zhao et al. 2021, arXiv:2102.09690; where each query brings its choices: Holtzman et al. 2021,"
        " arXiv:2104.08315"
    )

    def footprint(self, shape: Architecture) -> Footprint:
        """Ask the content-free questions."""
        del shape
        return Footprint(extra_prompts=len(self.content_free))

    def adapt(self, system: System, task: TaskData, context: Context) -> System:
        """Ask the content-free questions, and set the labels' mean probabilities as the prior."""
        system = system.replace(prior=(), content_free=())
        if not task.task.choices:
            return system.replace(content_free=tuple(self.content_free))
        queries = [Query(f"content-free/{index}", text) for index, text in enumerate(self.content_free)]
        from harness.predict.answering import predict

        predictions = predict(system, queries, context.progress)
        answers = [prediction.raw for prediction in predictions]
        context.count_tokens(sum(answer.prompt_tokens + answer.output_tokens for answer in answers))
        return system.replace(prior=contextual_prior([answer.choice_scores for answer in answers]))
