"""Finds test items that training has seen, word for word or nearly."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from harness.api import Example
from harness.data.examples import content_key

THRESHOLD = 0.8
"""Jaccard similarity of character 5-grams from which two texts count as near-duplicates.

0.8 is the usual cut for near-duplicate documents (Lee et al. 2022, arXiv:2107.06499, section 4.2). Characters
instead of words, since one changed word of ten already breaks half of a short sentence's word 3-grams: here a typing
error or a few added characters stay above the line, another word in a template ("the capital of X") falls below it.
"""
SHINGLE = 5
BATCH = 50_000


@dataclass(frozen=True)
class Leak:
    """A test item and the training item most like it.

    Attributes:
        similarity: Jaccard similarity of their character 5-grams, in [0, 1].
        exact: whether they are the same but for case, punctuation and spacing.
    """

    test_id: str
    train_id: str
    similarity: float
    exact: bool


def find_leaks(train: Sequence[Example], test: Sequence[Example], threshold: float = THRESHOLD) -> tuple[Leak, ...]:
    """Find the test items that are like a training item, each with its closest one, most similar first.

    Exact for every pair at or above the threshold: candidates are pairs that share one of their rarest shingles
    (prefix filtering: Bayardo, Ma & Srikant 2007, "Scaling up all pairs similarity search").

    Args:
        train: training and validation items.
        test: test items.
        threshold: the lowest similarity that counts, in (0, 1].
    """
    if not train or not test:
        return ()
    texts = [content_key(example) for example in (*train, *test)]
    shingles = _shingles(texts)
    rows, columns = _candidates(shingles, len(train), threshold)
    similarity = _jaccard(shingles, rows, columns)
    best: dict[int, tuple[float, int]] = {}
    for i, j, value in zip(rows.tolist(), columns.tolist(), similarity.tolist(), strict=True):
        if value >= threshold and value > best.get(j, (0.0, -1))[0]:
            best[j] = (value, i)
    leaks = [
        Leak(test[j - len(train)].query.id, train[i].query.id, round(value, 4), texts[i] == texts[j])
        for j, (value, i) in best.items()
    ]
    return tuple(sorted(leaks, key=lambda leak: (-leak.similarity, leak.test_id)))


def _shingles(texts: Sequence[str]) -> sparse.csr_array:
    """Return which text [n] has which character 5-gram [distinct], columns from the rarest to the commonest."""
    padded = [text.ljust(SHINGLE) for text in texts]
    codes = np.frombuffer("".join(padded).encode("utf-32-le"), dtype=np.uint32).astype(np.uint64)
    lengths = np.array([len(text) for text in padded])
    owner = np.repeat(np.arange(len(texts)), lengths)
    last = len(codes) - SHINGLE + 1
    grams = np.zeros(last, dtype=np.uint64)
    for offset in range(SHINGLE):  # a polynomial hash, modulo 2^64
        grams = grams * np.uint64(0x9E3779B97F4A7C15) + codes[offset : offset + last]
    within = owner[:last] == owner[SHINGLE - 1 :]
    _, ids = np.unique(grams[within], return_inverse=True)
    held = sparse.csr_array((np.ones(len(ids), dtype=np.int32), (owner[:last][within], ids)))
    held.sum_duplicates()
    held.data[:] = 1
    rank = np.argsort(np.argsort(np.bincount(held.indices), kind="stable"), kind="stable")
    held.indices = rank[held.indices].astype(held.indices.dtype)
    held.has_sorted_indices = False
    held.sort_indices()
    return held


def _candidates(
    shingles: sparse.csr_array, trained: int, threshold: float
) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Return pairs (training row, test row) that share one of their rarest shingles and are about as long."""
    sizes = np.diff(shingles.indptr)
    keep = sizes - np.ceil(threshold * sizes - 1e-9).astype(int) + 1
    place = np.arange(shingles.nnz) - np.repeat(shingles.indptr[:-1], sizes)
    rare = shingles.copy()
    rare.data = (place < np.repeat(keep, sizes)).astype(np.int32)
    rare.eliminate_zeros()
    shared = (rare[:trained] @ rare[trained:].T).tocoo()
    rows, columns = shared.coords[0], shared.coords[1] + trained
    alike = np.minimum(sizes[rows], sizes[columns]) >= threshold * np.maximum(sizes[rows], sizes[columns]) - 1e-9
    return rows[alike], columns[alike]


def _jaccard(shingles: sparse.csr_array, rows: NDArray[np.intp], columns: NDArray[np.intp]) -> NDArray[np.float64]:
    sizes = np.diff(shingles.indptr)
    shared = [
        shingles[rows[i : i + BATCH]].multiply(shingles[columns[i : i + BATCH]]).sum(axis=1)
        for i in range(0, len(rows), BATCH)
    ]
    both = np.concatenate([np.zeros(0), *shared])
    return both / (sizes[rows] + sizes[columns] - both)
