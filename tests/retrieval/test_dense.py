"""Dense retrieval finds the nearest passages, and its index can be kept."""

import shutil

import numpy as np
import pytest
import torch

from harness.api import Passage, Query
from harness.errors import HarnessError
from harness.retrieval import dense
from harness.retrieval.ranking import PassageRetriever, passage_line
from tests.tiny import SENTENCES

PASSAGES = tuple(Passage(str(n), text, "Harbour" if n % 2 else "") for n, text in enumerate(SENTENCES))


@pytest.fixture
def embedder(tiny_embedder):
    return dense.open_embedder(tiny_embedder, torch.float32)


def retriever(embedder, passages, k):
    return PassageRetriever((dense.build(embedder, passages),), passages, k)


def test_a_passage_is_the_nearest_to_its_own_text(embedder):
    retrieved = retriever(embedder, PASSAGES, 2).find([Query(p.id, passage_line(p)) for p in PASSAGES])
    assert [passages[0] for passages in retrieved] == list(PASSAGES)
    assert {len(passages) for passages in retrieved} == {2}


def test_passages_come_by_cosine_nearest_first(embedder):
    vectors = dense.embed(embedder, [passage_line(p) for p in PASSAGES])
    query = dense.embed(embedder, ["Where are ships safe?"])[0]
    assert np.linalg.norm(vectors, axis=1) == pytest.approx(1, abs=1e-5)
    nearest = [PASSAGES[i] for i in np.argsort(-(vectors @ query))[:3]]
    (passages,) = retriever(embedder, PASSAGES, 3).find([Query("q", "Where are ships safe?")])
    assert list(passages) == nearest


def test_a_corpus_smaller_than_k_is_given_whole(embedder):
    (passages,) = retriever(embedder, PASSAGES[:2], 5).find([Query("q", "film")])
    assert set(passages) == set(PASSAGES[:2])


@pytest.mark.parametrize("kind", ["flat", "ivf", "hnsw"])
def test_a_kept_index_finds_the_same(embedder, tmp_path, kind):
    searcher = dense.build(embedder, PASSAGES, kind)
    searcher.save(tmp_path)
    queries = ["river", "a storm", "music"]
    assert dense.load(embedder, tmp_path).search(queries, None, 3) == searcher.search(queries, None, 3)


def test_vectors_keep_the_order_of_their_texts_over_several_batches(embedder, monkeypatch):
    texts = [f"film {'good ' * (n * 5 % 7)}{n}" for n in range(9)]
    alone = np.concatenate([dense.embed(embedder, [text]) for text in texts])
    monkeypatch.setattr(dense, "BATCH", 4)
    reports = []
    together = dense.embed(embedder, texts, lambda count, total: reports.append((count, total)))
    assert np.abs(together - alone).max() < 1e-5
    assert reports == [(4, 9), (8, 9), (9, 9)]


def test_nothing_is_found_for_nobody(embedder):
    assert retriever(embedder, PASSAGES, 3).find([]) == []


def test_what_is_no_embedder_is_one_sentence(tmp_path):
    (tmp_path / "modules.json").write_text("{")
    with pytest.raises(HarnessError, match="cannot be loaded"):
        dense.open_embedder(tmp_path)


def test_tokens_are_counted_up_to_the_window_of_the_embedder(embedder):
    short, long = dense.count_tokens(embedder, ["film"]), dense.count_tokens(embedder, ["film " * 9999])
    assert 0 < short < long == embedder.max_seq_length


def test_a_damaged_embedder_is_one_sentence(tiny_embedder, tmp_path):
    folder = shutil.copytree(tiny_embedder, tmp_path / "embedder")
    (weights,) = folder.rglob("*.safetensors")
    weights.write_bytes(weights.read_bytes()[:1000])
    with pytest.raises(HarnessError, match="cannot be loaded: "):
        dense.open_embedder(folder)


def test_vectors_have_unit_length_whatever_the_embedder_computes_in(tiny_embedder):
    vectors = dense.embed(dense.open_embedder(tiny_embedder, torch.bfloat16), ["film", "a good film", "ships"])
    assert np.linalg.norm(vectors, axis=1) == pytest.approx(1, abs=1e-6)
