"""Verdicts: sentences that say what the intervals and tests carry, and no more."""

from harness.compare.report.comparison import compare
from harness.compare.trials.stored_trials import StoredTrialItems
from tests.compare.builders import completed, failed, info, pattern, quick_suite, skipped


def one_task(*stored):
    return compare(stored).suites[0].tasks[0]


def said(*stored):
    return " ".join(one_task(*stored).verdict)


def test_a_clear_winner_is_named_best():
    text = said(completed("qa", "zero_shot", pattern(0.1)), completed("qa", "rag", pattern(0.5)))
    assert "`rag` is clearly the best on `qa`: token F1 0.50 [0.44, 0.56]." in text
    assert "Clearly better than `zero_shot`: `rag` +0.40" in text


def test_no_clear_difference_is_a_result_with_a_name():
    text = said(
        completed("sentiment", "zero_shot", pattern(0.5)), completed("sentiment", "few_shot", pattern(0.55, shift=9))
    )
    assert text.startswith(
        "No clear difference: all 2 strategies cannot be told apart (0.50\N{EN DASH}0.55) on `sentiment` by accuracy; "
        "`zero_shot` is the simplest. Highest score: `few_shot` 0.55 ["
    )
    assert "200 test items detect differences of 0.1" in text
    assert "None is clearly better than `zero_shot`" in text


def test_of_a_tie_the_simplest_is_named_with_what_it_does_without():
    text = said(
        completed("qa", "rag+lora", pattern(0.55), trained=9, seconds=10),
        completed("qa", "rag", pattern(0.55, shift=1), seconds=9),
    )
    assert "`rag` is the simplest (no training)." in text


def test_one_strategy_alone_has_nothing_to_be_compared_with():
    assert "Only `rag` finished on `qa`" in said(completed("qa", "rag", pattern(0.5)), failed("qa", "lora", "killed"))


def test_nothing_finished_is_said():
    assert said(failed("qa", "lora", "killed"), skipped("qa", "full", "no weights")).startswith("No strategy finished")


def test_guessing_is_said_to_be_no_worse_than_any_strategy():
    tasks = (info("sentiment", chance=0.5),)
    text = said(
        completed("sentiment", "zero_shot", pattern(0.5), tasks=tasks),
        completed("sentiment", "few_shot", pattern(0.45), tasks=tasks),
    )
    assert "No strategy is clearly above guessing (0.50)." in text


def test_forgetting_is_said_with_its_size():
    text = said(*quick_suite())
    assert "`full` forgets: `know` accuracy -0.30 [-0.44, -0.16]." in text
    assert "One seed: `full`; seed SD 0.035, pooled from repeated runs of such strategies." in text


def test_a_strategy_that_answered_other_items_is_not_ranked_with_the_best():
    other = completed("sentiment", "few_shot", pattern(0.9))
    moved = other.items["sentiment"]
    renamed = type(moved)(
        lambda column: tuple(f"x{i}" for i in moved.ids) if column == "ids" else getattr(moved, column)
    )
    found = one_task(
        completed("sentiment", "zero_shot", pattern(0.5)), StoredTrialItems(other.record, {"sentiment": renamed})
    )
    assert [r.tied_for_best for r in found.rows] == [True, None]
    assert "Not compared, for other items: `zero_shot`" in found.verdict[0]
