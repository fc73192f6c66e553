"""The parameters of `rag`: what they build, what is kept of it, and what a trial records."""

import itertools
from dataclasses import replace

import pytest
import torch

from harness.api import Context, Passage, Query, System, Task, TaskData
from harness.data.prepare import prepare
from harness.data.suite import load_suite
from harness.errors import HarnessError
from harness.plan import chain, discover
from harness.plan.config import RunConfig
from harness.plan.planner import make_plan
from harness.retrieval import bm25
from harness.retrieval.rerank import LikelihoodReranker
from harness.trial.run_trial import run_trial
from tests import tiny

TEXTS = ("The Amber river runs.", "A harbour is safe.", "The film was bad.", "Music is a delight.", "Ships in a storm.")
PASSAGES = tuple(Passage(str(n), text, "", ("ann",) if n == 1 else ()) for n, text in enumerate(TEXTS))
TASK = TaskData(Task("t", "qa", "Answer."), corpus=PASSAGES, corpus_hash="c1")
DENSE = [("dense", index) for index in ("flat", "ivf", "hnsw")]
VARIANTS = [*DENSE, *(("hybrid", index) for _, index in DENSE), ("bm25", "flat")]
QUERIES = [Query("1", "Which river runs?"), Query("2", "Where is a safe harbour?", user="ann"), Query("3", "zebra")]


def build_step(text):
    (link,) = chain.build(text, discover.find_step)
    return link.step


def rag(embedder, retriever, index, rerank=None, **parameters):
    text = f"rag(k=2,retriever={retriever},index={index},embedder={str(embedder)!r}"
    text += "".join(f",{name}={value!r}" for name, value in parameters.items())
    return build_step(f"{text}{f',rerank={rerank!r}' if rerank else ''})")


@pytest.fixture(scope="module")
def cross_encoder(tmp_path_factory):
    return tiny.save_cross_encoder(tmp_path_factory.mktemp("cross") / "model")


@pytest.fixture(scope="module")
def model(tiny_folders, tiny_cache):
    return tiny.open_tiny(tiny_folders(), tiny_cache)


@pytest.fixture(
    params=[(*pair, rerank) for pair in VARIANTS for rerank in (None, "likelihood", "cross-encoder")], ids=str
)
def variant(request, tiny_embedder, cross_encoder):
    retriever, index, rerank = request.param
    return rag(tiny_embedder, retriever, index, str(cross_encoder) if rerank == "cross-encoder" else rerank)


def test_every_variant_prompts_with_up_to_k_readable_passages_and_again_after_loading(variant, model, tmp_path):
    system = variant.adapt(System(model, TASK.task), TASK, Context())
    prompts = system.prompts(QUERIES)
    lexical = variant.retriever == "bm25"  # finds only passages that share a word with the query
    assert [len(prompt.passages) for prompt in prompts] == ([1, 2, 0] if lexical else [2, 2, 2])
    assert "1" not in {passage.id for prompt in (prompts[0], prompts[2]) for passage in prompt.passages}
    variant.save(system, tmp_path)
    assert variant.load(System(model, TASK.task), TASK, Context(), tmp_path).prompts(QUERIES) == prompts
    assert system.task.instruction == "Answer. Take it from the text."


def test_a_chain_can_name_every_parameter_and_is_written_back():
    text = "rag(k=1,retriever=hybrid,index=hnsw,breadth=99,rerank=likelihood,candidates=7)"
    assert chain.canonical(chain.build(text, discover.find_step)) == text
    assert chain.canonical(chain.build("rag(retriever=dense,index=flat,rerank=none)", discover.find_step)) == "rag"


def test_the_models_that_it_brings_are_named():
    assert build_step("rag").sources() == ("minilm",)
    assert build_step("rag(retriever=bm25)").sources() == ()
    assert build_step("rag(retriever=bm25,rerank=likelihood)").sources() == ()
    assert build_step("rag(retriever=hybrid,rerank='org/judge')").sources() == ("minilm", "org/judge")
    assert build_step("rag(retriever=bm25,rerank='org/judge')").sources() == ("org/judge",)


def test_an_index_is_kept_under_what_decides_it_and_nothing_else():
    key = {
        text: build_step(text).depends_on("before", TASK) for text in ("rag", "rag(index=ivf)", "rag(retriever=hybrid)")
    }
    assert len(set(key.values())) == 3
    for same in ("rag(k=9)", "rag(rerank=likelihood)", "rag(guidance=look)"):
        assert build_step(same).depends_on("other", TASK) == key["rag"]
    assert build_step("rag(index=ivf,breadth=2)").depends_on("", TASK) == key["rag(index=ivf)"]
    assert build_step("rag").depends_on("before", TaskData(TASK.task, corpus_hash="c2")) != key["rag"]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("rag(retriever=bm25,index=hnsw)", "retriever=bm25 has no dense index"),
        ("rag(breadth=2)", "index=flat looks at every passage"),
        ("rag(index=tree)", "'flat', 'ivf' or 'hnsw'"),
        ("rag(candidates=0)", "greater than or equal to 1"),
    ],
)
def test_settings_that_would_change_nothing_are_refused(text, message):
    with pytest.raises(HarnessError, match=message):
        build_step(text)


