"""Finds test items that training has seen, word for word or nearly."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from statistics import median

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from harness.api import Example
from harness.data.examples import content_key

THRESHOLD = 0.8
"""Jaccard similarity of shingles from which two texts count as near-duplicates.

0.8 is the usual cut for near-duplicate texts (Lee et al. 2022, arXiv:2107.06499, section 4.2).
"""
LONG_WORDS = 40
"""Texts whose median length is below this are compared by character 5-grams, longer ones by word 3-grams.

One changed word of ten breaks a third of a sentence's word 3-grams, so that nothing short would ever be near; with
characters a typing error stays above the line, and another word in a template ("the capital of X") falls below it.
In a text of forty words a changed word breaks three of 38 word 3-grams, and word 3-grams are rare, hence fast.
"""
CHARACTERS, WORDS = 5, 3
BATCH_PAIRS = 5_000_000


@dataclass(frozen=True)
class Leak:
    """A test item and the training item most like it.

    Attributes:
        similarity: Jaccard similarity of their shingles, in [0, 1].
        exact: whether they are the same but for case, punctuation and spacing.
    """

    test_id: str
    train_id: str
    similarity: float
    exact: bool


def find_leaks(train: Sequence[Example], test: Sequence[Example], threshold: float = THRESHOLD) -> tuple[Leak, ...]:
    """Find the test items that are like a training item, each with its closest one, most similar first.

    Every pair is compared (Broder 1997, "On the resemblance and containment of documents"), as the product of
    two sparse matrices: nothing is estimated or missed.

    Args:
        train: training and validation items.
        test: test items.
        threshold: the lowest similarity that counts, in (0, 1].
    """
    if not train or not test:
        return ()
    texts = [content_key(example) for example in (*train, *test)]
    held = _shingles(texts)
    leaks: list[Leak] = []
    for i, j, similarity in _closest(held[: len(train)], held[len(train) :], threshold):
        exact = texts[i] == texts[len(train) + j]
        leaks.append(Leak(test[j].query.id, train[i].query.id, round(similarity, 4), exact))
    return tuple(sorted(leaks, key=lambda leak: (not leak.exact, -leak.similarity, leak.test_id)))


def _closest(train: sparse.csr_array, test: sparse.csr_array, threshold: float) -> Iterator[tuple[int, int, float]]:
    """Yield (training row, test row, similarity) of each test row's closest training row from `threshold` on."""
    train_sizes, test_sizes = np.diff(train.indptr), np.diff(test.indptr)
    turned = train.T.tocsr()
    step = max(1, BATCH_PAIRS // len(train_sizes))
    for start in range(0, len(test_sizes), step):
        shared = test[start : start + step] @ turned
        j, i = np.repeat(np.arange(len(shared.indptr) - 1) + start, np.diff(shared.indptr)), shared.indices
        similarity = shared.data / (train_sizes[i] + test_sizes[j] - shared.data)
        near = similarity >= threshold
        best: dict[int, tuple[float, int]] = {}
        for row, column, value in zip(j[near].tolist(), i[near].tolist(), similarity[near].tolist(), strict=True):
            best[row] = max(best.get(row, (0.0, -1)), (value, -column))  # a tie goes to the first
        yield from ((-column, row, value) for row, (value, column) in best.items())


def _shingles(texts: Sequence[str]) -> sparse.csr_array:
    """Return which text [n] has which shingle [distinct], as ones."""
    if median(text.count(" ") + 1 for text in texts) < LONG_WORDS:
        padded = [text.ljust(CHARACTERS) for text in texts]
        symbols = np.frombuffer("".join(padded).encode("utf-32-le"), dtype=np.uint32)
        return _windows(symbols, [len(text) for text in padded], CHARACTERS)
    numbers: dict[str, int] = {"": 0}
    words = [text.split() + [""] * (WORDS - 1 - text.count(" ")) for text in texts]
    symbols = np.array([numbers.setdefault(word, len(numbers)) for text in words for word in text])
    return _windows(symbols, [len(text) for text in words], WORDS)


def _windows(symbols: NDArray[np.generic], lengths: list[int], width: int) -> sparse.csr_array:
    """Count each run of `width` symbols within a text once; `symbols` holds all texts, one after the other."""
    codes = symbols.astype(np.uint64)
    owner = np.repeat(np.arange(len(lengths)), lengths)
    last = len(codes) - width + 1
    runs = np.zeros(last, dtype=np.uint64)
    for offset in range(width):  # a polynomial hash, modulo 2^64
        runs = runs * np.uint64(0x9E3779B97F4A7C15) + codes[offset : offset + last]
    within = owner[:last] == owner[width - 1 :]
    _, ids = np.unique(runs[within], return_inverse=True)
    rows = owner[:last][within]
    held = sparse.csr_array((np.ones(len(ids), dtype=np.int32), (rows, ids)), shape=(len(lengths), int(ids.max()) + 1))
    held.sum_duplicates()
    held.data[:] = 1
    return held
