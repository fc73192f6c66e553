"""Free-text metrics by the SQuAD rules, and reading answers from outputs."""

import re
import string

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
        ("naïve Café", "naïve café"),
    ],
)
def test_text_is_normalised_as_the_squad_script_does(text, expected):
    assert normalise(text) == expected


def squad_normalised(text):
    """`normalize_answer` of the SQuAD v1.1 evaluation script."""
    words = "".join(c for c in text.lower() if c not in set(string.punctuation))
    return " ".join(re.sub(r"\b(a|an|the)\b", " ", words).split())


ENGLISH = st.text(string.ascii_letters + string.punctuation + " \n\t", max_size=30)
ENGLISH_WORDS = st.lists(st.sampled_from(["The", "a", "an", "cat", "Cats", "it's", "well-known", "(see)", "C++", "."]))


@settings(max_examples=300, deadline=None)
@given(ENGLISH | ENGLISH_WORDS.map(" ".join))
def test_english_without_digits_is_normalised_as_squad_does_unless_nothing_would_remain(text):
    expected = squad_normalised(text)
    if expected and set(normalise(text)) & set("+#<=>*^"):  # they are all that SQuAD drops besides
        assert squad_normalised(normalise(text)) == expected
        return
    assert normalise(text) == expected if expected else text.isspace() or not text or normalise(text)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("-5", "-5"),
        ("\u22125", "-5"),
        ("(-$5).", "-5"),
        ("$5", "5"),
        ("+5", "5"),
        ("3.14.", "3.14"),
        ("$1,000.50", "1000.50"),
        ("1,00,000", "100000"),
        ("3,14", "3,14"),
        ("1990\u20132000", "1990-2000"),
        ("1/2", "1/2"),
        ("½", "1/2"),
        ("1½", "1 1/2"),
        ("10²", "10 2"),
        ("12:30", "12:30"),
        ("COVID-19", "covid19"),
        ("\uff11\uff12", "12"),
    ],
)
def test_numbers_keep_their_marks_but_no_grouping(text, expected):
    assert normalise(text) == expected


@pytest.mark.parametrize(
    ("answer", "reference"),
    [
        *[("C++", "C"), ("C#", "C"), ("C#", "C++"), ("F#m", "Fm"), ("18+", "18"), ("Google+", "Google")],
        *[("x < 5", "x > 5"), ("x<=5", "x<5"), ("a*b", "ab"), ("x^2", "x2"), ("a = b", "a b")],
    ],
)
def test_words_that_differ_in_a_symbol_do_not_match(answer, reference):
    items = answered(answer, reference, output=answer)
    assert metrics.get("exact_match").value(items) == 0
    assert metrics.get("token_f1").value(items) < 1
    assert metrics.get("contains").value(items) == 0 or answer == "a = b"
    same = answered(f"({answer}).", answer, output=f"It is {answer}.")
    assert [metrics.get(name).value(same) for name in ("exact_match", "token_f1", "contains")] == [1, 1, 1]


@pytest.mark.parametrize(
    "answer", ["<Paris>", "**Paris**", "*Paris*", "-> Paris", "=> Paris", "> Paris", "# Paris", "+ Paris", "#Paris"]
)
def test_symbols_that_mark_or_enclose_a_word_do_not_count(answer):
    assert metrics.get("exact_match").value(answered(answer, "Paris")) == 1


@pytest.mark.parametrize(("answer", "reference"), [("-5", "5"), ("3.14", "314"), ("1/2", "12"), ("+", "-"), ("!", "?")])
def test_unlike_numbers_and_signs_do_not_match(answer, reference):
    items = answered(answer, reference, output=answer)
    assert [metrics.get(name).value(items) for name in ("exact_match", "token_f1", "contains")] == [0, 0, 0]


@pytest.mark.parametrize(
    ("answer", "reference", "f1"),
    [("A", "A", 1), ("The", "a", 0), ("The", "The", 1), ("Option A", "A", 2 / 3), ("the cat", "a cat", 1)],
)
def test_an_answer_of_articles_alone_keeps_them(answer, reference, f1):
    items = answered(answer, reference, output=f"It is {answer}.")
    assert metrics.get("token_f1").value(items) == pytest.approx(f1)
    assert metrics.get("contains").value(items) == (f1 > 0)


TEXTS = (
    "हिन्दी में लिखा सारांश",
    "Ελληνική περίληψη",
    "Русский текст",
    "北京最有名的菜",
    "สรุปภาษาไทย",
    "ملخص عربي",
    "한국어 요약",
)


@pytest.mark.parametrize("text", TEXTS)
@pytest.mark.parametrize("metric", ["exact_match", "token_f1", "contains", "rouge1", "rouge2", "rougeL"])
def test_equal_texts_of_any_script_score_1_and_unlike_ones_less(metric, text):
    assert metrics.get(metric).value(answered(text, text, output=text)) == 1
    for other in TEXTS:
        if other != text:
            assert metrics.get(metric).value(answered(other, text, output=other)) == 0


def test_texts_without_spaces_overlap_by_characters_and_hindi_by_words():
    assert overlap("北京烤鸭。", "烤鸭") == pytest.approx(2 * 2 / (4 + 2))
    assert overlap("दिन", "दान") == 0
    assert metrics.get("contains").value(answered(None, "烤鸭", output="答案是北京烤鸭。")) == 1


@pytest.mark.parametrize(
    ("answer", "reference"),
    [("caf\u00e9", "cafe\u0301"), ("“Paris”", "Paris"), ("it\u2019s", "it's"), ("a\u200bb", "ab")],
)
def test_unicode_forms_and_punctuation_do_not_count(answer, reference):
    assert metrics.get("exact_match").value(answered(answer, reference)) == 1


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
        ("`Positive`\nwhich is not negative", "Positive"),
        ("<negative>\nor Positive", "negative"),
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


@pytest.mark.parametrize(
    ("output", "labels", "answer"),
    [
        ("दिन", ("दिन", "दान"), "दिन"),
        ("उत्तर है दान।", ("दिन", "दान"), "दान"),
        ("答案是正面的", ("正面", "负面"), "正面"),
        ("คำตอบคือไม่ดี", ("ดี", "ไม่ดี"), "ไม่ดี"),
        ("It is cafe\u0301\u200b!", ("caf\u00e9", "bar"), "caf\u00e9"),
        ("I feel 😡!", ("😀", "😡"), "😡"),
        ("The answer is -5", ("5", "-5"), "-5"),
        ("-5.", ("5", "-5"), "-5"),
        ("C++.", ("C", "C++"), "C++"),
    ],
)
def test_a_label_of_any_script_is_found_whole(output, labels, answer):
    assert parse("classification", output, labels) == (answer, "label")


@pytest.mark.parametrize("output", ["It is 3.14", "It is -3", "1.3"])
def test_a_label_is_no_part_of_a_longer_number(output):
    assert parse("classification", output, ("3", "4"))[0] is None


def test_no_choices_is_a_failure():
    assert parse("multiple_choice", "x")[1] == "failed: no choices to read the answer by"


@settings(max_examples=100, deadline=None)
@given(st.text(), st.lists(st.text(min_size=1), unique=True))
def test_a_parsed_label_is_always_one_of_the_choices(output, choices):
    answer, how = parse("classification", output, choices)
    assert answer in choices if how == "label" else answer is None
