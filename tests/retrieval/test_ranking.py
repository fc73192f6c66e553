"""Passages of a prompt: only those that the user may read, fused, reranked and cut, for every searcher."""

import itertools

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.api import Passage, Prompt, Query, System, Task
from harness.errors import HarnessError
from harness.prompts import layout
from harness.retrieval import bm25, dense
from harness.retrieval.ranking import PassageRetriever, fuse_rankings, passage_line, readable_mask
from harness.retrieval.rerank import LikelihoodReranker, open_cross_encoder
from tests import tiny

WORDS = ("harbour", "river", "film", "music", "storm", "city", "room", "phrase")
TEXTS = [f"The {a} is near the {b}, item {n}." for n, (a, b) in enumerate(itertools.permutations(WORDS, 2))]
USERS = (None, "ann", "bo", "cy")
READERS = st.sampled_from([(), (), ("ann",), ("bo",), ("ann", "bo")])


@pytest.fixture(scope="module")
def cross_encoder(tmp_path_factory):
    return open_cross_encoder(tiny.save_cross_encoder(tmp_path_factory.mktemp("cross") / "model"))


@pytest.fixture(scope="module")
def model(tiny_folders, tiny_cache):
    return tiny.open_tiny(tiny_folders(), tiny_cache)


@pytest.fixture(scope="module")
def rerankers(cross_encoder, model):
    return {"none": None, "likelihood": LikelihoodReranker(model), "cross-encoder": cross_encoder}


@pytest.fixture(scope="module")
def searchers(tiny_embedder):
    """Searchers of each kind over the corpus, without permissions."""
    passages = tuple(Passage(str(n), text) for n, text in enumerate(TEXTS))
    embedder = dense.open_embedder(tiny_embedder, torch.float32)
    indexes = {kind: dense.build(embedder, passages, kind) for kind in ("flat", "ivf", "hnsw")}
    lexical = bm25.build(passages)
    by_signal = {f"dense-{kind}": (searcher,) for kind, searcher in indexes.items()}
    by_signal |= {f"hybrid-{kind}": (searcher, lexical) for kind, searcher in indexes.items()}
    return by_signal | {"bm25": (lexical,)}


@pytest.mark.parametrize("rerank", ["none", "likelihood", "cross-encoder"])
@pytest.mark.parametrize(
    "signal", ["dense-flat", "dense-ivf", "dense-hnsw", "hybrid-flat", "hybrid-ivf", "hybrid-hnsw", "bm25"]
)
@settings(max_examples=8, deadline=None)
@given(data=st.data())
def test_nobody_gets_what_they_may_not_read_and_everybody_gets_k_of_what_is_found(
    signal, rerank, searchers, rerankers, data
):
    everybody = data.draw(st.lists(READERS, min_size=len(TEXTS), max_size=len(TEXTS)))
    passages = tuple(Passage(str(n), text, "", who) for n, (text, who) in enumerate(zip(TEXTS, everybody, strict=True)))
    k = data.draw(st.sampled_from([1, 3, 40]))
    retriever = PassageRetriever(searchers[signal], passages, k, rerankers[rerank], candidates=4)
    drawn = data.draw(st.lists(st.tuples(st.sampled_from(USERS), st.sampled_from(["river harbour", "storm", "zebra"]))))
    queries = [Query(str(n), text, user=user) for n, (user, text) in enumerate(drawn)]
    for query, retrieved in zip(queries, retriever.find(queries), strict=True):
        for passage in retrieved:
            assert not passage.readers or query.user in passage.readers
        readable = [p for p in passages if not p.readers or query.user in p.readers]
        matching = [p for p in readable if set(query.input.split()) & set(p.text.rstrip(".").replace(",", "").split())]
        findable = len(matching if signal == "bm25" else readable)
        assert len(retrieved) == len({passage.id for passage in retrieved}) == min(k, findable)


