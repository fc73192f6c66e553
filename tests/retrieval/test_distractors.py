"""RAFT: in prompts that are trained on, the right passage stands among wrong ones, or only wrong ones do."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.api import Context, Example, Passage, Query, System, Task, TaskData
from harness.plan import chain, discover
from harness.retrieval import bm25
from harness.retrieval.distractors import Distractors
from harness.retrieval.ranking import PassageRetriever
from harness.training.training_samples import build_samples, build_split_samples

PASSAGES = tuple(Passage(f"p{n}", f"Door {n} of the castle opens with key number {n + 100}.") for n in range(20))
EXAMPLES = tuple(
    Example(Query(f"q{n}", f"Which key opens door {n} of the castle?"), (f"{n + 100}",), evidence=(f"p{n}",))
    for n in range(20)
)
QUERIES = [example.query for example in EXAMPLES]


def retriever(passages=PASSAGES, k=1, **settings):
    return PassageRetriever((bm25.build(passages),), passages, k, distractors=Distractors(**settings))


@given(st.integers(1, 5), st.floats(0, 1), st.integers(0, 99))
def test_each_prompt_has_as_many_passages_and_no_wrong_one_holds_the_answer(count, share, seed):
    shown = retriever(count=count, evidence_share=share, seed=seed).find_for_training(EXAMPLES)
    for example, passages in zip(EXAMPLES, shown, strict=True):
        assert len(passages) == count + 1
        assert len(set(passages)) == count + 1
        wrong = [passage for passage in passages if passage.id not in example.evidence]
        assert len(wrong) >= count
        assert not any(example.references[0] in passage.text for passage in wrong)


@pytest.mark.parametrize(("share", "low", "high"), [(1.0, 20, 20), (0.0, 0, 0), (0.5, 4, 16)])
def test_the_right_passage_is_missing_in_a_share_of_prompts(share, low, high):
    shown = retriever(count=3, evidence_share=share, seed=0).find_for_training(EXAMPLES)
    holding = [passages for example, passages in zip(EXAMPLES, shown, strict=True) if _right(example, passages)]
    assert low <= len(holding) <= high


def _right(example, passages):
    return any(passage.id in example.evidence for passage in passages)


def test_the_right_passage_stands_anywhere_and_the_seed_decides_where():
    shown, same, other = (
        retriever(count=3, evidence_share=1, seed=seed).find_for_training(EXAMPLES) for seed in (0, 0, 1)
    )
    assert shown == same != other
    places = {
        [passage.id in example.evidence for passage in passages].index(True)
        for example, passages in zip(EXAMPLES, shown, strict=True)
    }
    assert places == {0, 1, 2, 3}


def test_questions_are_asked_with_plain_retrieval():
    plain = PassageRetriever((bm25.build(PASSAGES),), PASSAGES, 1)
    assert retriever(count=3, evidence_share=0.5, seed=0).find(QUERIES) == plain.find(QUERIES)
    assert plain.find_for_training(EXAMPLES) == plain.find(QUERIES)


def test_without_evidence_the_best_ranked_passage_with_the_answer_is_the_right_one():
    examples = [Example(example.query, example.references) for example in EXAMPLES]
    shown = retriever(count=3, evidence_share=1, seed=0).find_for_training(examples)
    for example, passages in zip(EXAMPLES, shown, strict=True):
        assert _right(example, passages)


def test_a_passage_that_holds_the_answer_too_is_no_distractor():
    copies = tuple(Passage(f"copy{n}", f"As said, key {n + 100} opens door {n}.") for n in range(20))
    shown = retriever((*PASSAGES, *copies), count=3, evidence_share=1, seed=0).find_for_training(EXAMPLES)
    assert not any(passage.id == f"copy{n}" for n, passages in enumerate(shown) for passage in passages)


def test_nobody_trains_on_what_the_asking_user_may_not_read():
    restricted = tuple(Passage(p.id, p.text, "", ("ann",)) if n % 2 else p for n, p in enumerate(PASSAGES))
    shown = retriever(restricted, count=3, evidence_share=1, seed=0).find_for_training(EXAMPLES)
    assert all(passage.readable_by(None) for passages in shown for passage in passages)
    assert [_right(e, passages) for e, passages in zip(EXAMPLES, shown, strict=True)] == [True, False] * 10


def test_a_small_corpus_gives_fewer_distractors_and_keeps_the_right_passage():
    shown = retriever(PASSAGES[:3], count=5, evidence_share=0, seed=0).find_for_training(EXAMPLES[:3])
    assert all(_right(example, passages) for example, passages in zip(EXAMPLES[:3], shown, strict=True))


def test_only_the_training_split_is_laid_out_with_distractors(open_tiny):
    task = TaskData(Task("doors", "qa", max_new_tokens=4), EXAMPLES[:6], EXAMPLES[6:9], PASSAGES)
    (link,) = chain.build("rag(k=1,retriever=bm25,distractors=2,evidence_share=1.0)", discover.find_step)
    system = link.step.adapt(System(open_tiny(), task.task), task, Context(seed=3))
    prompts = system.training_prompts(task.train)
    assert [len(prompt.passages) for prompt in prompts] == [3] * 6
    assert [len(prompt.passages) for prompt in system.prompts(QUERIES)] == [1] * 20
    assert build_split_samples(system, task, "validation") == build_samples(system, task.validation)
    assert build_split_samples(system, task, "train") == build_samples(system, task.train, training=True)
    assert build_split_samples(system, task, "train") != build_samples(system, task.train)
