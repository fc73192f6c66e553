"""Free-text metrics by the SQuAD rules, and reading answers from outputs."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness import metrics
from harness.metrics.items import Items
from harness.metrics.parsing import parse
from harness.metrics.text_answers import normalise, overlap
from harness.records.record import Row


def answered(answer, *references, output=""):
    return Items.from_rows([Row(task="t", id="0", references=references, answer=answer, output=output)])


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("The  Cat, a cat!", "cat cat"),
        ("An (apple)", "apple"),
        ("theatre", "theatre"),
        ("well-known", "wellknown"),
        ("$1,000.50", "100050"),
        ("a", ""),
        ("naïve Café", "naïve café"),
    ],
)
def test_text_is_normalised_as_the_squad_script_does(text, expected):
    assert normalise(text) == expected


@pytest.mark.parametrize(
    ("answer", "references", "exact", "f1"),
    [
        ("Denver Broncos", ["The Denver Broncos!"], 1, 1),
        ("Broncos", ["Denver Broncos", "Carolina"], 0, 2 / 3),
        ("Carolina", ["Denver Broncos", "Carolina"], 1, 1),
        ("in in the city", ["in city"], 0, 0.8),
        ("Paris", ["London"], 0, 0),
        (None, ["London"], 0, 0),
    ],
)
def test_exact_match_and_f1_take_the_best_reference(answer, references, exact, f1):
    assert metrics.get("exact_match").value(answered(answer, *references)) == exact
    assert metrics.get("token_f1").value(answered(answer, *references)) == pytest.approx(f1)


@settings(max_examples=60, deadline=None)
@given(st.text(), st.text())
def test_overlap_is_symmetric_and_bounded(one_text, other):
    assert 0 <= overlap(one_text, other) <= 1
    assert overlap(one_text, other) == overlap(other, one_text)


@pytest.mark.parametrize(
    ("output", "reference", "expected"),
    [
        ("It was the Denver Broncos, I think.", "Denver Broncos", 1),
        ("I know nothing", "no", 0),
        ("Anything", "the", 0),
    ],
)
def test_contains_looks_for_whole_words_of_the_output(output, reference, expected):
    assert metrics.get("contains").value(answered(None, reference, output=output)) == expected


@pytest.mark.parametrize(
    ("output", "answer"),
    [
        ("\n\n  Paris  \nis the capital", "Paris"),
        ('Answer: "Paris"', "Paris"),
        ("ANSWER :\n\u201cParis\u201d", "Paris"),
        ("'tis the season", "'tis the season"),
        ("Answering machine", "Answering machine"),
        ("\"'x'\"", "x"),
    ],
)
def test_free_text_is_the_first_line_without_lead_and_quotes(output, answer):
    assert parse("qa", output) == (answer, "first_line")


@pytest.mark.parametrize("output", ["", "  \n ", "Answer:", '""'])
def test_an_output_without_text_fails_to_parse(output):
    assert parse("generation", output) == (None, "failed: empty output")
    assert parse("classification", output, ("a",)) == (None, "failed: empty output")


@pytest.mark.parametrize(
    ("output", "answer"),
    [
        ("positive", "Positive"),
        ("Answer: POSITIVE.", "Positive"),
        ("Positive\nbecause nothing is negative", "Positive"),
        ("The review is negative.", "negative"),
        ("I would say: not positive", "not positive"),
        ("card_arrival", "card arrival"),
    ],
)
def test_a_label_is_read_as_the_task_writes_it(output, answer):
    labels = ("Positive", "negative", "not positive", "card arrival")
    assert parse("classification", output, labels) == (answer, "label")


@pytest.mark.parametrize(
    ("output", "reason"),
    [
        ("positively", "no label in the output"),
        ("either positive or negative", "2 labels in the output"),
        ("++", "no label in the output"),
    ],
)
def test_no_label_or_several_is_a_failure_with_its_reason(output, reason):
    assert parse("classification", output, ("positive", "negative")) == (None, f"failed: {reason}")


def test_choices_that_differ_in_punctuation_only_are_told_apart():
    assert parse("multiple_choice", "C++", ("C", "C++")) == ("C++", "label")
    assert parse("multiple_choice", "-", ("+", "-")) == ("-", "label")


def test_no_choices_is_a_failure():
    assert parse("multiple_choice", "x")[1] == "failed: no choices to read the answer by"


@settings(max_examples=100, deadline=None)
@given(st.text(), st.lists(st.text(min_size=1), unique=True))
def test_a_parsed_label_is_always_one_of_the_choices(output, choices):
    answer, how = parse("classification", output, choices)
    assert answer in choices if how == "label" else answer is None
