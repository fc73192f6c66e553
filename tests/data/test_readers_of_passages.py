"""Who may read a passage: what cannot be told is an error, never everybody."""

import json

import pytest

from harness.data.corpus import from_table
from harness.data.table_files import read_table
from harness.errors import HarnessError


def passages(tmp_path, **columns):
    file = tmp_path / "docs.jsonl"
    file.write_text(json.dumps({"id": "a", "text": "The door code is 1234."} | columns) + "\n")
    return from_table(read_table(file))


@pytest.mark.parametrize(
    ("cell", "readers"),
    [
        (["ann", "bob"], ("ann", "bob")),
        ("ann, bob", ("ann", "bob")),
        ("ann", ("ann",)),
        (None, ()),
        ("", ()),
        (7, ("7",)),
    ],
)
def test_readers_are_a_list_or_names_with_commas(tmp_path, cell, readers):
    (passage,) = passages(tmp_path, readers=cell)
    assert passage.readers == readers


@pytest.mark.parametrize("cell", [[], [""], [None], ["ann", ""], ",", "ann,", {"user": "ann"}, [["ann"]]])
def test_a_cell_that_names_nobody_is_an_error_and_not_everybody(tmp_path, cell):
    with pytest.raises(HarnessError, match=r"docs.jsonl, line 1.*readers"):
        passages(tmp_path, readers=cell)


@pytest.mark.parametrize("column", ["reader", "Readers", "acl", "ACL", "permissions"])
def test_a_column_that_may_mean_readers_is_an_error(tmp_path, column):
    with pytest.raises(HarnessError, match="call it 'readers' if it says who may see a passage"):
        passages(tmp_path, **{column: ["ann"]})
