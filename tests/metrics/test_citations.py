"""Supporting passages of an answer, and the share of supported answers."""

import pyarrow as pa
import pytest

from harness import metrics
from harness.api import Passage
from harness.metrics import Items
from harness.metrics.recall import citations
from harness.records.record import Row
from harness.store.column_file import TableColumns
from harness.store.record_file import row_schema

PASSAGES = (
    Passage("p1", "The Amber River runs through it."),
    Passage("p2", "Nothing at all.", title="Amber river"),
    Passage("p3", "An amber-river boat, and an Amberriver."),
    Passage("p4", "Amber is found by the river."),
)


@pytest.mark.parametrize(
    ("answer", "ids"),
    [
        ("the Amber river.", ("p1", "p2")),
        ("amber", ("p1", "p2", "p4")),
        ("ambe", ()),
        ("a river of amber", ()),
        ("The", ()),
        ("", ()),
        (None, ()),
    ],
)
def test_a_passage_supports_an_answer_that_stands_in_it_as_whole_words(answer, ids):
    assert citations(answer, PASSAGES) == ids


def row(name, passages=("p1",), cited=()):
    return Row(task="t", id=name, references=("x",), answer="x", passages=passages, cited=cited)


def test_the_share_counts_answers_to_which_passages_were_sent():
    rows = [row("a", cited=("p1",)), row("b"), row("c", passages=()), row("d", ("p1", "p2"), ("p1", "p2"))]
    assert metrics.get("cited").value(Items.from_rows(rows)) == pytest.approx(2 / 3)
    assert metrics.get("cited").value(Items.from_rows([row("c", passages=())])) is None


def test_rows_of_an_earlier_version_can_be_read_and_say_nothing_of_citations():
    stored = pa.Table.from_pylist([row("a", cited=("p1",)).model_dump()], schema=row_schema())
    assert metrics.get("cited").value(Items.from_columns(TableColumns(stored))) == 1
    earlier = stored.drop_columns(["cited"])
    assert metrics.get("cited").value(Items.from_columns(TableColumns(earlier))) is None
    assert Row.model_validate(earlier.to_pylist()[0]).cited == ()


def test_an_item_without_passages_is_a_miss_where_others_have_some():
    rows = [
        row("a").model_copy(update={"evidence": ("p1",)}),
        row("b", passages=()).model_copy(update={"evidence": ("p1",)}),
    ]
    assert metrics.get("recall@1").value(Items.from_rows(rows)) == 0.5
    assert metrics.get("mrr").value(Items.from_rows(rows)) == 0.5
