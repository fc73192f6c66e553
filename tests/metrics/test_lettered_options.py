"""Options that a model chooses by letter: strict, the last line that chooses counts."""

import pytest

from harness.metrics.parsing import lettered, parse_letter

OPTIONS = ("by the sea", "in the storm", "A")


@pytest.mark.parametrize(
    ("output", "answer"),
    [
        ("B", "in the storm"),
        (" (A) ", "by the sea"),
        ("**B.**", "in the storm"),
        ("Answer: C", "A"),
        ("B. in the storm", "in the storm"),
        ("It could be A.\nBut no.\nB", "in the storm"),
        ("A thought.</think>\nB", "in the storm"),
        ("By the sea", "by the sea"),
        ("A. in the storm", None),  # the letter and the option disagree
        ("D", None),
        ("b", None),
        ("", None),
    ],
)
def test_a_letter_is_read_strictly(output, answer):
    assert parse_letter(output, OPTIONS)[0] == answer


def test_labels_are_written_as_they_are_and_options_by_letter():
    assert not lettered("classification", OPTIONS)
    assert lettered("multiple_choice", OPTIONS)
    assert not lettered("multiple_choice", [str(number) for number in range(27)])
