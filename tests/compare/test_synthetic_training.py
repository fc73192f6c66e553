"""Rows that learned written items: scores with and without what resembles the test, and no decision on one teacher."""

from harness.compare.decide.constraints import Constraints
from harness.compare.decide.feasibility import findings
from harness.compare.report.comparison import compare
from harness.records.measurements import SyntheticRows
from harness.render.report import legend
from tests.compare.builders import completed, info, pattern

COUNTS = {"passages": 30, "restricted passages left out": 4, "written": 60, "kept": 12}


def taught(right, *, affected=(), synthetic_by=None, teacher="big"):
    rows = SyntheticRows(
        teachers=(teacher,), counts=COUNTS, learned=92, synthetic=12, near_test=len(affected), affected=affected
    )
    tasks = (info("qa", synthetic_by=synthetic_by),)
    return completed("qa", "synthesise+lora", right, trained=9, synthetic=rows, tasks=tasks)


def table(*stored):
    return compare(stored).suites[0].tasks[0]


def test_the_score_stands_with_and_without_what_a_written_row_was_nearly_like():
    right = [1.0] * 40 + [0.0] * 60
    affected = tuple(f"{index:04d}" for index in range(20))
    task = table(completed("qa", "zero_shot", pattern(0.1, n=100)), taught(right, affected=affected))
    row = next(row for row in task.rows if row.synthetic)
    assert row.scores["token_f1"].value == 0.4
    assert row.synthetic.unaffected.value == 0.25
    text = " ".join(task.verdict)
    assert "20 test items resembled generated items" in text
    assert "0.40 [" in text
    assert "0.25 [" in text


def test_nothing_is_said_where_no_test_item_was_resembled():
    task = table(completed("qa", "zero_shot", pattern(0.1)), taught(pattern(0.4)))
    assert "resembled" not in " ".join(task.verdict)


def test_what_was_written_and_left_out_is_a_detail_of_the_row():
    task = table(completed("qa", "zero_shot", pattern(0.1)), taught(pattern(0.4), affected=("0001",)))
    (line,) = (line for line in legend.training_lines(task) if "written by" in line)
    assert "12 of 92 training items written by big" in line
    assert "12 of 60 written questions usable" in line
    assert "1 row dropped" in line
    assert "4 restricted passages left out" in line


def test_no_decision_rests_on_training_and_test_items_of_one_teacher():
    same = table(completed("qa", "zero_shot", pattern(0.1)), taught(pattern(0.9), synthetic_by="big"))
    other = table(completed("qa", "zero_shot", pattern(0.1)), taught(pattern(0.9), synthetic_by="another"))
    refused, fitting = (
        [check.text for check in findings(task.rows[0], task, Constraints()) if not check.ok] for task in (same, other)
    )
    assert refused == ["big wrote its training items and the test items"]
    assert fitting == []
    assert "also wrote the test items" in " ".join(same.verdict)
    assert "also wrote the test items" not in " ".join(other.verdict)
