"""Self-tests of several seeds are told as one."""

from types import SimpleNamespace

from harness.compare.prose.self_test_sentences import note
from harness.compare.table.agreement import agreement, checks_of
from harness.records.measurements import Check


def seed(agreeing, difference=None, note=None):
    check = Check(name="merged", items=16, agreeing=agreeing, largest_difference=difference, note=note)
    return SimpleNamespace(checks=(check,))


def test_seeds_add_up_and_the_largest_difference_is_kept():
    (pooled,) = checks_of([seed(16, 0.098), seed(15, 0.2), seed(16)])
    assert (pooled.items, pooled.agreeing, pooled.largest_difference, pooled.note) == (48, 47, 0.2, None)
    assert note(agreement(pooled)) == "log-likelihoods differ by at most 0.2 nats"


def test_notes_that_say_different_things_are_all_kept():
    (pooled,) = checks_of([seed(16, note="could not be merged"), seed(16, 1e-3, "differ by 9 words"), seed(16, 2e-4)])
    assert pooled.note == "could not be merged; differ by 9 words"
    assert note(agreement(pooled)) == (
        "log-likelihoods differ by at most 0.001 nats; could not be merged; differ by 9 words"
    )
