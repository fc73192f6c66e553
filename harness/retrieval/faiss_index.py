"""FAISS indexes over unit vectors: exact (flat), by lists (ivf) or along a graph (hnsw).

The approximate ones visit a part of the corpus. If a filtered search finds too few passages in that part, it is
repeated exactly.
"""

from __future__ import annotations

import math
from collections.abc import Generator
from contextlib import contextmanager
from typing import Any, Literal

import faiss as untyped_faiss
import numpy as np
from numpy.typing import NDArray

faiss: Any = untyped_faiss  # its annotations are those of the C++ interface
IndexKind = Literal["flat", "ivf", "hnsw"]

POINTS_PER_LIST = 39
"""FAISS warns of k-means with fewer points a centroid."""
NEIGHBOURS = 32
"""Edges of a node in the graph (M of Malkov & Yashunin 2016, arXiv:1603.09320); FAISS's default."""
EF_SEARCH = 64


def build(vectors: NDArray[np.float32], kind: IndexKind) -> Any:
    """Index unit vectors [n, dimensions] by inner product; the same vectors always give the same index.

    ``ivf`` has 4·√n lists, fewer if that leaves under 39 vectors a list, by spherical k-means with FAISS's fixed seed
    (Jégou et al. 2011). ``hnsw`` is built by one thread, as its edges depend on the order of insertion.
    """
    size, dimensions = vectors.shape
    if kind == "ivf":
        lists = max(1, min(round(4 * math.sqrt(size)), size // POINTS_PER_LIST))
        index: Any = faiss.IndexIVFFlat(faiss.IndexFlatIP(dimensions), dimensions, lists, faiss.METRIC_INNER_PRODUCT)
        index.train(vectors)
    elif kind == "hnsw":
        index = faiss.IndexHNSWFlat(dimensions, NEIGHBOURS, faiss.METRIC_INNER_PRODUCT)
    else:
        index = faiss.IndexFlatIP(dimensions)
    with _one_thread():
        index.add(vectors)
    return index


def search(
    index: Any, vectors: NDArray[np.float32], allowed: NDArray[np.bool_] | None, depth: int, breadth: int | None = None
) -> list[list[int]]:
    """Return the positions of the nearest allowed vectors for each query, nearest first.

    Args:
        index: from `build`.
        vectors: unit vectors [queries, dimensions].
        allowed: mask [n]; None: all.
        depth: positions a query, fewer if fewer are allowed.
        breadth: lists visited (``ivf``, nprobe; None: √lists, rounded up) or candidates kept (``hnsw``, efSearch;
            None: 64). It is divided by the share of allowed vectors, so that as many of those are visited.
    """
    allowed_count = index.ntotal if allowed is None else int(allowed.sum())
    count = min(depth, allowed_count)
    if not count or not len(vectors):
        return [[] for _ in vectors]
    selector = {} if allowed is None else {"sel": faiss.IDSelectorBitmap(np.packbits(allowed, bitorder="little"))}
    settings = _search_settings(index, breadth, index.ntotal / allowed_count, count)
    params = _parameter_class(index)(**settings, **selector)
    positions = index.search(vectors, count, params=params)[1]
    incomplete = np.flatnonzero((positions < 0).any(axis=1))
    if len(incomplete):
        positions[incomplete] = _search_exactly(index, vectors[incomplete], count, selector)
    return positions.tolist()


def _search_settings(index: Any, breadth: int | None, scarcity: float, count: int) -> dict[str, int]:
    if isinstance(index, faiss.IndexIVF):
        lists = breadth or math.ceil(math.sqrt(index.nlist))
        return {"nprobe": min(index.nlist, math.ceil(lists * scarcity))}
    if isinstance(index, faiss.IndexHNSW):
        return {"efSearch": min(index.ntotal, max(count, math.ceil((breadth or EF_SEARCH) * scarcity)))}
    return {}


def _parameter_class(index: Any) -> Any:
    if isinstance(index, faiss.IndexIVF):
        return faiss.SearchParametersIVF
    return faiss.SearchParametersHNSW if isinstance(index, faiss.IndexHNSW) else faiss.SearchParameters


def _search_exactly(
    index: Any, vectors: NDArray[np.float32], count: int, selector: dict[str, Any]
) -> NDArray[np.int64]:
    """Compare with every vector: in all lists, or without the graph."""
    if isinstance(index, faiss.IndexIVF):
        return index.search(vectors, count, params=faiss.SearchParametersIVF(nprobe=index.nlist, **selector))[1]
    storage = faiss.downcast_index(index.storage)
    return storage.search(vectors, count, params=faiss.SearchParameters(**selector))[1]


@contextmanager
def _one_thread() -> Generator[None]:
    threads = faiss.omp_get_max_threads()
    faiss.omp_set_num_threads(1)
    try:
        yield
    finally:
        faiss.omp_set_num_threads(threads)
