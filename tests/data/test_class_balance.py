"""Uneven labels: macro-F1 comes first by default, and guessing is the better of a random and a constant answer."""

import pytest

from harness.api import Example, Query
from harness.data.class_balance import guessing_score, is_uneven, order_metrics
from harness.data.prepare import prepare
from harness.data.schema import TaskConfig
from harness.data.suite import load_suite


def items(*counts, labels="abcdefgh"):
    return tuple(
        Example(Query(f"{label}{n}", "?"), (label,))
        for label, count in zip(labels, counts, strict=False)
        for n in range(count)
    )


def config(kind="classification", **settings):
    columns = {"choices": "options"} if kind == "multiple_choice" else {}
    return TaskConfig(name="t", kind=kind, data="t.csv", input="q", reference="r", **columns, **settings)


@pytest.mark.parametrize(
    ("counts", "expected"),
    [((50, 50), False), ((60, 40), False), ((61, 39), True), ((10, 7, 7), False), ((11, 7, 7), True), ((), False)],
)
def test_labels_are_uneven_where_the_commonest_has_half_as_many_again_as_the_others_on_average(counts, expected):
    assert is_uneven(items(*counts), "abc"[: len(counts)] or "ab") == expected


def test_macro_f1_is_the_first_metric_where_labels_are_uneven_and_the_suite_does_not_say():
    train = items(30, 10)
    assert order_metrics(config(), train, ("a", "b")) == ("macro_f1", "accuracy")
    assert order_metrics(config(), items(20, 20), ("a", "b")) == ("accuracy", "macro_f1")
    assert order_metrics(config(metrics=("accuracy",)), train, ("a", "b")) == ("accuracy",)


def test_guessing_is_the_better_of_a_random_and_a_constant_answer():
    train, test, labels = items(30, 10), items(14, 6), ("a", "b")
    assert guessing_score(config(), "accuracy", labels, train, test) == pytest.approx(0.7)
    assert guessing_score(config(), "accuracy", labels, items(10, 30), test) == pytest.approx(
        0.5
    )  # 0.3 by the constant
    assert guessing_score(config(), "accuracy", labels, (), test) == pytest.approx(0.7)
    assert guessing_score(config(), "macro_f1", labels, train, test) == pytest.approx(0.5)


def test_no_answer_that_reads_nothing_beats_the_macro_f1_of_guessing():
    """Constant answers score 2p / (1 + p) / K, random ones at most 1 / K: here by enumeration."""
    from harness.metrics import Items, get
    from harness.records.record import Row

    test = items(14, 6)
    for share in range(21):
        given = ["a" if (n * 7) % 20 < share else "b" for n in range(20)]
        rows = [
            Row(task="t", id=f"{n}/{k}", references=example.references, answer=answer)
            for n, example in enumerate(test)
            for k, answer in enumerate(given)  # each item meets each answer: independent of what is asked
        ]
        assert get("macro_f1").value(Items.from_rows(rows, ("a", "b"))) <= 0.5 + 1e-9


def test_where_all_items_have_the_same_choices_a_constant_answer_is_possible():
    def ask(choices, right):
        return Example(Query("?", "?", choices), (right,))

    same = (ask(("yes", "no"), "yes"), ask(("yes", "no"), "yes"), ask(("yes", "no"), "no"))
    assert guessing_score(config("multiple_choice"), "accuracy", (), (), same) == pytest.approx(2 / 3)
    other = (*same, ask(("x", "y", "z", "w"), "x"))
    assert guessing_score(config("multiple_choice"), "accuracy", (), (), other) == pytest.approx((3 / 2 + 1 / 4) / 4)


def test_the_first_metric_is_decided_before_any_limit(tmp_path):
    rows = [f"Text {n} is long.,{'b' if n % 5 == 4 else 'a'}" for n in range(60)]
    (tmp_path / "t.csv").write_text("\n".join(["text,label", *rows]) + "\n")
    (tmp_path / "suite.toml").write_text(
        'name = "uneven"\nversion = 1\n[[tasks]]\nname = "t"\nkind = "classification"\ndata = "t.csv"\n'
        'input = "text"\nreference = "label"\n'
    )
    suite = load_suite(tmp_path)
    first = [prepare(suite, "t", limits=limits).info for limits in ({}, {"train": 1, "test": 4})]
    assert [info.metrics[0] for info in first] == ["macro_f1", "macro_f1"]
    assert [info.chance for info in first] == [0.5, 0.5]
