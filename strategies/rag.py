"""Retrieval-augmented generation: find passages for the question and put them into the prompt (Lewis et al. 2020)."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, ClassVar, Literal

from pydantic import Field, model_validator

from harness.api import Architecture, Choice, Context, Footprint, Needs, Passage, Range, Step, System, TaskData

PARTS_VERSION = 1
"""Raised when long passages are embedded in other parts, so that no earlier index is searched for them."""


class Rag(Step):
    """Passages that are found for the question stand in the prompt: only such as the question's user may read."""

    k: int = Field(3, ge=1, description="passages in the prompt, best first")
    retriever: Literal["dense", "bm25", "hybrid"] = Field(
        "dense", description="by meaning (embedder and FAISS), by words, or both fused by reciprocal rank"
    )
    index: Literal["flat", "ivf", "hnsw"] = Field("flat", description="of dense retrieval: exact, lists or a graph")
    breadth: int | None = Field(
        None, ge=1, description="lists that ivf looks into (none: their number's root), or efSearch of hnsw (none: 64)"
    )
    rerank: str | None = Field(
        None, description="likelihood: by the model's own log p(question | passage); or a cross-encoder's name"
    )
    candidates: int = Field(10, ge=1, description="passages that are reranked, at least k")
    guidance: str = Field("Take it from the text.", description="added to the instruction")
    distractors: int = Field(0, ge=0, description="in prompts trained on: wrong passages beside the right; 0: as asked")
    evidence_share: float = Field(0.8, ge=0, le=1, description="with distractors: how often the right one is there")
    passage_words: int | None = Field(
        None, ge=20, le=2000, description="about how long passages are; none: as the suite cuts them"
    )
    overlap: float = Field(0, ge=0, lt=1, description="with passage_words: share repeated from the passage before")
    embedder: str = Field("minilm", description="of dense retrieval: pinned name, folder or hub id")

    needs: ClassVar[Needs] = Needs(task=frozenset({"corpus"}))
    phase: ClassVar = "index"
    keeps_artifact: ClassVar[bool] = True
    # more passages find more, and distract more (Liu et al. 2024, arXiv:2307.03172, section 5)
    space: ClassVar[Mapping[str, Range | Choice]] = {
        "k": Range(1, 6),
        "retriever": Choice(("dense", "bm25", "hybrid")),
        "passage_words": Choice((None, 60, 120, 240)),
        "overlap": Choice((0.0, 0.25)),
    }
    paper: ClassVar[str] = (
        "Lewis et al. 2020, arXiv:2005.11401; dense: Karpukhin et al. 2020, arXiv:2004.04906; BM25: Robertson & "
        "Zaragoza 2009; fusion: Cormack et al. 2009; rerank=likelihood: Sachan et al. 2022, arXiv:2204.07496; "
        "distractors: Zhang et al. 2024, arXiv:2403.10131"
    )

    @model_validator(mode="after")
    def _reject_unused(self) -> "Rag":
        """Refuse settings without effect: they would be two names for one system."""
        if self.retriever == "bm25" and (self.index != "flat" or self.breadth):
            raise ValueError("retriever=bm25 has no dense index: leave out index and breadth")
        if self.breadth and self.index == "flat":
            raise ValueError("index=flat looks at every passage: leave out breadth")
        if self.evidence_share != type(self).model_fields["evidence_share"].default and not self.distractors:
            raise ValueError("evidence_share is about distractors: give their number, or leave it out")
        if self.overlap and not self.passage_words:
            raise ValueError("overlap is a share of passage_words: give both, or leave overlap out")
        return self

    def requirements(self) -> Needs:
        """Need a model that scores texts, to rerank by likelihood."""
        return replace(self.needs, model=frozenset({"score_choices"})) if self.rerank == "likelihood" else self.needs

    def objection(self, task: TaskData, later: Sequence[Step]) -> str | None:
        """Object to distractors that no later step would train on."""
        del task
        if not self.distractors or any(step.changes_weights and not step.learns_corpus for step in later):
            return None
        return "no later step trains on prompts with distractors: leave them out, or let lora follow"

    def sources(self) -> tuple[str, ...]:
        """Name the embedding model and the cross-encoder, if used."""
        embedder = () if self.retriever == "bm25" else (self.embedder,)
        return (*embedder, self.rerank) if self.rerank not in (None, "likelihood") else embedder

    def footprint(self, shape: Architecture) -> Footprint:
        """Put passages into each prompt; a likelihood reranker reads its candidates first."""
        del shape
        return Footprint(
            passages=self.k,
            passage_words=round((self.passage_words or 0) * (1 + self.overlap)),
            training_passages=self.distractors and self.distractors + 1,
            embeds_corpus=self.retriever != "bm25",
            reranked_passages=self.candidates if self.rerank == "likelihood" else 0,
        )

    def adapt(self, system: System, task: TaskData, context: Context) -> System:
        """Index the whole corpus."""
        from harness.retrieval.searchers import build_searchers

        searchers = build_searchers(self.retriever, self._passages(task), self.embedder, self.index, context)
        return self._add_retriever(system, task, context, searchers)

    def depends_on(self, chain_key: str, task: TaskData) -> str:
        """An index depends on the corpus and its cut, the embedder and its kind, not on model, earlier steps or `k`."""
        from harness.retrieval import bm25

        del chain_key
        terms = "" if self.retriever == "dense" else f" {bm25.TERMS_VERSION}"
        cut = f" {self.passage_words} {self.overlap}" if self.passage_words else ""
        parts = "" if self.retriever == "bm25" else f" {PARTS_VERSION}"
        return f"{task.corpus_hash} {self.retriever} {self.index}{terms}{cut}{parts}"

    def save(self, system: System, folder: Path) -> None:
        """Write the indexes."""
        from harness.retrieval import ranking

        assert isinstance(system.retriever, ranking.PassageRetriever)  # noqa: S101 - this step made it
        for searcher in system.retriever.searchers:
            searcher.save(folder)

    def load(self, system: System, task: TaskData, context: Context, folder: Path) -> System:
        """Read the indexes."""
        from harness.retrieval.searchers import load_searchers

        searchers = load_searchers(self.retriever, self.embedder, folder, context)
        return self._add_retriever(system, task, context, searchers)

    def _passages(self, task: TaskData) -> tuple[Passage, ...]:
        if not self.passage_words:
            return task.corpus
        from harness.retrieval.recut import recut

        return recut(task.corpus, self.passage_words, self.overlap)

    def _add_retriever(self, system: System, task: TaskData, context: Context, searchers: Sequence[Any]) -> System:
        from harness.retrieval import ranking, rerank
        from harness.retrieval.distractors import Distractors

        tuned_searchers = [
            replace(searcher, breadth=self.breadth) if self.breadth and hasattr(searcher, "breadth") else searcher
            for searcher in searchers
        ]
        wrong = Distractors(self.distractors, self.evidence_share, context.seed) if self.distractors else None
        reranker = rerank.open_reranker(self.rerank, system.model, context.locate)
        retriever = ranking.PassageRetriever(
            tuple(tuned_searchers), self._passages(task), self.k, reranker, self.candidates, wrong
        )
        instruction = " ".join(filter(None, [system.task.instruction, self.guidance]))
        return system.replace(task=replace(system.task, instruction=instruction), retriever=retriever)
