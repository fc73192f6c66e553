"""Self-tests of several seeds in one line: items add up, and a note keeps its largest figure."""

from harness.compare.table.agreement import checks_of
from harness.records.measurements import Check
from tests.compare.release_builders import one


def seed(agreeing, note):
    record, _ = one()
    return record.model_copy(update={"checks": (Check(name="merged", items=16, agreeing=agreeing, note=note),)})


def test_seeds_add_up_and_the_largest_figure_of_a_note_is_kept():
    (found,) = checks_of(
        [seed(16, "scores differ by at most 0.098 nats"), seed(15, "scores differ by at most 0.2 nats"), seed(16, None)]
    )
    assert (found.items, found.agreeing, found.note) == (48, 47, "scores differ by at most 0.2 nats")


def test_notes_that_say_different_things_are_all_kept():
    (found,) = checks_of(
        [seed(16, "could not be merged"), seed(16, "differ by 1e-3 nats"), seed(16, "differ by 2e-4 nats")]
    )
    assert found.note == "could not be merged; differ by 1e-3 nats"
