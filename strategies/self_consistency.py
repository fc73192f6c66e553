"""Let the model think several times, and give the answer that it comes to most often (Wang et al. 2023)."""

from typing import ClassVar

from pydantic import Field

from harness.api import Architecture, Context, Footprint, Needs, Reasoning, Sampling, Step, System, TaskData


class SelfConsistency(Step):
    """Several reasonings are drawn for each query, each leads to an answer, and the majority wins.

    Answers that are equal after normalising count as one; ties go to the likelier answer, or the first. Costs `n` times
    as much as `chain_of_thought`.
    """

    n: int = Field(5, ge=1, description="reasonings for each query")
    temperature: float = Field(0.7, gt=0, description="of the reasonings: the logits are divided by it")
    top_p: float = Field(1.0, gt=0, le=1, description="reasonings are drawn from the likeliest tokens with this share")
    trigger: str = Field("Let's think step by step.", description="what a reasoning begins with")
    max_reasoning_tokens: int = Field(64, ge=1, description="where a reasoning stops at the latest")

    needs: ClassVar[Needs] = Needs(model=frozenset({"generate"}))
    random: ClassVar[bool] = True
    paper: ClassVar[str] = "Wang et al. 2023, arXiv:2203.11171 (temperature 0.7: section 3.1)"

    def footprint(self, shape: Architecture) -> Footprint:
        """Write several reasonings before each answer."""
        del shape
        return Footprint(reasoning_tokens=self.max_reasoning_tokens, samples=self.n)

    def adapt(self, system: System, task: TaskData, context: Context) -> System:
        """Have the system think `n` times before it answers."""
        del task
        sampling = Sampling(self.temperature, self.top_p, context.seed)
        reasoning = Reasoning(self.trigger, self.max_reasoning_tokens, self.n, sampling)
        return system.replace(reasoning=reasoning)
