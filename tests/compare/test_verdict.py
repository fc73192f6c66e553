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
    assert "`rag` is best on `qa`: token F1 0.50 [0.44, 0.56], clearly ahead of every other strategy." in text
    assert "Clearly better than `zero_shot`: `rag` +0.40" in text


def test_no_clear_difference_is_a_result_with_a_name():
    text = said(
        completed("sentiment", "zero_shot", pattern(0.5)), completed("sentiment", "few_shot", pattern(0.55, shift=9))
    )
    assert text.startswith("No clear difference on `sentiment`: all 2 strategies are tied")
    assert "go unseen" in text
    assert "None is clearly better than `zero_shot`" in text


def test_a_tied_strategy_without_training_and_a_faster_one_are_pointed_out():
    text = said(
        completed("qa", "rag+lora", pattern(0.55), trained=9, seconds=10),
        completed("qa", "rag", pattern(0.55, shift=1), seconds=9),
    )
    assert "`rag` needs no training and is among the tied." in text
    assert "Of those tied, `rag` took the least time (10 s against 1 min 12 s for `rag+lora`)." in text


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
    assert "`full` ran with one seed; the spread over seeds is that of such strategies here" in text


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
    assert "answered other items and cannot be compared" in found.verdict[0]


def test_the_cheapest_of_those_tied_is_pointed_out_where_it_was_timed_more_than_once():
    trials = [
        trial
        for seed in (0, 1)
        for trial in (
            completed("qa", "rag", pattern(0.55), seconds=9 + seed / 100, seed=seed),
            completed("qa", "few_shot", pattern(0.55, shift=1), seconds=3 + seed / 100, seed=seed),
        )
    ]
    assert "Of those tied, `few_shot` costs least (0.41 USD in all against 1.22 for `rag`" in said(*trials)
    assert "costs least" not in said(*trials[:2])
    alike = said(completed("qa", "rag", pattern(0.55)), completed("qa", "few_shot", pattern(0.55, shift=1)))
    assert "costs least" not in alike
