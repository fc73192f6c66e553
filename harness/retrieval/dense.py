"""Dense retrieval: passages as vectors of a sentence-transformers model, searched by FAISS."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import faiss
import numpy as np
import torch
from numpy.typing import NDArray
from sentence_transformers import SentenceTransformer

from harness.api import Passage
from harness.decoding.finite import require_finite
from harness.errors import HarnessError
from harness.models.loaded_weights import check_files, one_line_errors
from harness.models.loading import native_dtype
from harness.retrieval import faiss_index
from harness.retrieval.faiss_index import IndexKind
from harness.retrieval.ranking import AllowedMask, passage_line

BATCH = 32
Use = Literal["query", "document"]
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
        return faiss_index.search(self.index, embed(self.embedder, texts, "query"), allowed, depth, self.breadth)

    def save(self, folder: Path) -> None:
        """Write the index; through Python's file, as FAISS's own does not tell of a full disk.

        Raises:
            OSError: it cannot be written.
        """
        with (folder / _FILE).open("wb") as file:
            faiss_index.faiss.write_index(self.index, faiss_index.faiss.PyCallbackIOWriter(file.write))


def build(
    embedder: SentenceTransformer,
    passages: Sequence[Passage],
    kind: IndexKind = "flat",
    progress: Callable[[int, int], None] | None = None,
) -> DenseSearcher:
    """Embed a corpus and index it by inner product of unit vectors."""
    vectors = embed(embedder, [passage_line(p) for p in passages], "document", progress)
    return DenseSearcher(embedder, faiss_index.build(vectors, kind))


def load(embedder: SentenceTransformer, folder: Path) -> DenseSearcher:
    """Load an index that `DenseSearcher.save` wrote.

    Raises:
        HarnessError: it cannot be read.
    """
    try:
        return DenseSearcher(embedder, faiss.read_index(str(folder / _FILE)))
    except RuntimeError as error:
        raise HarnessError(f"the index in {folder} cannot be read: run 'harness clean'.") from error


def open_embedder(folder: Path, dtype: torch.dtype | None = None) -> SentenceTransformer:
    """Load an embedding model from its folder, without its code.

    Args:
        folder: of a sentence-transformers model.
        dtype: None: `native_dtype`; bfloat16 is twice as fast as float32.

    Raises:
        HarnessError: the folder holds no such model, or not all of its weights.
    """
    device = "cuda" if torch.cuda.is_available() else "cpu"
    with one_line_errors(f"the embedder in {folder}"):
        kwargs = {"dtype": dtype or native_dtype(device)}
        embedder = SentenceTransformer(str(folder), device=device, trust_remote_code=False, model_kwargs=kwargs)
        check_files(f"the embedder in {folder}", embedder)
    return embedder


def embed(
    embedder: SentenceTransformer,
    texts: Sequence[str],
    use: Use,
    progress: Callable[[int, int], None] | None = None,
) -> NDArray[np.float32]:
    """Return unit vectors, float32 [texts, dimensions]; texts of similar length share a batch.

    Args:
        embedder: a model; where it has a prompt for queries or for documents, the texts are embedded behind it.
        texts: one or more.
        use: what the texts are: queries, or documents to be found.
        progress: called with (texts finished, texts in all).

    Raises:
        HarnessError: the model gives no numbers.
    """
    encode = embedder.encode_query if use == "query" else embedder.encode_document
    order = sorted(range(len(texts)), key=lambda i: -len(texts[i]))
    batches: list[NDArray[np.float32]] = []
    for start in range(0, len(order), BATCH):
        batch = [texts[i] for i in order[start : start + BATCH]]
        batches.append(encode(batch, batch_size=BATCH, show_progress_bar=False))
        if progress:
            progress(min(start + BATCH, len(order)), len(order))
    vectors = np.empty((len(texts), batches[0].shape[1]), dtype=np.float32)
    vectors[order] = np.concatenate(batches)
    faiss.normalize_L2(vectors)  # in float32: bfloat16 would leave norms that differ by a third of a percent
    require_finite(vectors.sum(axis=0).tolist(), "the embeddings of texts")
    return vectors


def count_tokens(embedder: SentenceTransformer, texts: Sequence[str]) -> int:
    """Return the number of tokens that an embedder reads of the texts, cut at its window, without padding."""
    window = embedder.max_seq_length or 10**9
    return sum(min(len(ids), window) for ids in embedder.tokenizer(list(texts), truncation=False)["input_ids"])
