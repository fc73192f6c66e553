"""Labels that look alike are said, and questions that differ in symbols alone stay apart."""

import pytest

from harness.errors import HarnessError
from tests.data.suite_files import CLASSES, ready, words

LABELS = ("caf\u00e9", "cafe\u0301", "Caf\u00e9", "caf\u00e9\u200b", "bar")


def table(questions_and_labels):
    return "text,label\n" + "".join(f"{question},{label}\n" for question, label in questions_and_labels)


def test_labels_that_look_alike_are_said(tmp_path):
    rows = table((words(i), LABELS[i % 5]) for i in range(60))
    warnings = " ".join(ready(tmp_path, CLASSES, rows__csv=rows).info.warnings)
    assert "differ only in case and count as two" in warnings
    assert "differ only in case, Unicode form or invisible characters and count as two" in warnings
    assert warnings.count("count as two") == 3


def test_a_label_written_as_nan_is_said(tmp_path):
    rows = table((words(i), ("nan", "a", "b")[i % 3]) for i in range(60))
    warnings = ready(tmp_path, CLASSES, rows__csv=rows).info.warnings
    assert any("'nan' looks like a missing cell" in note for note in warnings)


def test_a_reference_that_looks_like_a_label_is_an_error_that_names_both(tmp_path):
    toml = CLASSES + '[tasks.labels]\n"caf\u00e9" = "caf\u00e9"\nbar = "bar"\n'
    rows = table((words(i), ("cafe\u0301", "bar")[i % 2]) for i in range(20))
    with pytest.raises(HarnessError, match=r"line 2: the reference .* differs from it only in Unicode form"):
        ready(tmp_path, toml, rows__csv=rows)


@pytest.mark.parametrize(("first", "second"), [("😀", "😡"), ("<", ">"), ("दिन", "दान"), (":)", ":("), ("-1", "1")])
def test_questions_that_differ_in_symbols_alone_neither_repeat_nor_conflict(first, second, tmp_path):
    rows = table((f"order {i} {sign}", label) for i in range(20) for sign, label in ((first, "a"), (second, "b")))
    prepared = ready(tmp_path, CLASSES, rows__csv=rows)
    assert sum(prepared.info.sizes.values()) == 40
    assert not [note for note in prepared.info.warnings if "earlier one" in note]
