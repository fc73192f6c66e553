"""Retrieval-augmented generation: find passages for the question and put them into the prompt (Lewis et al. 2020)."""

from dataclasses import replace
from pathlib import Path
from typing import ClassVar

from pydantic import Field

from harness import models
from harness.api import Context, Needs, Retriever, Step, System, TaskData


class Rag(Step):
    """Passages that a sentence-transformers model and FAISS find for the question stand in the prompt."""

    k: int = Field(3, ge=1, description="passages in the prompt, best first")
    guidance: str = Field("Take it from the text.", description="added to the instruction")
    embedder: str = Field("minilm", description="pinned name, folder or hub id of the embedding model")

    needs: ClassVar[Needs] = Needs(task=frozenset({"corpus"}))
    phase: ClassVar = "index"
    keeps: ClassVar[bool] = True
    paper: ClassVar[str] = (
        "Lewis et al. 2020, arXiv:2005.11401; dense retrieval: Karpukhin et al. 2020, arXiv:2004.04906"
    )

    def sources(self) -> tuple[str, ...]:
        """Name the embedding model."""
        return (self.embedder,)

    def adapt(self, system: System, task: TaskData, context: Context) -> System:
        """Embed and index the whole corpus."""
        embedder = models.retrieval.open_embedder(context.locate(self.embedder))
        context.count(models.retrieval.tokens_in(embedder, [models.retrieval.passage_line(p) for p in task.corpus]))
        return self._with(system, models.retrieval.build(embedder, task.corpus, self.k, context.report))

    def depends_on(self, chain_key: str, task: TaskData) -> str:
        """An index depends on the corpus and the embedder: on no model, no step before, and not on `k`."""
        del chain_key
        return task.corpus_hash

    def save(self, system: System, folder: Path) -> None:
        """Write the index."""
        assert isinstance(system.retriever, models.retrieval.DenseRetriever)  # noqa: S101 - this step made it
        system.retriever.save(folder)

    def load(self, system: System, task: TaskData, context: Context, folder: Path) -> System:
        """Read the index."""
        embedder = models.retrieval.open_embedder(context.locate(self.embedder))
        return self._with(system, models.retrieval.load(embedder, task.corpus, self.k, folder))

    def _with(self, system: System, retriever: Retriever) -> System:
        told = " ".join(filter(None, [system.task.instruction, self.guidance]))
        return system.having(task=replace(system.task, instruction=told), retriever=retriever)
