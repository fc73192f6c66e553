"""Strict and lenient answer parsing: does the winner change?"""

import pytest

from harness.compare.report.comparison import compare
from harness.compare.table.extraction import lenient
from harness.compare.trials.stored_trials import StoredTrialItems
from harness.metrics.items import Items
from harness.metrics.parsing import parse
from harness.records.record import Row
from tests.compare.builders import completed, info


def written(strategy, outputs, references, task="qa"):
    """A finished trial whose answers are read from these outputs as a run reads them."""
    labels = info(task).labels
    rows = []
    for place, (output, reference) in enumerate(zip(outputs, references, strict=True)):
        answer, parsed = parse(info(task).kind, output, labels)
        rows.append(
            Row(task=task, id=f"{place:03d}", references=(reference,), output=output, answer=answer, parsed=parsed)
        )
    return StoredTrialItems(completed(task, strategy, [0]).record, {task: Items.from_rows(rows, labels)})


REFERENCES = [f"key {n}" for n in range(40)]
BRIEF = [f"key {n if n % 2 else n + 1}" for n in range(40)]
CHATTY = [f"Let me think.\nThe door opens with key {n}, I believe." for n in range(40)]


def table(*stored):
    return compare(stored).suites[0].tasks[0]


def test_answers_hidden_in_chatter_flip_who_is_best():
    found = table(written("brief", BRIEF, REFERENCES), written("chatty", CHATTY, REFERENCES))
    assert found.extraction.flips
    assert found.extraction.leading == (("brief", "small"), ("chatty", "small"))
    (gain,) = [change for key, change in found.extraction.change if key[0] == "chatty"]
    assert gain.value > 0.9
    assert any("Under lenient answer parsing the ranking changes: `chatty`" in line for line in found.verdict)


def test_outputs_that_are_nothing_but_answers_flip_nothing():
    found = table(written("brief", BRIEF, REFERENCES), written("right", REFERENCES, REFERENCES))
    assert not found.extraction.flips
    assert all(change.value == 0 for _, change in found.extraction.change)
    assert not any("lenient" in line for line in found.verdict)


def test_choices_that_were_scored_are_not_read():
    assert table(completed("know", "a", [1, 0, 1]), completed("know", "b", [1, 1, 1])).extraction is None


@pytest.mark.parametrize(
    ("output", "strict", "kind"),
    [
        ("It could be neg or pos.\nAll in all: pos", None, "pos"),
        ("pos", "pos", "pos"),
        ("neither", None, None),
    ],
)
def test_a_label_is_taken_from_the_last_line_that_mentions_one_only(output, strict, kind):
    (task,) = [written("x", [output], ["pos"], "sentiment").items["sentiment"]]
    assert task.answers == (strict,)
    assert lenient(task).answers == (kind,)