@pytest.mark.parametrize("rerank", ["none", "likelihood", "cross-encoder"])
def test_a_query_that_matches_nothing_has_a_prompt_without_passages(rerank, searchers, rerankers):
    passages = tuple(Passage(str(n), text) for n, text in enumerate(TEXTS))
    retriever = PassageRetriever(searchers["bm25"], passages, 3, rerankers[rerank], candidates=4)
    queries = [Query("0", "zebra"), Query("1", "storm")]
    for asked, counts in ((queries[:1], [0]), (queries, [0, 3])):
        prompts = System(rerankers["likelihood"].model, Task("t", "qa"), retriever=retriever).prompts(asked)
        assert [len(prompt.passages) for prompt in prompts] == counts


@pytest.mark.parametrize("signal", ["dense-flat", "hybrid-flat", "bm25"])
def test_readable_passages_are_ranked_as_if_they_were_alone(signal, searchers):
    passages = tuple(Passage(str(n), text, "", ("ann",) if n % 3 else ()) for n, text in enumerate(TEXTS))
    (retrieved,) = PassageRetriever(searchers[signal], passages, 5).find([Query("q", "river harbour")])
    lists = [searcher.search(["river harbour"], None, len(TEXTS))[0] for searcher in searchers[signal]]
    mine = [[position for position in ranked if position % 3 == 0] for ranked in lists]
    assert [int(p.id) for p in retrieved] == (mine[0] if len(mine) == 1 else fuse_rankings(mine))[:5]


def test_users_are_served_side_by_side(searchers):
    passages = tuple(
        Passage(str(n), text, "", (user,) if (user := USERS[n % 4]) else ()) for n, text in enumerate(TEXTS)
    )
    retriever = PassageRetriever(searchers["bm25"], passages, 5)
    queries = [Query(str(n), "river harbour", user=user) for n, user in enumerate((*USERS, *USERS))]
    assert retriever.find(queries) == [retriever.find([query])[0] for query in queries]


def test_a_user_sees_public_passages_and_those_that_name_them():
    passages = [Passage("a", ""), Passage("b", "", "", ("ann",)), Passage("c", "", "", ("ann", "bo"))]
    assert readable_mask(passages, None).tolist() == [True, False, False]
    assert readable_mask(passages, "bo").tolist() == [True, False, True]
    assert readable_mask(passages, "").tolist() == [True, False, False]


def test_a_searcher_that_ignores_what_is_allowed_is_not_believed():
    class Careless:
        def search(self, texts, allowed, depth):
            return [list(range(6)) for _ in texts]

    passages = tuple(Passage(str(n), "", "", ("ann",) if n < 3 else ()) for n in range(6))
    (retrieved,) = PassageRetriever((Careless(),), passages, 2).find([Query("q", "x")])
    assert [passage.id for passage in retrieved] == ["3", "4"]


def test_lists_are_fused_by_the_sum_of_reciprocal_ranks():
    sums = {7: 1 / 61, 3: 1 / 62 + 1 / 62, 5: 1 / 63 + 1 / 61, 9: 1 / 63}
    assert fuse_rankings([[7, 3, 5], [5, 3, 9]]) == sorted(sums, key=lambda position: -sums[position]) == [5, 3, 7, 9]


def test_what_both_lists_have_comes_before_the_first_of_one():
    assert fuse_rankings([[1, 2], [3, 2]])[0] == 2


def test_equal_sums_keep_the_order_of_the_corpus():
    assert fuse_rankings([[9, 1], [1, 9], []]) == [1, 9]


