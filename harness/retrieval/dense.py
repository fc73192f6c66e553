"""Dense retrieval: passages as vectors of a sentence-transformers model, searched by FAISS."""

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

from harness.api import Passage
from harness.errors import HarnessError
from harness.models.loading import native_dtype
from harness.retrieval import faiss_index
from harness.retrieval.faiss_index import IndexKind
from harness.retrieval.ranking import AllowedMask, passage_line

BATCH = 32
_FILE = "index.faiss"


@dataclass(frozen=True)
class DenseSearcher:
    """Finds the passages whose vectors have the largest cosine with the query's (Karpukhin et al. 2020).

    Attributes:
        index: FAISS index over unit vectors in corpus order.
        breadth: of an approximate index (`faiss_index.search`); None: its default.
    """

    embedder: SentenceTransformer
    index: Any
    breadth: int | None = None

    def search(self, texts: Sequence[str], allowed: AllowedMask, depth: int) -> list[list[int]]:
        """Return the corpus positions of the `depth` nearest allowed passages for each text, nearest first."""
        if not texts:
            return []
        return faiss_index.search(self.index, embed(self.embedder, texts), allowed, depth, self.breadth)

    def save(self, folder: Path) -> None:
        """Write the index."""
        faiss.write_index(self.index, str(folder / _FILE))


def build(
    embedder: SentenceTransformer,
    passages: Sequence[Passage],
    kind: IndexKind = "flat",
    progress: Callable[[int, int], None] | None = None,
) -> DenseSearcher:
    """Embed a corpus and index it by inner product of unit vectors."""
    vectors = embed(embedder, [passage_line(p) for p in passages], progress)
    return DenseSearcher(embedder, faiss_index.build(vectors, kind))


def load(embedder: SentenceTransformer, folder: Path) -> DenseSearcher:
    """Load an index that `DenseSearcher.save` wrote."""
    return DenseSearcher(embedder, faiss.read_index(str(folder / _FILE)))


def open_embedder(folder: Path, dtype: torch.dtype | None = None) -> SentenceTransformer:
    """Load an embedding model from its folder, without its code.

    Args:
        folder: of a sentence-transformers model.
        dtype: None: `native_dtype`; bfloat16 is twice as fast as float32.

    Raises:
        HarnessError: the folder holds no such model.
    """
    device = "cuda" if torch.cuda.is_available() else "cpu"
    try:
        kwargs = {"dtype": dtype or native_dtype(device)}
        return SentenceTransformer(str(folder), device=device, trust_remote_code=False, model_kwargs=kwargs)
    except (OSError, ValueError, KeyError, SafetensorError) as error:
        raise HarnessError(f"the embedder in {folder} cannot be loaded: {str(error).splitlines()[0]}") from error


def embed(
    embedder: SentenceTransformer, texts: Sequence[str], progress: Callable[[int, int], None] | None = None
) -> NDArray[np.float32]:
    """Return unit vectors, float32 [texts, dimensions]; texts of similar length share a batch."""
    order = sorted(range(len(texts)), key=lambda i: -len(texts[i]))
    batches: list[NDArray[np.float32]] = []
    for start in range(0, len(order), BATCH):
        batch = [texts[i] for i in order[start : start + BATCH]]
        batches.append(embedder.encode(batch, batch_size=BATCH, show_progress_bar=False))
        if progress:
            progress(min(start + BATCH, len(order)), len(order))
    vectors = np.empty((len(texts), batches[0].shape[1]), dtype=np.float32)
    vectors[order] = np.concatenate(batches)
    faiss.normalize_L2(vectors)  # in float32: bfloat16 would leave norms that differ by a third of a percent
    return vectors


def count_tokens(embedder: SentenceTransformer, texts: Sequence[str]) -> int:
    """Return the number of tokens that an embedder reads of the texts, cut at its window, without padding."""
    window = embedder.max_seq_length or 10**9
    return sum(min(len(ids), window) for ids in embedder.tokenizer(list(texts), truncation=False)["input_ids"])
