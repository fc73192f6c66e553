"""Jaccard similarity of texts: the share of their shingles (runs of characters or words) that two have in common."""

from collections.abc import Iterator, Sequence
from statistics import median

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

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

Shingles = sparse.csr_array
"""Incidence matrix: 1 where a text has a shingle, [texts, distinct shingles]."""


def shingles(texts: Sequence[str]) -> Shingles:
    """Cut texts, normalised, into shingles; texts are comparable only if they were cut in one call."""
    if median(text.count(" ") + 1 for text in texts) < LONG_WORDS:
        padded = [text.ljust(CHARACTERS) for text in texts]
        symbols = np.frombuffer("".join(padded).encode("utf-32-le"), dtype=np.uint32)
        return _windows(symbols, [len(text) for text in padded], CHARACTERS)
    numbers: dict[str, int] = {"": 0}
    words = [text.split() + [""] * (WORDS - 1 - text.count(" ")) for text in texts]
    symbols = np.array([numbers.setdefault(word, len(numbers)) for text in words for word in text])
    return _windows(symbols, [len(text) for text in words], WORDS)


def closest(
    first: Shingles, second: Shingles, threshold: float = THRESHOLD, *, earlier: bool = False
) -> Iterator[tuple[int, int, float]]:
    """Find for each text of `second` the text of `first` that is most like it.

    Every pair is compared (Broder 1997, "On the resemblance and containment of documents"), as the product of
    two sparse matrices: nothing is estimated or missed.

    Args:
        first: texts that are searched.
        second: texts that are looked up.
        threshold: the lowest Jaccard similarity that counts, in (0, 1].
        earlier: both are the same texts, and only those before a text are compared with it.

    Yields:
        (row of `first`, row of `second`, similarity) where there is one; of equals the first.
    """
    first_sizes, second_sizes = np.diff(first.indptr), np.diff(second.indptr)
    transposed = first.T.tocsr()
    step = max(1, BATCH_PAIRS // max(1, len(first_sizes)))
    for start in range(0, len(second_sizes), step):
        shared = second[start : start + step] @ transposed
        j, i = np.repeat(np.arange(len(shared.indptr) - 1) + start, np.diff(shared.indptr)), shared.indices
        similarity = shared.data / (first_sizes[i] + second_sizes[j] - shared.data)
        is_near = (similarity >= threshold) & ((i < j) if earlier else True)
        best: dict[int, tuple[float, int]] = {}
        for row, column, value in zip(
            j[is_near].tolist(), i[is_near].tolist(), similarity[is_near].tolist(), strict=True
        ):
            best[row] = max(best.get(row, (0.0, -1)), (value, -column))  # a tie goes to the first
        yield from ((-column, row, value) for row, (value, column) in best.items())


def _windows(symbols: NDArray[np.generic], lengths: list[int], width: int) -> Shingles:
    """Count each run of `width` symbols within a text once; `symbols` holds all texts, one after the other."""
    codes = symbols.astype(np.uint64)
    owner = np.repeat(np.arange(len(lengths)), lengths)
    last = len(codes) - width + 1
    runs = np.zeros(last, dtype=np.uint64)
    for offset in range(width):  # a polynomial hash, modulo 2^64
        runs = runs * np.uint64(0x9E3779B97F4A7C15) + codes[offset : offset + last]
    same_text = owner[:last] == owner[width - 1 :]
    _, ids = np.unique(runs[same_text], return_inverse=True)
    rows = owner[:last][same_text]
    matrix = sparse.csr_array(
        (np.ones(len(ids), dtype=np.int32), (rows, ids)), shape=(len(lengths), int(ids.max()) + 1)
    )
    matrix.sum_duplicates()
    matrix.data[:] = 1
    return matrix