def test_likelihood_orders_by_the_question_given_the_passage(model, searchers):
    passages = tuple(Passage(str(n), text) for n, text in enumerate(TEXTS))
    query = Query("q", "Where is the harbour?")
    first = PassageRetriever(searchers["bm25"], passages, 6).find([query])[0]
    retrieved = (
        PassageRetriever(searchers["bm25"], passages, 6, LikelihoodReranker(), 6).with_model(model).find([query])[0]
    )
    assert set(retrieved) == set(first)

    def likelihood(passage):
        task = Task("t", "language_modelling", form="plain", question_label="Task", answer_label="Question")
        prompt = Prompt(task, "Please write a question based on this passage.", passages=(passage,))
        return model.score_choices([prompt], [[query.input]])[0].choice_scores[0]

    assert list(retrieved) == sorted(first, key=likelihood, reverse=True)


def test_a_passage_too_long_for_the_model_comes_last_of_the_reranked(model):
    passages = (Passage("long", "river " * 2 * tiny.WINDOW), Passage("short", "a film"), Passage("other", "a city"))
    (retrieved,) = PassageRetriever((bm25.build(passages),), passages, 3, LikelihoodReranker(model), 3).find(
        [Query("q", "river")]
    )
    assert retrieved[-1].id == "long"


def test_only_the_candidates_are_reranked(searchers, cross_encoder):
    passages = tuple(Passage(str(n), text) for n, text in enumerate(TEXTS))
    query = [Query("q", "river harbour")]
    first = PassageRetriever(searchers["bm25"], passages, 5).find(query)[0]
    reranked = PassageRetriever(searchers["bm25"], passages, 2, cross_encoder, 5).find(query)[0]
    pairs = [(query[0].input, passage_line(p)) for p in first]
    scores = cross_encoder.encoder.predict(pairs).tolist()
    assert list(reranked) == [p for _, p in sorted(zip(scores, first, strict=True), key=lambda pair: -pair[0])][:2]


def test_a_system_asks_its_own_model_and_no_earlier_one(model, searchers):
    passages = tuple(Passage(str(n), text) for n, text in enumerate(TEXTS))
    prompt_counts = []

    class Spy:
        def score_choices(self, prompts, choices, *, progress=None):
            prompt_counts.append(len(prompts))
            return model.score_choices(prompts, choices)

    retriever = PassageRetriever(searchers["bm25"], passages, 1, LikelihoodReranker(), 4)
    System(Spy(), Task("t", "qa"), retriever=retriever).prompts([Query("q", "river harbour")])
    assert prompt_counts == [4]
    with pytest.raises(HarnessError, match="log-likelihoods"):
        retriever.find([Query("q", "river harbour")])


def test_a_model_with_several_scores_a_pair_is_no_reranker(tmp_path):
    with pytest.raises(HarnessError, match="gives 2 scores a pair"):
        open_cross_encoder(tiny.save_cross_encoder(tmp_path / "model", scores=2))


def test_what_is_no_cross_encoder_is_one_sentence(tmp_path):
    (tmp_path / "config.json").write_text("{")
    with pytest.raises(HarnessError, match="cannot be loaded"):
        open_cross_encoder(tmp_path)


def test_whole_passages_are_left_out_last_first_until_exemplars_and_question_fit(open_tiny):
    tokenizer = open_tiny().tokenizer
    passages = tuple(Passage(str(n), f"{'river ' * 10}{n}.") for n in range(8))
    exemplars = (("Which film?", "none"), ("Which city?", "the old one"))
    prompt = Prompt(Task("t", "qa", "Answer."), "Which river?", exemplars, passages)
    max_tokens = len(layout.render_prompt(prompt, tokenizer, max_tokens=None).tokens) - 1
    rendered = layout.render_prompt(prompt, tokenizer, max_tokens=max_tokens)
    assert rendered.dropped_passages == 1
    assert len(rendered.tokens) <= max_tokens
    for text in (*(p.text for p in passages[:7]), *itertools.chain(*exemplars), "Which river?"):
        assert text in rendered.text
    assert passages[7].text not in rendered.text
    tight = layout.render_prompt(prompt, tokenizer, max_tokens=max_tokens // 2)
    assert sum(passage.text in tight.text for passage in passages) == 8 - tight.dropped_passages < 7
