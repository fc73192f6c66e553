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

from harness.api import Passage
from harness.errors import HarnessError
from harness.models.loading import native_dtype
from harness.retrieval import faiss_index
from harness.retrieval.faiss_index import Kind
from harness.retrieval.ranking import AllowedMask, passage_line

BATCH = 32
_FILE = "index.faiss"


@dataclass(frozen=True)
class DenseSearcher:
    """Finds the passages whose vectors have the largest cosine with the query's (Karpukhin et al. 2020).

    Attributes:
        index: of FAISS, over unit vectors in the order of the corpus.
        breadth: how much an approximate index looks at (`retrieval_index.search`); None: its usual.
    """

    embedder: SentenceTransformer
    index: Any
    breadth: int | None = None

    def search(self, texts: Sequence[str], allowed: AllowedMask, depth: int) -> list[list[int]]:
        """Return the places of the `depth` nearest allowed passages for each text, nearest first."""
        if not texts:
            return []
        return faiss_index.search(self.index, embed(self.embedder, texts), allowed, depth, self.breadth)

    def save(self, folder: Path) -> None:
        """Write the index."""
        faiss.write_index(self.index, str(folder / _FILE))


def build(
    embedder: SentenceTransformer,
    passages: Sequence[Passage],
    kind: Kind = "flat",
    progress: Callable[[int, int], None] | None = None,
) -> DenseSearcher:
    """Embed a corpus and index it by inner product of unit vectors."""
    vectors = embed(embedder, [passage_line(p) for p in passages], progress)
    return DenseSearcher(embedder, faiss_index.build(vectors, kind))


def load(embedder: SentenceTransformer, folder: Path) -> DenseSearcher:
    """Read an index that `DenseSearcher.save` wrote."""
    return DenseSearcher(embedder, faiss.read_index(str(folder / _FILE)))


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
    embedder: SentenceTransformer, texts: Sequence[str], progress: Callable[[int, int], None] | None = None
) -> NDArray[np.float32]:
    """Return unit vectors: float32 [texts, dimensions]. Texts of similar length share a batch."""
    order = sorted(range(len(texts)), key=lambda i: -len(texts[i]))
    vectors: list[NDArray[np.float32]] = []
    for start in range(0, len(order), BATCH):
        batch = [texts[i] for i in order[start : start + BATCH]]
        vectors.append(embedder.encode(batch, batch_size=BATCH, show_progress_bar=False))
        if progress:
            progress(min(start + BATCH, len(order)), len(order))
    together = np.empty((len(texts), vectors[0].shape[1]), dtype=np.float32)
    together[order] = np.concatenate(vectors)
    faiss.normalize_L2(together)  # in 32 bits: bfloat16 would leave lengths that differ by a third of a percent
    return together


def tokens_in(embedder: SentenceTransformer, texts: Sequence[str]) -> int:
    """Count the tokens that an embedder reads of the texts, cut at its window, padding excluded."""
    window = embedder.max_seq_length or 10**9
    return sum(min(len(ids), window) for ids in embedder.tokenizer(list(texts), truncation=False)["input_ids"])
