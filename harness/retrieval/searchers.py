"""Searchers of a corpus, by the name of a retriever: built anew, or read from a folder."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from harness.api import Context, Passage
from harness.retrieval import bm25
from harness.retrieval.ranking import Searcher

if TYPE_CHECKING:
    from harness.retrieval.dense import IndexKind

RetrieverName = Literal["dense", "bm25", "hybrid"]


def build_searchers(
    retriever: RetrieverName, passages: Sequence[Passage], embedder: str, index: IndexKind, context: Context
) -> list[Searcher]:
    """Index passages; the embedder reads them unless they are searched by words alone."""
    searchers: list[Searcher] = []
    if retriever != "bm25":
        from harness.retrieval import dense  # noqa: PLC0415 - torch, FAISS and sentence-transformers come with it

        model = dense.open_embedder(context.locate(embedder))
        context.count_tokens(dense.count_tokens(model, dense.part_lines(model, passages)[0]))
        searchers.append(dense.build(model, passages, index, context.progress))
    if retriever != "dense":
        searchers.append(bm25.build(passages))
    return searchers


def load_searchers(retriever: RetrieverName, embedder: str, folder: Path, context: Context) -> list[Searcher]:
    """Read the indexes that the searchers' own `save` wrote."""
    searchers: list[Searcher] = []
    if retriever != "bm25":
        from harness.retrieval import dense  # noqa: PLC0415 - torch, FAISS and sentence-transformers come with it

        searchers.append(dense.load(dense.open_embedder(context.locate(embedder)), folder))
    if retriever != "dense":
        searchers.append(bm25.load(folder))
    return searchers
