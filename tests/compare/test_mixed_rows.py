"""Rows of several versions, protocols or machines, and differences no larger than rounding, are marked."""

import pytest

from harness.compare.report.comparison import compare
from harness.records.measurements import Check
from tests.compare.builders import HERE, completed, pattern


def warnings(stored, kind):
    return [warning.text for warning in compare(stored).suites[0].tasks[0].warnings if warning.kind == kind]


FIRST = HERE.model_copy(update={"git_commit": "a" * 40})


def seed(number, protocol=1, **environment):
    where = FIRST.model_copy(update=environment)
    return completed("qa", "lora", pattern(0.5), seed=number, trained=9, environment=where, protocol=protocol)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"git_commit": "b" * 40}, "2 versions of the code (aaaaaaaa and bbbbbbbb)"),
        ({"processor": "another"}, "2 machines ("),
        ({"packages": {"torch": "3"}}, "2 versions of torch ("),
        ({"protocol": 2}, "2 protocols (1 and 2)"),
    ],
    ids=["commit", "machine", "package", "protocol"],
)
def test_a_row_whose_seeds_are_not_alike_is_marked(changes, words):
    (line,) = warnings([seed(0), seed(1, **changes)], "row")
    assert line.startswith("lora: seeds ran with ")
    assert words in line
    assert warnings([seed(0), seed(1)], "row") == []


@pytest.mark.parametrize(("agreeing", "marked"), [(15, True), (19, False), (20, False)])
def test_a_clear_difference_that_is_no_larger_than_rounding_has_that_beside_it(agreeing, marked):
    """One is better by 0.1, clearly; 25 % of its answers change when asked alone, 5 %, or none."""
    check = Check(name="batch", items=20, agreeing=agreeing)
    better, worse = [1] * 200, [1] * 180 + [0] * 20
    stored = [completed("know", "few_shot", better, checks=(check,)), completed("know", "zero_shot", worse)]
    lines = warnings(stored, "noise")
    assert bool(lines) == marked
    if marked:
        assert lines[0].startswith("batching alone changes 5 of 20 answers (25.0%)")
        assert "differences of 0.25 or less may be rounding (" in lines[0]
