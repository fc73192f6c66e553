"""The whole corpus in the prompt, read once for all questions: cache-augmented generation (Chan et al. 2024)."""

from collections.abc import Sequence
from dataclasses import replace
from typing import ClassVar

from pydantic import Field

from harness.api import Architecture, Context, Footprint, Needs, Step, System, TaskData
from harness.errors import HarnessError


class LongContext(Step):
    """Every passage stands in each prompt, in the order of the corpus and before the question: nothing is retrieved.

    What all prompts begin with is read once and kept (its keys and values), for batches and for single requests.
    """

    guidance: str = Field("Take it from the text.", description="added to the instruction")

    needs: ClassVar[Needs] = Needs(task=frozenset({"corpus"}), whole_corpus=True)
    paper: ClassVar[str] = "Chan et al. 2024, arXiv:2412.15605"

    def objection(self, task: TaskData, later: Sequence[Step]) -> str | None:
        """Object to passages that not everybody may read: each group of readers would need a prefix of its own."""
        del later
        count = sum(bool(passage.readers) for passage in task.corpus)
        if not count:
            return None
        return (
            f"one prefix serves all questions, and {count} of {len(task.corpus)} passages of task {task.task.name!r} "
            "are not for everybody: rag shows each user only what that user may read"
        )

    def footprint(self, shape: Architecture) -> Footprint:
        """Put the whole corpus in front of each question."""
        del shape
        return Footprint(whole_corpus=True)

    def adapt(self, system: System, task: TaskData, context: Context) -> System:
        """Put the corpus into the prompts; the trial then reads the prefix.

        Raises:
            HarnessError: the corpus does not fit the model's window with a training or validation question.
        """
        from harness.retrieval.whole_corpus import WholeCorpus, needed_window

        del context
        instruction = " ".join(filter(None, [system.task.instruction, self.guidance]))
        long_system = system.replace(
            task=replace(system.task, instruction=instruction), retriever=WholeCorpus(task.corpus), keeps_prefix=True
        )
        window, tokenizer = system.model.info.context_tokens, getattr(system.model, "tokenizer", None)
        if window and tokenizer:
            queries = [example.query for example in (*task.train, *task.validation)]
            needed = needed_window(long_system.task, task.corpus, queries, tokenizer)
            if needed > window:
                raise HarnessError(f"long_context needs a window of {needed:,} tokens; this model's has {window:,}.")
        return long_system
