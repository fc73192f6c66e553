"""Personal data are found by form and check digits, shown masked, and replaced by their kind."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.data.personal import anonymise, count_kinds, find_matches, mask


@pytest.mark.parametrize(
    ("kind", "value"),
    [
        ("EMAIL", "jane.doe+news@mail.example.co.uk"),
        ("EMAIL", "o'brien@example.org"),
        ("PHONE", "+44 20 7946 0958"),
        ("PHONE", "+49 (30) 901820"),
        ("PHONE", "(212) 555-0187"),
        ("PHONE", "212-555-0187"),
        ("CREDIT_CARD", "4111 1111 1111 1111"),
        ("CREDIT_CARD", "5555555555554444"),
        ("CREDIT_CARD", "3782-822463-10005"),
        ("IBAN", "DE89 3704 0044 0532 0130 00"),
        ("IBAN", "GB82WEST12345698765432"),
        ("IBAN", "NO93 8601 1117 947"),
        ("IP_ADDRESS", "192.0.2.17"),
        ("IP_ADDRESS", "2001:db8::ff00:42:8329"),
        ("NATIONAL_ID", "078-05-1120"),
        ("NATIONAL_ID", "AB 12 34 56 C"),
        ("NATIONAL_ID", "12345678Z"),
        ("NATIONAL_ID", "X1234567L"),
        ("NATIONAL_ID", "2 55 08 14 168 025 38"),
    ],
)
def test_each_kind_is_found_whole_within_a_sentence(kind, value):
    text = f"Please use {value}, as agreed."
    assert [(match.kind, text[match.start : match.end]) for match in find_matches(text)] == [(kind, value)]


@pytest.mark.parametrize(
    "text",
    [
        "4111 1111 1111 1112",  # Luhn
        "GB82WEST12345698765433",  # remainder modulo 97
        "12345678A",  # check letter
        "2 55 08 14 168 025 39",  # key
        "000-12-3456 and 666-12-3456 and 900-12-3456",  # areas never given out
        "GB 12 34 56 C",  # prefix never given out
        "version 1.2.3.4.5, 300.1.2.3, 127.0.0.1",
        "at 12:30:45 in 2024-05-06, 3.14159, 1,234,567",
        "user at example dot com, @handle, a@b",
        "In 1990 there were 2500 of 10000; pages 212-555.",
    ],
)
def test_what_fails_a_check_or_is_an_ordinary_number_is_left_alone(text):
    assert find_matches(text) == []


@pytest.mark.parametrize(
    ("kind", "value"),
    [
        ("EMAIL", "ann@example.org"),
        ("PHONE", "+86 10 6552 9988"),
        ("IBAN", "GB82WEST12345698765432"),
        ("NATIONAL_ID", "12345678Z"),
        ("IP_ADDRESS", "192.0.2.17"),
    ],
)
@pytest.mark.parametrize("template", ["请联系{}谢谢", "โปรดติดต่อ{}ด้วย"])
def test_it_is_found_where_words_have_no_spaces_between_them(template, kind, value):
    text = template.format(value)
    assert [(match.kind, text[match.start : match.end]) for match in find_matches(text)] == [(kind, value)]


def test_letters_with_accents_belong_to_an_address():
    assert anonymise("Mail josé@example.org.")[0] == "Mail <EMAIL>."


def test_personal_data_are_replaced_by_their_kind_and_counted():
    text, counted = anonymise("Ann (ann@example.org, ann2@example.org) has card 4111111111111111.")
    assert text == "Ann (<EMAIL>, <EMAIL>) has card <CREDIT_CARD>."
    assert counted == {"EMAIL": 2, "CREDIT_CARD": 1}


def test_an_example_is_shown_without_what_it_says():
    assert mask("jane.doe@example.org") == "j***.***@*******.***"
    assert list(count_kinds(["mail ann@example.org", "none", "bo@example.org and cy@example.org"])) == [
        ("EMAIL", 3, 2, "a**@*******.***")
    ]


@settings(max_examples=80, deadline=None)
@given(st.lists(st.sampled_from(["a@b.org", "+44 20 7946 0958", "x", "4111111111111111", "€", "1"]), max_size=12))
def test_nothing_is_found_in_what_was_anonymised(parts):
    once, _ = anonymise(" ; ".join(parts))
    assert anonymise(once)[0] == once
