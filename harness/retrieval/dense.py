"""Dense retrieval: passages as vectors of a sentence-transformers model, searched by FAISS."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
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
from harness.models.compute_device import compute_device
from harness.models.loaded_weights import check_files, one_line_errors
from harness.models.loading import native_dtype
from harness.retrieval import faiss_index
from harness.retrieval.faiss_index import IndexKind
from harness.retrieval.ranking import AllowedMask, passage_line

BATCH = 32
Use = Literal["query", "document"]
_FILE, _OWNERS = "index.faiss", "owners.npy"


@dataclass(frozen=True)
class DenseSearcher:
    """Finds the passages whose vectors have the largest cosine with the query's (Karpukhin et al. 2020).

    Attributes:
        index: FAISS index over unit vectors in corpus order.
        breadth: of an approximate index (`faiss_index.search`); None: its default.
        owners: position of the passage that each vector is of, int64 [vectors], where a passage has several: the
            nearest of its parts counts; None: each passage has one.
    """

    embedder: SentenceTransformer
    index: Any
    breadth: int | None = None
    owners: NDArray[np.int64] | None = None

    def search(self, texts: Sequence[str], allowed: AllowedMask, depth: int) -> list[list[int]]:
        """Return the corpus positions of the `depth` nearest allowed passages for each text, nearest first."""
        if not texts:
            return []
        vectors = embed(self.embedder, texts, "query")
        if self.owners is None:
            return faiss_index.search(self.index, vectors, allowed, depth, self.breadth)
        depth_of_parts = depth * int(np.bincount(self.owners).max())  # holds at least `depth` passages
        allowed_parts = None if allowed is None else allowed[self.owners]
        rows = faiss_index.search(self.index, vectors, allowed_parts, depth_of_parts, self.breadth)
        return [list(dict.fromkeys(self.owners[row].tolist()))[:depth] for row in rows]

    def save(self, folder: Path) -> None:
        """Write the index; through Python's file, as FAISS's own does not tell of a full disk.

        Raises:
            OSError: it cannot be written.
        """
        with (folder / _FILE).open("wb") as file:
            faiss_index.faiss.write_index(self.index, faiss_index.faiss.PyCallbackIOWriter(file.write))
        if self.owners is not None:
            np.save(folder / _OWNERS, self.owners, allow_pickle=False)


def build(
    embedder: SentenceTransformer,
    passages: Sequence[Passage],
    kind: IndexKind = "flat",
    progress: Callable[[int, int], None] | None = None,
) -> DenseSearcher:
    """Embed a corpus, long passages in parts, and index it by inner product of unit vectors."""
    lines, owners = part_lines(embedder, passages)
    vectors = embed(embedder, lines, "document", progress)
    has_parts = len(lines) > len(passages)
    return DenseSearcher(embedder, faiss_index.build(vectors, kind), owners=owners if has_parts else None)


def load(embedder: SentenceTransformer, folder: Path) -> DenseSearcher:
    """Load an index that `DenseSearcher.save` wrote.

    Raises:
        HarnessError: it cannot be read.
    """
    try:
        owners = np.load(folder / _OWNERS, allow_pickle=False) if (folder / _OWNERS).is_file() else None
        return DenseSearcher(embedder, faiss.read_index(str(folder / _FILE)), owners=owners)
    except (RuntimeError, ValueError) as error:
        raise HarnessError(f"the index in {folder} cannot be read: run 'harness clean'.") from error


def open_embedder(folder: Path, dtype: torch.dtype | None = None) -> SentenceTransformer:
    """Load an embedding model from its folder, without its code.

    Args:
        folder: of a sentence-transformers model.
        dtype: None: `native_dtype`; bfloat16 is twice as fast as float32.

    Raises:
        HarnessError: the folder holds no such model, or not all of its weights.
    """
    device = compute_device()
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


def part_lines(embedder: SentenceTransformer, passages: Sequence[Passage]) -> tuple[list[str], NDArray[np.int64]]:
    """Return what is embedded of a corpus: each passage, and one that the embedder would cut off in parts that fit.

    A part stands behind the passage's title, and begins with the last eighth of the part before, so that a sentence
    between two of them is whole in one.

    Returns:
        The texts, and the position of the passage that each is of, int64 [texts].
    """
    tokenizer: Any = embedder.tokenizer
    window = embedder.max_seq_length or 10**9
    prompt = embedder.prompts.get("document") or ""
    room = window - len(tokenizer(prompt)["input_ids"])
    full = [passage_line(passage) for passage in passages]
    counts = [
        len(ids) for ids in tokenizer(full, add_special_tokens=False, truncation=False, verbose=False)["input_ids"]
    ]
    lines: list[str] = []
    owners: list[int] = []
    for position, (passage, line, tokens) in enumerate(zip(passages, full, counts, strict=True)):
        parts = [line] if tokens <= room else _parts(passage, tokenizer, room)
        lines += parts
        owners += [position] * len(parts)
    return lines, np.array(owners, dtype=np.int64)


def _parts(passage: Passage, tokenizer: Any, room: int) -> list[str]:
    title = len(tokenizer(f"{passage.title}: ", add_special_tokens=False)["input_ids"]) if passage.title else 0
    shown = replace(passage, title="") if title > room / 2 else passage
    size = max(1, room - (title if shown.title else 0))
    spans = _token_spans(passage.text, tokenizer)
    step = max(1, size - size // 8)
    starts = range(0, max(1, len(spans) - size + step), step)
    return [
        passage_line(replace(shown, text=passage.text[spans[start][0] : spans[min(start + size, len(spans)) - 1][1]]))
        for start in starts
    ]


def _token_spans(text: str, tokenizer: Any) -> list[tuple[int, int]]:
    """Return where each token of a text begins and ends; evenly spaced where the tokenizer does not tell."""
    options = {"return_offsets_mapping": True} if tokenizer.is_fast else {}
    encoding = tokenizer(text, add_special_tokens=False, truncation=False, verbose=False, **options)
    count = len(encoding["input_ids"])
    if tokenizer.is_fast:
        return encoding["offset_mapping"]
    return [(len(text) * n // count, len(text) * (n + 1) // count) for n in range(count)]


def count_tokens(embedder: SentenceTransformer, texts: Sequence[str]) -> int:
    """Return the number of tokens that an embedder reads of the texts, cut at its window, without padding."""
    window = embedder.max_seq_length or 10**9
    return sum(min(len(ids), window) for ids in embedder.tokenizer(list(texts), truncation=False)["input_ids"])
