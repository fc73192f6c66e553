"""Dense retrieval: passages as vectors of a sentence-transformers model, found through FAISS."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import faiss
import numpy as np
import torch
from numpy.typing import NDArray
from safetensors import SafetensorError
from sentence_transformers import SentenceTransformer

from harness.api import Passage, Query
from harness.errors import HarnessError
from harness.models.loading import native_dtype

BATCH = 32


@dataclass(frozen=True)
class DenseRetriever:
    """Finds the passages whose vectors have the largest cosine with the query's (Karpukhin et al. 2020).

    Attributes:
        index: FAISS, over unit vectors in the order of `passages`.
        k: how many passages a query gets.
    """

    embedder: SentenceTransformer
    index: Any
    passages: tuple[Passage, ...]
    k: int

    def find(self, queries: Sequence[Query]) -> list[tuple[Passage, ...]]:
        """Return the k nearest passages of each query, nearest first."""
        if not queries:
            return []
        vectors = embed(self.embedder, [query.input for query in queries])
        _, found = self.index.search(vectors, min(self.k, len(self.passages)))
        return [tuple(self.passages[i] for i in row if i >= 0) for row in found.tolist()]

    def save(self, folder: Path) -> None:
        """Write the index; the passages belong to the corpus."""
        faiss.write_index(self.index, str(folder / "index.faiss"))


def build(
    embedder: SentenceTransformer, passages: tuple[Passage, ...], k: int, report: Callable[[int, int], None]
) -> DenseRetriever:
    """Embed a corpus and index it exactly (inner product of unit vectors, no approximation)."""
    vectors = embed(embedder, [passage_line(p) for p in passages], report)
    index = faiss.IndexFlatIP(vectors.shape[1])
    index.add(vectors)
    return DenseRetriever(embedder, index, passages, k)


def load(embedder: SentenceTransformer, passages: tuple[Passage, ...], k: int, folder: Path) -> DenseRetriever:
    """Read an index that `save` wrote."""
    return DenseRetriever(embedder, faiss.read_index(str(folder / "index.faiss")), passages, k)


def open_embedder(folder: Path, dtype: torch.dtype | None = None) -> SentenceTransformer:
    """Load an embedding model from its folder, never its code.

    Args:
        folder: of a sentence-transformers model.
        dtype: None: bfloat16 where it is computed by hardware, which is twice as fast, else float32.

    Raises:
        HarnessError: it is none.
    """
    device = "cuda" if torch.cuda.is_available() else "cpu"
    try:
        kwargs = {"dtype": dtype or native_dtype(device)}
        return SentenceTransformer(str(folder), device=device, trust_remote_code=False, model_kwargs=kwargs)
    except (OSError, ValueError, KeyError, SafetensorError) as error:
        raise HarnessError(f"the embedder in {folder} cannot be loaded: {str(error).splitlines()[0]}") from error


def embed(
    embedder: SentenceTransformer, texts: Sequence[str], report: Callable[[int, int], None] | None = None
) -> NDArray[np.float32]:
    """Return unit vectors: float32 [texts, dimensions]. Texts of similar length share a batch."""
    order = sorted(range(len(texts)), key=lambda i: -len(texts[i]))
    vectors: list[NDArray[np.float32]] = []
    for start in range(0, len(order), BATCH):
        batch = [texts[i] for i in order[start : start + BATCH]]
        vectors.append(embedder.encode(batch, batch_size=BATCH, show_progress_bar=False))
        if report:
            report(min(start + BATCH, len(order)), len(order))
    together = np.empty((len(texts), vectors[0].shape[1]), dtype=np.float32)
    together[order] = np.concatenate(vectors)
    faiss.normalize_L2(together)  # in 32 bits: bfloat16 would leave lengths that differ by a third of a percent
    return together


def tokens_in(embedder: SentenceTransformer, texts: Sequence[str]) -> int:
    """Count the tokens that an embedder reads of the texts, cut at its window, padding excluded."""
    window = embedder.max_seq_length or 10**9
    return sum(min(len(ids), window) for ids in embedder.tokenizer(list(texts), truncation=False)["input_ids"])


def passage_line(passage: Passage) -> str:
    """Return the text under which a passage is found: its title helps."""
    return f"{passage.title}: {passage.text}" if passage.title else passage.text
