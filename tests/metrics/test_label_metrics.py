"""Label metrics against scikit-learn, and what an answer that can't be read counts for."""

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import accuracy_score, f1_score, precision_score, recall_score

from harness import metrics
from harness.errors import HarnessError
from harness.metrics import confusion
from harness.metrics.items import COLUMNS, Items
from harness.records.record import Row
from harness.store.column_file import TableColumns

LABELS = ("a", "b", "c")
SKLEARN = {"macro_f1": f1_score, "macro_precision": precision_score, "macro_recall": recall_score}


def items(answers, references, labels=LABELS):
    rows = [
        Row(task="t", id=str(i), references=(reference,), answer=answer)
        for i, (answer, reference) in enumerate(zip(answers, references, strict=True))
    ]
    return Items.from_rows(rows, labels)


pairs = st.lists(st.tuples(st.sampled_from([*LABELS, None, "elsewhere"]), st.sampled_from(LABELS)), min_size=1)


@settings(max_examples=25, deadline=None)
@given(pairs)
def test_macro_metrics_equal_scikit_learn_with_unparsed_answers_as_wrong(drawn):
    answers, references = zip(*drawn, strict=True)
    present = sorted(set(references) | (set(answers) & set(LABELS)))
    predictions = [a if a in LABELS else "?" for a in answers]
    for name, score in SKLEARN.items():
        expected = score(references, predictions, labels=present, average="macro", zero_division=0)
        assert metrics.get(name).value(items(answers, references)) == pytest.approx(expected)
    micro = f1_score(references, predictions, labels=present, average="micro", zero_division=0)
    assert metrics.get("micro_f1").value(items(answers, references)) == pytest.approx(micro)
    assert metrics.get("accuracy").value(items(answers, references)) == pytest.approx(
        accuracy_score(references, predictions)
    )


@settings(max_examples=30, deadline=None)
@given(pairs)
def test_labels_that_never_occur_do_not_move_macro_f1(drawn):
    answers, references = zip(*drawn, strict=True)
    more = items(answers, references, (*LABELS, "never"))
    assert metrics.get("macro_f1").value(items(answers, references)) == metrics.get("macro_f1").value(more)


def test_sums_of_many_resamples_combine_at_once():
    four_items = items(["a", "b", None, "c"], ["a", "a", "b", "c"])
    metric = metrics.get("macro_f1")
    counts = np.array([[1, 1, 1, 1], [2, 0, 0, 2]], dtype=float)
    values = metric.combine(counts @ metric.statistics(four_items), counts.sum(axis=1))
    assert values == pytest.approx([metric.value(four_items), 1.0])


def test_an_unparsed_answer_is_wrong_and_counted_as_unparsed():
    two_items = items(["a", None], ["a", "a"])
    assert metrics.get("accuracy").value(two_items) == 0.5
    assert metrics.get("parsed").value(two_items) == 0.5


def test_any_of_several_references_is_right():
    rows = [Row(task="t", id="0", references=("a", "b"), answer="b")]
    assert metrics.get("accuracy").value(Items.from_rows(rows)) == 1
    assert metrics.get("macro_f1").value(Items.from_rows(rows)) == 1


def test_a_reference_that_is_no_label_is_named():
    with pytest.raises(HarnessError, match="'z', not one of the labels: a, b, c"):
        metrics.get("macro_f1").value(items(["a"], ["z"]))


def test_confusion_counts_answers_that_are_no_label_in_a_column_of_their_own():
    labels, matrix = confusion.confusion(items(["a", "b", None, "zzz"], ["a", "a", "b", "c"]))
    assert labels == ("a", "b", "c", confusion.NO_LABEL)
    assert matrix.tolist() == [[1, 1, 0, 0], [0, 0, 0, 1], [0, 0, 0, 1], [0, 0, 0, 0]]


def test_confusion_has_no_extra_column_when_every_answer_is_a_label():
    assert confusion.confusion(items(["a"], ["b"]))[0] == LABELS


def test_per_class_recall_counts_an_unparsed_answer_as_a_miss():
    by_label = {c.label: c for c in confusion.per_class(items(["a", None, "b"], ["a", "a", "b"]))}
    assert (by_label["a"].precision, by_label["a"].recall, by_label["a"].support) == (1.0, 0.5, 2)
    assert by_label["c"].support == 0


def test_repeated_ids_are_refused():
    with pytest.raises(HarnessError, match="'x' occurs more than once"):
        Items.from_rows([Row(task="t", id="x", references=("a",))] * 2)


def test_a_stored_table_gives_the_same_items_as_its_rows():
    rows = [
        Row(task="t", id="1", references=("a",), answer="a", passages=("p",), evidence=("p",), cluster="k"),
        Row(task="t", id="2", references=("a", "b"), output="x", parsed="failed: no label in the output"),
        Row(task="probe", role="probe", id="3", references=("b",), answer="b"),
    ]
    columns = TableColumns(pa.Table.from_pylist([row.model_dump() for row in rows]))
    for places, labels in ((slice(0, 2), ("a", "b")), ((0, 2), ())):
        stored = Items.from_columns(columns, labels, places)
        in_memory = Items.from_rows([rows[0], rows[1 if labels else 2]], labels)
        assert [getattr(stored, name) for name in (*COLUMNS, "labels")] == [
            getattr(in_memory, name) for name in (*COLUMNS, "labels")
        ]


def test_items_read_a_column_when_it_is_first_asked_for_and_so_do_copies_of_them():
    columns_read = []

    class Stored(TableColumns):
        def values(self, name):
            columns_read.append(name)
            return super().values(name)

    rows = [Row(task="t", id=str(i), references=("a",), answer="a", output="b") for i in range(3)]
    columns = Stored(pa.Table.from_pylist([row.model_dump() for row in rows]))
    items = Items.from_columns(columns).with_labels(("a", "b")).with_answers(["c"] * 3)
    assert (columns_read, items.answers, items.labels) == (["id"], ("c",) * 3, ("a", "b"))
    assert [items.outputs, items.outputs, items.at([2, 0]).ids] == [("b",) * 3, ("b",) * 3, ("2", "0")]
    assert columns_read == ["id", "output"]
    with pytest.raises(AttributeError, match="answrs"):
        items.answrs  # noqa: B018 - a misspelt column is none


def test_a_table_without_a_column_says_which():
    with pytest.raises(HarnessError, match="lack the column 'answer'"):
        Items.from_columns(TableColumns(pa.table({"id": ["1"]})))
