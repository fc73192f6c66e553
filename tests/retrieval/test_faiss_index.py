"""Each kind of index finds what an exact comparison finds, or nearly so, among those that may be found."""

import faiss
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.retrieval import faiss_index

KINDS = ["flat", "ivf", "hnsw"]
SIZE = 500


def unit(seed, size, dimensions=16):
    vectors = np.random.default_rng(seed).standard_normal((size, dimensions)).astype(np.float32)
    return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)


VECTORS, QUERIES = unit(0, SIZE), unit(1, 12)
INDEXES = {kind: faiss_index.build(VECTORS, kind) for kind in KINDS}


def exact(allowed, depth):
    places = np.arange(SIZE) if allowed is None else np.flatnonzero(allowed)
    order = np.argsort(-(QUERIES @ VECTORS[places].T), axis=1)[:, :depth]
    return places[order].tolist()


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_mostly_finds_the_nearest(kind):
    positions = faiss_index.search(INDEXES[kind], VECTORS[:50], None, 1)
    assert [row[0] for row in positions] == list(range(50))
    right = [len(set(a) & set(b)) for a, b in zip(exact(None, 5), search(kind, None, 5), strict=True)]
    assert sum(right) / (5 * len(QUERIES)) > (0.999 if kind == "flat" else 0.6)


@pytest.mark.parametrize(("kind", "breadth"), [("ivf", 10**6), ("hnsw", SIZE)])
def test_looking_at_everything_is_exact(kind, breadth):
    assert search(kind, None, 5, breadth) == exact(None, 5)


@pytest.mark.parametrize("kind", KINDS)
@settings(max_examples=25, deadline=None)
@given(data=st.data())
def test_as_many_as_may_be_found_are_found_and_no_others(kind, data):
    share = data.draw(st.sampled_from([0.0, 0.002, 0.01, 0.1, 0.5, 1.0]))
    allowed = np.random.default_rng(data.draw(st.integers(0, 99))).random(SIZE) < share
    depth = data.draw(st.integers(1, 30))
    for row, right in zip(search(kind, allowed, depth, data.draw(st.sampled_from([None, 1]))), exact(allowed, depth)):  # noqa: B905
        assert allowed[row].all()
        assert len(set(row)) == len(row) == len(right)
        if kind == "flat":
            assert row == right


@pytest.mark.parametrize("kind", ["ivf", "hnsw"])
def test_where_few_may_be_found_the_search_is_exact(kind):
    allowed = np.zeros(SIZE, bool)
    allowed[[3, 77, 401]] = True
    assert search(kind, allowed, 3) == exact(allowed, 3)


@pytest.mark.parametrize("kind", KINDS)
def test_the_same_vectors_give_the_same_index_however_many_threads_there_are(kind):
    before = faiss.omp_get_max_threads()
    try:
        faiss.omp_set_num_threads(4)
        again = faiss_index.build(VECTORS, kind)
        assert faiss.omp_get_max_threads() == 4
    finally:
        faiss.omp_set_num_threads(before)
    assert faiss.serialize_index(again).tobytes() == faiss.serialize_index(INDEXES[kind]).tobytes()


def test_ivf_has_about_four_lists_for_each_root_of_the_corpus_but_none_too_small():
    assert INDEXES["ivf"].nlist == SIZE // faiss_index.POINTS_PER_LIST
    assert faiss_index.build(unit(2, 30), "ivf").nlist == 1
    assert faiss_index.build(unit(2, 40_000, 4), "ivf").nlist == 800


def search(kind, allowed, depth, breadth=None):
    return faiss_index.search(INDEXES[kind], QUERIES, allowed, depth, breadth)
