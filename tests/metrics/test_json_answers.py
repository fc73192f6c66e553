"""JSON answers: read strictly, compared field by field whatever the order."""

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import f1_score
from sklearn.preprocessing import MultiLabelBinarizer

from harness.metrics import Items, get
from harness.records.record import Row

REFERENCE = {"number": "A-1", "total": 3, "paid": True, "lines": [{"sku": "a"}, {"sku": "b"}]}


def value(metric, *pairs):
    rows = [
        Row(
            task="t",
            id=str(i),
            references=(reference if isinstance(reference, str) else json.dumps(reference),),
            output=output,
        )
        for i, (output, reference) in enumerate(pairs)
    ]
    return get(metric).value(Items.from_rows(rows))


@pytest.mark.parametrize(
    ("output", "expected"),
    [
        ('{"a": 1}', 1),
        ('```json\n{"a": 1}\n```', 1),
        ("null", 1),
        ('Here it is: {"a": 1}', 0),
        ('{"a": 1', 0),
        ('{"a": NaN}', 0),
        ("", 0),
        ("[" * 100_000, 0),
    ],
)
def test_an_output_is_json_or_not(output, expected):
    assert value("json_valid", (output, {"a": 1})) == expected


@pytest.mark.parametrize(
    ("output", "exact", "f1"),
    [
        (REFERENCE, 1, 1),
        ({**REFERENCE, "lines": REFERENCE["lines"][::-1], "total": 3.0, "number": " A-1 "}, 1, 1),
        ({**REFERENCE, "paid": 1}, 0, 8 / 10),  # 1 is not true
        ({**REFERENCE, "extra": None}, 0, 10 / 11),
        ({"total": 3}, 0, 2 / 6),
        ({"totals": 3}, 0, 0),
        ("no JSON", 0, 0),
    ],
)
def test_fields_are_compared_by_path_and_value(output, exact, f1):
    pair = (output if isinstance(output, str) else json.dumps(output), REFERENCE)
    assert value("json_exact", pair) == exact
    assert value("json_field_f1", pair) == pytest.approx(f1)


@settings(deadline=None, max_examples=50)
@given(st.lists(st.tuples(*[st.dictionaries(st.sampled_from("abcd"), st.integers(0, 2), min_size=1)] * 2), min_size=1))
def test_the_f1_is_that_of_scikit_learn_on_fields_as_labels(pairs):
    written, wanted = ([set(pair[side].items()) for pair in pairs] for side in (0, 1))
    binarizer = MultiLabelBinarizer().fit([*written, *wanted])
    expected = f1_score(binarizer.transform(wanted), binarizer.transform(written), average="micro", zero_division=0)
    assert value("json_field_f1", *[(json.dumps(out), ref) for out, ref in pairs]) == pytest.approx(expected)


def test_an_item_whose_reference_is_no_json_is_left_out():
    assert value("json_field_f1", ("{}", "plain text")) is None
    assert value("json_exact", ("{}", "plain text"), ('{"a": 1}', {"a": 1})) == 1
