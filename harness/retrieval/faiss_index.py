"""FAISS indexes over unit vectors: exact (flat), by lists (ivf) or along a graph (hnsw).

The approximate ones look at a part of the corpus. Where a search brings fewer passages than there are, because only
few of those that it looked at may be found, it is done again exactly.
"""

from __future__ import annotations

import math
from collections.abc import Generator
from contextlib import contextmanager
from typing import Any, Literal

import faiss as untyped
import numpy as np
from numpy.typing import NDArray

faiss: Any = untyped  # its annotations are those of the C++ side
Kind = Literal["flat", "ivf", "hnsw"]

POINTS_PER_LIST = 39
"""FAISS warns of k-means with fewer points a centroid."""
NEIGHBOURS = 32
"""Edges of a node in the graph (M of Malkov & Yashunin 2016, arXiv:1603.09320); FAISS's usual value."""
EF_SEARCH = 64


def build(vectors: NDArray[np.float32], kind: Kind) -> Any:
    """Index unit vectors [n, dimensions] by inner product; the same vectors always give the same index.

    ``ivf`` has 4·√n lists, fewer where that would leave under 39 vectors a list, by spherical k-means with FAISS's
    fixed seed (Jégou et al. 2011). ``hnsw`` is built by one thread, for its edges depend on the order of insertion.
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
    """Return the places of the nearest allowed vectors for each of `vectors`, nearest first.

    Args:
        index: from `build`.
        vectors: unit vectors [queries, dimensions].
        allowed: mask [n]; None: all.
        depth: how many, if there are as many allowed.
        breadth: lists looked into (``ivf``; None: √lists, rounded up) or candidates kept on the walk (``hnsw``,
            efSearch; None: 64). Both grow as the share of allowed vectors shrinks: as many of those are looked at.
    """
    may = index.ntotal if allowed is None else int(allowed.sum())
    count = min(depth, may)
    if not count or not len(vectors):
        return [[] for _ in vectors]
    chosen = {} if allowed is None else {"sel": faiss.IDSelectorBitmap(np.packbits(allowed, bitorder="little"))}
    settings = _settings(index, breadth, index.ntotal / may, count)
    kind = _parameters(index)
    positions = index.search(vectors, count, params=kind(**settings, **chosen))[1]
    short = np.flatnonzero((positions < 0).any(axis=1))
    if len(short):
        positions[short] = _exactly(index, vectors[short], count, chosen)
    return positions.tolist()


def _settings(index: Any, breadth: int | None, scarcity: float, count: int) -> dict[str, int]:
    if isinstance(index, faiss.IndexIVF):
        lists = breadth or math.ceil(math.sqrt(index.nlist))
        return {"nprobe": min(index.nlist, math.ceil(lists * scarcity))}
    if isinstance(index, faiss.IndexHNSW):
        return {"efSearch": min(index.ntotal, max(count, math.ceil((breadth or EF_SEARCH) * scarcity)))}
    return {}


def _parameters(index: Any) -> Any:
    if isinstance(index, faiss.IndexIVF):
        return faiss.SearchParametersIVF
    return faiss.SearchParametersHNSW if isinstance(index, faiss.IndexHNSW) else faiss.SearchParameters


def _exactly(index: Any, vectors: NDArray[np.float32], count: int, chosen: dict[str, Any]) -> NDArray[np.int64]:
    """Compare with every vector: through all lists, or past the graph."""
    if isinstance(index, faiss.IndexIVF):
        return index.search(vectors, count, params=faiss.SearchParametersIVF(nprobe=index.nlist, **chosen))[1]
    storage = faiss.downcast_index(index.storage)
    return storage.search(vectors, count, params=faiss.SearchParameters(**chosen))[1]


@contextmanager
def _one_thread() -> Generator[None]:
    threads = faiss.omp_get_max_threads()
    faiss.omp_set_num_threads(1)
    try:
        yield
    finally:
        faiss.omp_set_num_threads(threads)
