"""Self-tests of several seeds are told as one."""

from types import SimpleNamespace

import pytest
from statsmodels.stats.proportion import proportion_confint

from harness.compare.prose.self_test_sentences import note
from harness.compare.table.agreement import agreement, checks_of
from harness.records.measurements import Check


def seed(agreeing, difference=None, note=None):
    check = Check(name="merged", items=16, agreeing=agreeing, largest_difference=difference, note=note)
    return SimpleNamespace(checks=(check,))


def test_seeds_add_up_and_the_largest_difference_is_kept():
    (pooled,) = checks_of([seed(16, 0.098), seed(15, 0.2), seed(16)])
    assert (pooled.items, pooled.agreeing, pooled.largest_difference, pooled.note) == (48, 47, 0.2, None)
    assert note(agreement(pooled)) == "largest log-likelihood difference 0.2 nats"


def test_runs_that_ask_the_same_items_make_no_interval_narrower():
    """Of 16 items asked in three runs, 47 of 48 answers agree: the interval is that of 16 items."""
    (pooled,) = checks_of([seed(16), seed(15), seed(16)])
    test = agreement(pooled)
    assert (test.items, test.answers, test.runs, test.differing) == (16, 48, 3, 1)
    expected = proportion_confint(47 / 3, 16, method="wilson")
    assert (test.low, test.high) == pytest.approx(expected)


def test_notes_that_say_different_things_are_all_kept():
    (pooled,) = checks_of([seed(16, note="could not be merged"), seed(16, 1e-3, "differ by 9 words"), seed(16, 2e-4)])
    assert pooled.note == "could not be merged; differ by 9 words"
    assert note(agreement(pooled)) == (
        "largest log-likelihood difference 0.001 nats; could not be merged; differ by 9 words"
    )
