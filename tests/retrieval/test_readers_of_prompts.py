"""Nobody's prompt shows what they may not read: retrieved passages, fixed, nearest and searched exemplars alike."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.api import Example, Passage, Query, System, Task
from harness.data.readers import restrict
from harness.retrieval import bm25, dense
from harness.retrieval.exemplars import FixedExemplars, NearestExemplars
from harness.retrieval.ranking import PassageRetriever
from strategies.optimised import SearchedExemplars
from tests import tiny
from tests.tiny import SENTENCES

USERS = (None, "ann", "bo", "cy")
READERS = st.sampled_from([(), (), ("ann",), ("bo",), ("ann", "bo")])
SECRETS = [f"secret{n}" for n in range(len(SENTENCES))]


@pytest.fixture(scope="module")
def model(tiny_folders, tiny_cache):
    return tiny.open_tiny(tiny_folders(), tiny_cache)


@pytest.fixture(scope="module")
def embedder(tiny_embedder):
    return dense.open_embedder(tiny_embedder, torch.float32)


@pytest.fixture(scope="module")
def vectors(embedder):
    return dense.embed(embedder, SENTENCES, "document")


@pytest.mark.parametrize("choose", ["fixed", "searched", "nearest"])
@settings(max_examples=25, deadline=None)
@given(draw=st.data())
def test_a_prompt_shows_its_user_nothing_that_rests_on_what_they_may_not_read(choose, model, embedder, vectors, draw):
    groups = draw.draw(st.lists(READERS, min_size=len(SENTENCES), max_size=len(SENTENCES)))
    passages = tuple(
        Passage(f"p{n}", f"{text} {secret}", "", who)
        for n, (text, secret, who) in enumerate(zip(SENTENCES, SECRETS, groups, strict=True))
    )
    evidence = [draw.draw(st.sets(st.sampled_from(range(len(passages))), max_size=2)) for _ in SENTENCES]
    askers = draw.draw(st.lists(st.sampled_from(USERS), min_size=len(SENTENCES), max_size=len(SENTENCES)))
    pool = restrict(
        [
            Example(
                Query(f"t{n}", text, user=askers[n]),
                (" ".join(SECRETS[index] for index in evidence[n]) or f"free{n}",),
                evidence=tuple(f"p{index}" for index in evidence[n]),
            )
            for n, text in enumerate(SENTENCES)
        ],
        passages,
    )
    k = draw.draw(st.sampled_from([1, 2, len(pool)]))
    exemplars = {
        "fixed": lambda: FixedExemplars(pool[:k], pool[k:]),
        "searched": lambda: SearchedExemplars(pool[:k], pool[k : 2 * k]),
        "nearest": lambda: NearestExemplars(embedder, pool, vectors, k),
    }[choose]()
    retriever = PassageRetriever((bm25.build(passages),), passages, k)
    queries = [*(Query(f"q{n}", text, user=user) for n, text in enumerate(SENTENCES[:3]) for user in USERS)]
    queries += [example.query for example in pool[:3]]
    system = System(model, Task("t", "qa"), exemplars, retriever)
    restricted = any(groups)
    for query, prompt in zip(queries, system.prompts(queries), strict=True):
        shown = " ".join([*(answer for _, answer in prompt.exemplars), *(p.text for p in prompt.passages)]).split()
        hidden = {SECRETS[n] for n, who in enumerate(groups) if who and query.user not in who}
        assert not hidden & set(shown)
        for n, asker in enumerate(askers):
            if restricted and asker and not evidence[n] and asker != query.user:
                assert f"free{n}" not in shown  # may rest on anything that its asker reads
        readable = [example for example in pool if example.readable_by(query.user) and example.query.id != query.id]
        if choose != "searched":
            assert len(prompt.exemplars) == min(k, len(readable))
        if not restricted:
            assert not prompt.restricted


def test_where_nothing_is_restricted_every_example_is_everybodys():
    examples = [Example(Query("a", "x", user="ann"), ("y",), evidence=("p",)), Example(Query("b", "x"), ("y",))]
    assert restrict(examples, [Passage("p", "text")]) == tuple(examples)
