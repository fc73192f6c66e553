"""Voting over sampled answers, and the end of a reasoning."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.metrics.parsing import reasoning
from harness.metrics.voting import winner


def test_free_answers_are_counted_alike_after_normalising():
    assert winner("qa", ["Paris", "the Amber river", "Amber River."]) == 1


def test_labels_are_counted_as_they_are_written():
    assert winner("classification", ["A", "a", "a"]) == 1


def test_a_sample_that_could_not_be_read_has_no_vote():
    assert winner("qa", [None, None, "Paris"]) == 2
    assert winner("qa", [None, None]) == 0


def test_of_as_many_votes_the_better_supported_wins_or_else_the_first():
    assert winner("qa", ["Rome", "Paris"]) == 0
    assert winner("classification", ["a", "b"], [{"a": -1.0, "b": -2.0}, {"a": -9.0, "b": -1.0}]) == 1


@given(st.lists(st.sampled_from(["a", "b", "c", None]), min_size=1, max_size=9))
def test_nothing_has_more_votes_than_the_winner(answers):
    chosen = answers[winner("classification", answers)]
    assert all(answers.count(answer) <= answers.count(chosen) for answer in answers if answer is not None)
    assert chosen is not None or not any(answers)


@pytest.mark.parametrize(
    ("output", "expected"),
    [
        (" It rains.\nSo it is wet.", "It rains.\nSo it is wet."),
        (" It rains.\nAnswer: wet", "It rains."),
        ("It rains.\n\nquestion: what?\nAnswer: x", "It rains."),
        ("The answer: it rains.", "The answer: it rains."),
        ("Answer: wet", ""),
    ],
)
def test_a_reasoning_ends_where_the_model_answers_or_asks(output, expected):
    assert reasoning(output, ("Question", "Answer")) == expected
