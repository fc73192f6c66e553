"""Columns of stored rows: read on demand, decoded once, damage reported."""

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from harness.errors import HarnessError
from harness.records.record import Row
from harness.store.column_file import ColumnFile
from harness.store.record_file import ROWS, row_schema


def write(folder, answers, **options):
    folder.mkdir()
    rows = [
        Row(task="t", id=str(i), references=("a", "b"), answer=answer, output="x") for i, answer in enumerate(answers)
    ]
    table = pa.Table.from_pylist([row.model_dump() for row in rows], schema=row_schema())
    pq.write_table(table, folder / ROWS, write_page_checksum=True, **options)
    return folder / ROWS


def test_a_column_that_two_trials_have_alike_is_one_and_another_is_not(tmp_path):
    first, second = (ColumnFile(write(tmp_path / name, [name, None]), ["id"]) for name in "pq")
    assert first.values("references") == (("a", "b"),) * 2
    assert first.values("references") is second.values("references")
    assert (first.values("answer"), second.values("answer")) == (("p", None), ("q", None))
    assert first.values("evidence") == ((), ())


@pytest.mark.parametrize("options", [{"row_group_size": 2}, {"compression": "none"}, {"use_dictionary": False}])
def test_values_do_not_depend_on_how_they_were_written(tmp_path, options):
    stored = ColumnFile(write(tmp_path / "a", ["a", "b", "a", None], **options))
    assert (stored.values("answer"), stored.values("id")) == (("a", "b", "a", None), ("0", "1", "2", "3"))


def test_a_column_read_with_another_is_read_where_that_one_has_values(tmp_path):
    path = write(tmp_path / "a", ["a"])
    stored = ColumnFile(path, ["output"], {"output": "parsed", "answer": "cluster"})
    path.unlink()
    assert (stored.values("output"), stored.values("parsed")) == (("x",), ("",))
    with pytest.raises(HarnessError, match="is damaged"):
        stored.values("cluster")


def test_damage_is_reported_when_the_column_is_read(tmp_path):
    path = write(tmp_path / "a", [f"an answer of its own {i}" for i in range(50)], compression="none")
    content = bytearray(path.read_bytes())
    content[content.index(b"of its own 7")] ^= 1
    path.write_bytes(content)
    stored = ColumnFile(path, ["id"])
    with pytest.raises(HarnessError, match="is damaged"):
        stored.values("answer")
