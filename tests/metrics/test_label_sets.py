"""Sets of labels: written in one form, read strictly, scored as scikit-learn scores them."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import accuracy_score, f1_score

from harness.errors import HarnessError
from harness.metrics import Items, get, label_sets, parse
from harness.records.record import Row

LABELS = ("billing", "refund", "late delivery")


@pytest.mark.parametrize(
    ("output", "expected"),
    [
        ("refund, billing", "billing, refund"),
        ("Answer: Late Delivery,REFUND.", "refund, late delivery"),
        ("refund, refund", "refund"),
        ("none", "none"),
        ("None.", "none"),
        ("refund\nbilling", "refund"),  # a line is an answer
        ("refund and billing", None),
        ("refund, none", None),
        ("refund, other", None),
        ("refund,", None),
        ("", None),
    ],
)
def test_order_case_and_repeats_do_not_count_and_all_else_fails(output, expected):
    answer, how = parse("multi_label", output, LABELS)
    assert answer == expected
    assert how == "label" if expected else how.startswith("failed")


@settings(deadline=None)
@given(st.sets(st.sampled_from(LABELS)))
def test_what_is_written_is_read_back(chosen):
    text = label_sets.write(chosen, LABELS)
    assert label_sets.read(text, LABELS) == (text, "label")
    assert label_sets.members(text, LABELS) == chosen


def test_the_separator_and_the_word_for_nothing_are_in_no_label():
    labels = ("none", "a, b", "c")
    assert label_sets.write(["c", "a, b"], labels) == "a, b; c"
    assert label_sets.write([], labels) == "no label"
    assert label_sets.read("none", labels) == ("none", "label")
    with pytest.raises(HarnessError, match="rename one"):
        label_sets.separator(("a,b", "c;d", "e|f"))


def test_metrics_are_those_of_scikit_learn():
    rng = np.random.default_rng(0)
    truth, predicted = rng.random((80, 3)) < 0.4, rng.random((80, 3)) < 0.5
    parsed = rng.random(80) < 0.9
    predicted[~parsed] = False
    rows = [
        Row(
            task="t",
            id=str(i),
            references=(label_sets.write(np.array(LABELS)[truth[i]].tolist(), LABELS),),
            answer=label_sets.write(np.array(LABELS)[predicted[i]].tolist(), LABELS) if parsed[i] else None,
        )
        for i in range(80)
    ]
    items = Items.from_rows(rows, LABELS)
    assert get("multilabel_micro_f1").value(items) == pytest.approx(f1_score(truth, predicted, average="micro"))
    assert get("multilabel_macro_f1").value(items) == pytest.approx(f1_score(truth, predicted, average="macro"))
    exact = accuracy_score(truth[parsed], predicted[parsed]) * parsed.mean()
    assert get("exact_set").value(items) == pytest.approx(exact)
