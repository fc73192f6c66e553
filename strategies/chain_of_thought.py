"""Let the model think aloud before it answers (Wei et al. 2022, Kojima et al. 2022)."""

from typing import ClassVar

from pydantic import Field

from harness.api import Architecture, Context, Footprint, Needs, Reasoning, Step, System, TaskData


class ChainOfThought(Step):
    """One reasoning is generated greedily behind a sentence that asks for it, and the answer is read behind that.

    Answers are read as without reasoning: choices are scored, short answers generated.
    """

    trigger: str = Field("Let's think step by step.", description="what the reasoning begins with")
    max_reasoning_tokens: int = Field(64, ge=1, description="where the reasoning stops at the latest")

    needs: ClassVar[Needs] = Needs(model=frozenset({"generate"}))
    paper: ClassVar[str] = "Wei et al. 2022, arXiv:2201.11903; without exemplars: Kojima et al. 2022, arXiv:2205.11916"

    def footprint(self, shape: Architecture) -> Footprint:
        """Write a reasoning before each answer."""
        del shape
        return Footprint(reasoning_tokens=self.max_reasoning_tokens)

    def adapt(self, system: System, task: TaskData, context: Context) -> System:
        """Have the system think before it answers."""
        del task, context
        return system.replace(reasoning=Reasoning(self.trigger, self.max_reasoning_tokens))
