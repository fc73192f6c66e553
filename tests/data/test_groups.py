"""Columns that divide the items into slices: written by init, read into items and rows, part of the data's hash."""

import pytest

from harness.api import Answer, Prompt, Task
from harness.data import scaffold
from harness.data.prepare import prepare
from harness.data.suite import load_suite
from harness.errors import HarnessError
from harness.metrics import Items
from harness.predict.answering import Prediction
from harness.predict.prediction_rows import build_rows
from harness.records.record import Row
from harness.store import record_file
from harness.store.column_file import ColumnFile
from tests.compare.release_builders import record


def written(folder, **changes):
    folder.mkdir(exist_ok=True)
    table = folder / "tickets.csv"
    rows = [
        f"message {i} of case {i * 7919},{('billing', 'refund')[i % 2]},{('en', 'de', '')[i % 3]}" for i in range(90)
    ]
    table.write_text("text,intent,language\n" + "\n".join(rows) + "\n", encoding="utf-8")
    columns = {"input": "text", "reference": "intent"}
    return scaffold.init_suite("mine", scaffold.Material({"data": table}, columns, **changes), folder).path


def test_a_group_of_init_is_read_with_each_item_and_stored_with_each_row(tmp_path):
    folder = written(tmp_path / "a", groups=("language",))
    assert 'groups = ["language"]' in (folder / "suite.toml").read_text()
    prepared = prepare(load_suite(folder), "mine")
    assert prepared.info.groups == ("language",)
    assert {example.groups for example in prepared.test} == {("en",), ("de",), ("",)}
    task = Task("mine", "classification", choices=("billing", "refund"))
    asked = [
        Prediction(example.query, Prompt(task, ""), Answer("", "billing"), "billing", "label")
        for example in prepared.test
    ]
    rows = build_rows(task, prepared.test, asked)
    record_file.write(folder, record("mood"), rows)
    items = Items.from_columns(ColumnFile(folder / record_file.ROWS))
    assert items.groups == tuple(example.groups for example in prepared.test)


def test_groups_change_the_hash_of_the_data_only_where_there_are_any(tmp_path):
    plain, grouped = written(tmp_path / "a"), written(tmp_path / "b", groups=("language",))
    hashes = [prepare(load_suite(folder), "mine").info.data_hash for folder in (plain, grouped)]
    assert hashes[0] != hashes[1]


def test_rows_of_earlier_versions_have_no_groups():
    assert Items.from_rows([Row(task="t", id="1", references=("a",))]).groups == ((),)


def test_an_unknown_group_is_an_error_with_the_nearest_name(tmp_path):
    with pytest.raises(HarnessError, match="language"):
        written(tmp_path / "a", groups=("langage",))
