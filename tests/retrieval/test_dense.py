"""Dense retrieval finds the nearest passages, and its index can be kept."""

import shutil

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file

from harness.api import Example, Passage, Query
from harness.errors import HarnessError
from harness.retrieval import dense, rerank
from harness.retrieval.exemplars import NearestExemplars
from harness.retrieval.ranking import PassageRetriever, passage_line
from tests import tiny
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


def test_queries_and_passages_are_embedded_behind_the_prompts_that_the_embedder_has_for_them(tmp_path):
    prompted = tiny.save_embedder(tmp_path / "prompted", {"query": "Which river? ", "document": "A harbour: "})
    with_prompts, without = (
        dense.open_embedder(folder, torch.float32) for folder in (prompted, tiny.save_embedder(tmp_path / "plain"))
    )
    texts = ["the storm", "a delight"]
    for use, prompt in (("query", "Which river? "), ("document", "A harbour: ")):
        expected = dense.embed(without, [prompt + text for text in texts], use)
        assert dense.embed(with_prompts, texts, use) == pytest.approx(expected, abs=1e-5)
    searcher = dense.build(with_prompts, PASSAGES)
    vectors = dense.embed(without, [f"A harbour: {passage_line(p)}" for p in PASSAGES], "document")
    query = dense.embed(without, ["Which river? the storm"], "query")[0]
    (positions,) = searcher.search(["the storm"], None, 3)
    assert positions == np.argsort(-(vectors @ query))[:3].tolist()
    pool = tuple(Example(Query(str(n), text), ("yes",)) for n, text in enumerate(SENTENCES))
    exemplars = NearestExemplars(with_prompts, pool, dense.embed(with_prompts, SENTENCES, "document"), 2)
    vectors = dense.embed(without, [f"A harbour: {text}" for text in SENTENCES], "document")
    (picked,) = exemplars.pick([Query("q", "the storm")])
    assert [int(example.query.id) for example in picked] == np.argsort(-(vectors @ query))[:2][::-1].tolist()


def test_passages_come_by_cosine_nearest_first(embedder):
    vectors = dense.embed(embedder, [passage_line(p) for p in PASSAGES], "document")
    query = dense.embed(embedder, ["Where are ships safe?"], "query")[0]
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
    alone = np.concatenate([dense.embed(embedder, [text], "query") for text in texts])
    monkeypatch.setattr(dense, "BATCH", 4)
    reports = []
    together = dense.embed(embedder, texts, "query", lambda count, total: reports.append((count, total)))
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
    vectors = dense.embed(dense.open_embedder(tiny_embedder, torch.bfloat16), ["film", "a good film", "ships"], "query")
    assert np.linalg.norm(vectors, axis=1) == pytest.approx(1, abs=1e-6)


@pytest.mark.parametrize(
    ("save", "open_folder", "name"),
    [
        (tiny.save_embedder, dense.open_embedder, "encoder.layer.1.output.dense.weight"),
        (tiny.save_cross_encoder, rerank.open_cross_encoder, "classifier.weight"),
    ],
)
def test_an_embedder_or_reranker_without_all_of_its_weights_is_refused(tmp_path, save, open_folder, name):
    folder = save(tmp_path / "model")
    file = folder / "model.safetensors"
    weights = load_file(file)
    (stored,) = (key for key in weights if key.endswith(name))
    del weights[stored]
    save_file(weights, file, {"format": "pt"})
    with pytest.raises(HarnessError, match=rf"lacks weights, which would be random \({name}\)") as raised:
        open_folder(folder)
    assert "\n" not in str(raised.value)


def test_an_embedder_without_a_pooler_is_taken(tiny_embedder, tmp_path):
    folder = shutil.copytree(tiny_embedder, tmp_path / "embedder")
    file = folder / "model.safetensors"
    weights = {name: weight for name, weight in load_file(file).items() if "pooler" not in name}
    save_file(weights, file, {"format": "pt"})
    assert dense.open_embedder(folder)