def test_likelihood_needs_a_model_that_gives_it():
    with pytest.raises(HarnessError, match="rerank=likelihood needs a model that gives log-likelihoods"):
        build_step("rag(retriever=bm25,rerank=likelihood)").adapt(System(object(), TASK.task), TASK, Context())


def test_breadth_reaches_the_index(model, tiny_embedder):
    rng = torch.Generator().manual_seed(0)
    words = [["river", "film", "storm", "music", "city", "room"][i] for i in torch.randint(6, (2000,), generator=rng)]
    corpus = tuple(Passage(str(n), " ".join(words[5 * n : 5 * n + 5])) for n in range(400))
    task = TaskData(TASK.task, corpus=corpus)
    queries = [Query(str(n), f"{a} {b} {c}") for n, (a, b, c) in enumerate(itertools.permutations(words[:4], 3))]

    def find_passages(index, breadth=None):
        parameters = {"breadth": breadth} if breadth else {}
        system = rag(tiny_embedder, "dense", index, **parameters).adapt(System(model, TASK.task), task, Context())
        return [prompt.passages for prompt in system.prompts(queries)]

    assert find_passages("ivf", 1000) == find_passages("flat")
    assert find_passages("ivf", 1) != find_passages("flat")


def test_a_chain_that_tunes_reranks_by_the_tuned_model(tiny_suite, open_tiny):
    text = "rag(k=1,retriever=bm25,rerank=likelihood)+lora(rank=4,epochs=1,batch_size=4,learning_rate=0.01)"
    task = prepare(load_suite(tiny_suite), "facts").task_data
    system = System(open_tiny(), task.task)
    for link in chain.build(text, discover.find_step):
        system = link.step.adapt(system, task, Context())
    queries = [example.query for example in task.train]
    expected = replace(system.retriever, reranker=LikelihoodReranker(system.model)).find(queries)
    assert [prompt.passages for prompt in system.prompts(queries)] == expected
    scores = [
        LikelihoodReranker(model).score([queries[0].input], [task.corpus[:4]]) for model in (system.model, open_tiny())
    ]
    assert scores[0] != scores[1]


def test_a_trial_without_embedder_is_measured_and_cites(tiny_suite, tiny_folders, tmp_path, monkeypatch):
    config = RunConfig(
        suite=str(tiny_suite),
        tasks=("facts",),
        models=(str(tiny_folders()),),
        strategies=("rag(retriever=bm25)", "rag(k=1,retriever=bm25)"),
        check_items=0,
    )
    first, second = make_plan(config).trials
    record, rows = run_trial(first, cache=tmp_path, emit=lambda event: None)
    assert record.scores["facts/recall@3"] > 0
    assert 0 <= record.scores["facts/cited"] <= 1
    for row in rows:
        assert len(row.passages) == 3
        assert set(row.cited) <= set(row.passages)
    monkeypatch.setattr(bm25, "build", None)  # k is no part of an index
    _, again = run_trial(second, cache=tmp_path, emit=lambda event: None)
    assert [row.passages for row in again] == [row.passages[:1] for row in rows]


def test_passages_are_as_long_as_asked_for_and_recorded_by_the_suites_names(model, tiny_embedder, tmp_path):
    corpus = tuple(Passage(f"guide.md#{n}", f"{TEXTS[n]} " * 30, "Guide") for n in range(4))
    task = replace(TASK, corpus=corpus, corpus_hash="long")
    step = rag(tiny_embedder, "bm25", "flat", passage_words=30, overlap=0.2)
    system = step.adapt(System(model, task.task), task, Context())
    (prompt,) = system.prompts(QUERIES[:1])
    assert max(len(passage.text.split()) for passage in prompt.passages) <= 1.5 * 30 + 6
    assert prompt.passages[0].suite_ids == ("guide.md#0",)
    step.save(system, tmp_path)
    assert step.load(System(model, task.task), task, Context(), tmp_path).prompts(QUERIES) == system.prompts(QUERIES)
    assert step.depends_on("", task) != rag(tiny_embedder, "bm25", "flat").depends_on("", task)


def test_an_overlap_needs_the_length_that_it_is_a_share_of(tiny_embedder):
    with pytest.raises(HarnessError, match="overlap is a share of passage_words"):
        rag(tiny_embedder, "dense", "flat", overlap=0.2)
