"""A corpus cut anew: the same text, other passages, and evidence that still names the suite's."""

from hypothesis import given, settings
from hypothesis import strategies as st

from harness.api import Example, Passage, Query
from harness.retrieval import bm25
from harness.retrieval.distractors import Distractors
from harness.retrieval.ranking import PassageRetriever
from harness.retrieval.recut import recut


def corpus(*sizes, file="guide.md"):
    numbers = iter(range(100_000))
    return tuple(
        Passage(f"{file}#{n}", " ".join(f"w{next(numbers)}" for _ in range(size)), "Guide")
        for n, size in enumerate(sizes, 1)
    )


@settings(max_examples=40, deadline=None)
@given(st.lists(st.integers(1, 300), min_size=1, max_size=8), st.integers(20, 300), st.sampled_from([0.0, 0.25]))
def test_no_word_is_lost_and_each_passage_covers_what_it_holds(sizes, words, overlap):
    sources = corpus(*sizes)
    passages = recut(sources, words, overlap)
    text = " ".join(passage.text for passage in sources).split()
    if not overlap:
        assert " ".join(passage.text for passage in passages).split() == text
    assert {word for passage in passages for word in passage.text.split()} == set(text)
    assert len({passage.id for passage in passages}) == len(passages)
    by_id = {passage.id: set(passage.text.split()) for passage in sources}
    for passage in passages:
        held = set(passage.text.split())
        assert by_id[passage.suite_ids[0]] & held
        assert max(len(names & held) for names in by_id.values()) == len(by_id[passage.suite_ids[0]] & held) or overlap


def test_small_passages_are_put_together_and_large_ones_cut():
    merged = recut(corpus(50, 50, 50, 50), 100, 0)
    assert [passage.suite_ids for passage in merged] == [("guide.md#1", "guide.md#2"), ("guide.md#3", "guide.md#4")]
    pieces = recut(corpus(200), 50, 0)
    assert {passage.suite_ids for passage in pieces} == {("guide.md#1",)}
    assert len(pieces) == 4


def test_an_overlap_repeats_the_end_of_the_passage_before():
    first, second = recut(corpus(100, 100), 100, 0.2)
    assert second.text.split()[:20] == first.text.split()[-20:]
    assert second.suite_ids == ("guide.md#2",)


def test_rows_of_a_table_and_texts_of_other_readers_are_not_put_together():
    rows = tuple(Passage(f"row-{n}", "a b c") for n in range(3))
    assert recut(rows, 100, 0) == rows
    public, private = corpus(20, 20)
    private = Passage(private.id, private.text, private.title, ("anna",))
    passages = recut((public, private), 100, 0)
    assert [(passage.suite_ids, passage.readers) for passage in passages] == [
        (("guide.md#1",), ()),
        (("guide.md#2",), ("anna",)),
    ]


def test_evidence_that_a_larger_passage_holds_is_what_it_is_recorded_as():
    passages = recut(corpus(50, 50, 50, 50), 100, 0)
    assert [passage.suite_id(("guide.md#4",)) for passage in passages] == ["guide.md#1", "guide.md#4"]


def test_distractors_hold_no_part_of_the_evidence():
    sources = tuple(Passage(p.id, f"{p.text} ship", p.title) for p in corpus(*[60] * 10))
    passages = recut(sources, 30, 0)
    example = Example(Query("q", "ship w0"), ("an answer",), evidence=("guide.md#1",))
    retriever = PassageRetriever((bm25.build(passages),), passages, 2, distractors=Distractors(3, 1.0, 0))
    (shown,) = retriever.find_for_training([example])
    assert sum("guide.md#1" in passage.suite_ids for passage in shown) == 1
