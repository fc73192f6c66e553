"""Tables as other programs write them: CSV of any dialect and encoding, Excel, JSON, nested and categorical columns."""

import json
import subprocess
import sys
from datetime import date
from pathlib import Path
from zipfile import ZipFile

import openpyxl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from harness.data.table_files import read_table
from harness.errors import HarnessError

ROWS = [
    {"text": "fein; gut", "label": "ja"},
    {"text": 'say "no", please', "label": "nein"},
    {"text": "two\nlines | here", "label": "ja"},
]


def write(file: Path, content: str | bytes) -> Path:
    file.write_bytes(content if isinstance(content, bytes) else content.encode())
    return file


@pytest.mark.parametrize(
    ("content", "note"),
    [
        ('text,label\n"fein; gut",ja\n"say ""no"", please",nein\n"two\nlines | here",ja\n', ""),
        ('text;label\n"fein; gut";ja\n"say ""no"", please";nein\n"two\nlines | here";ja\n', "semicolons between cells"),
        ('text\tlabel\r\n"fein; gut"\tja\r\n"say ""no"", please"\tnein\r\n"two\nlines | here"\tja\r\n', "tabs between"),
        ('text|label\nfein; gut|ja\n"say ""no"", please"|nein\n"two\nlines | here"|ja\n', "bars between cells"),
        (
            'sep=;\r\ntext;label\r\n"fein; gut";ja\r\n"say ""no"", please";nein\r\n"two\nlines | here";ja\r\n',
            "semicolons",
        ),
        ('text,label\nfein; gut,ja\n"say \\"no\\", please",nein\n"two\nlines | here",ja\n', "escaped"),
        ("text,label\nfein; gut,ja\n'say \"no\", please',nein\n'two\nlines | here',ja\n", "single quotes"),
    ],
)
def test_a_csv_of_any_dialect_has_the_same_rows_and_says_how_it_was_read(content: str, note: str, tmp_path: Path):
    table = read_table(write(tmp_path / "rows.csv", content))
    assert list(table.rows) == ROWS
    assert table.faults == ()
    assert (note in table.notes[0]) if note else table.notes == ()


def test_lines_are_counted_behind_a_line_that_names_the_separator(tmp_path: Path):
    assert read_table(write(tmp_path / "rows.csv", "sep=;\na;b\n1;2\n")).location(0) == "rows.csv, line 3"


@pytest.mark.parametrize(
    ("encoding", "text"),
    [
        ("latin-1", "Die Lieferung für Müller war verspätet, Rückgabe nicht möglich"),
        ("cp1252", "Le café était très bon, l’accueil à 5 € – étoilé"),  # noqa: RUF001
        ("cp1250", "Zamówienie zostało dostarczone późno, źle się stało"),
        ("cp1251", "Доставка заказа опоздала на два дня"),
        ("gb18030", "订单晚到了两天，物流太慢"),  # noqa: RUF001
        ("utf-16", "café, naïve"),
        ("utf-8-sig", "café, naïve"),
    ],
)
def test_the_encoding_is_told_from_the_letters(encoding: str, text: str, tmp_path: Path):
    content = "text;label\n" + "".join(f"{text} {number};a\n" for number in range(40))
    table = read_table(write(tmp_path / "rows.csv", content.encode(encoding)))
    assert table.rows[7]["text"] == f"{text} 7"
    if not encoding.startswith("utf"):
        assert encoding.replace("latin-1", "cp1252") in table.notes[0]


def test_a_cell_may_hold_a_whole_contract(tmp_path: Path):
    long = "clause " * 30_000
    table = read_table(write(tmp_path / "rows.csv", f"text,label\n{long},a\nshort,b\n"))
    assert table.text(0, "text") == long.strip()


def test_a_line_with_other_cells_is_a_fault_of_that_line(tmp_path: Path):
    table = read_table(write(tmp_path / "rows.csv", "text,label\n" + "fine,a\n" * 9 + "one, two,a\n" + "fine,b\n"))
    assert len(table.rows) == 10
    assert [(fault.line, fault.reason[:7]) for fault in table.faults] == [(11, "3 cells")]


def test_a_workbook_gives_the_rows_of_its_first_sheet(tmp_path: Path):
    book = openpyxl.Workbook()
    sheet = book.active
    sheet.title = "Tickets"
    for cells in (
        [],
        ["text", None, "label", "when"],
        ["a, b", None, 1, date(2026, 1, 31)],
        ["=1+1", None, "#N/A", "x"],
        [],
    ):
        sheet.append(cells)
    book.create_sheet("Notes").append(["x"])
    book.save(tmp_path / "rows.xlsx")
    table = read_table(tmp_path / "rows.xlsx")
    assert table.columns == ("text", "label", "when")
    assert [table.text(0, name) for name in table.columns] == ["a, b", "1", "2026-01-31"]
    assert [table.text(1, name) for name in table.columns] == ["", "", "x"]
    assert table.location(1) == "rows.xlsx, row 4"
    assert table.notes == ("rows.xlsx: read was the first sheet, 'Tickets', and not 'Notes'.",)


@pytest.mark.parametrize("wrap", [lambda rows: rows, lambda rows: {"version": "1", "data": rows}])
def test_json_is_a_list_of_objects_or_holds_one(wrap, tmp_path: Path):
    table = read_table(write(tmp_path / "rows.json", json.dumps(wrap(ROWS), indent=1)))
    assert list(table.rows) == ROWS
    assert table.location(1) == "rows.json, row 2"


def test_json_lines_may_be_called_json(tmp_path: Path):
    assert list(read_table(write(tmp_path / "rows.json", "".join(json.dumps(r) + "\n" for r in ROWS))).rows) == ROWS


def test_a_path_counts_from_the_end_of_a_list_and_leads_into_lists_of_objects(tmp_path: Path):
    chat = {"messages": [{"role": "user", "content": "hi"}, {"role": "assistant", "content": "hello"}]}
    table = read_table(write(tmp_path / "rows.jsonl", json.dumps(chat) + '\n{"messages": []}\n'))
    table.require(("messages.-1.content", "messages.-2.content"))
    assert [table.text(0, f"messages.{n}.content") for n in (-1, -2, -3)] == ["hello", "hi", ""]
    assert table.text(1, "messages.-1.content") == ""


def test_categories_and_lists_of_parquet_are_texts_and_lists(tmp_path: Path):
    columns = {
        "label": pa.array(["b", "a", None]).dictionary_encode(),
        "choices": pa.array([["x", "y"], [], None], pa.large_list(pa.large_string())),
        "answers": pa.array([{"text": ["t"]}, None, None]),
    }
    pq.write_table(pa.table(columns), tmp_path / "rows.parquet")
    table = read_table(tmp_path / "rows.parquet")
    assert [table.text(index, "label") for index in range(3)] == ["b", "a", ""]
    assert [row["choices"] for row in table.rows] == [["x", "y"], [], None]
    assert table.text(0, "answers.text.0") == "t"


def test_a_workbook_that_unpacks_to_much_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    openpyxl.Workbook().save(tmp_path / "rows.xlsx")
    monkeypatch.setattr("harness.data.table_files.MAX_BYTES", 10_000_000)
    with pytest.raises(HarnessError, match="has no rows"):
        read_table(tmp_path / "rows.xlsx")
    size = (tmp_path / "rows.xlsx").stat().st_size
    monkeypatch.setattr("harness.data.table_files.MAX_BYTES", size + 1)
    with pytest.raises(HarnessError, match="unpacks to more than"):
        read_table(tmp_path / "rows.xlsx")


def test_half_a_character_in_json_becomes_the_replacement_character(tmp_path):
    (tmp_path / "t.jsonl").write_text('{"a": "cut \\ud83d", "b": "\\ud83d\\ude00"}\n')
    table = read_table(tmp_path / "t.jsonl")
    assert (table.text(0, "a"), table.text(0, "b")) == ("cut \ufffd", "\U0001f600")


def replace_member(path: Path, name: str, old: bytes, new: bytes):
    with ZipFile(path) as archive:
        members = {member: archive.read(member) for member in archive.namelist()}
    assert old in members[name]
    with ZipFile(path, "w") as archive:
        for member, content in members.items():
            archive.writestr(member, content.replace(old, new) if member == name else content)


FIRST_CELL = b'<c r="A1" t="inlineStr"><is><t>text</t></is></c>'


def workbook(path: Path) -> Path:
    book = openpyxl.Workbook()
    book.active.append(["text", "label"])
    book.active.append(["hello", "a"])
    book.save(path)
    return path


@pytest.mark.parametrize(
    ("name", "old", "new"),
    [
        ("[Content_Types].xml", b"Extension=", b"Exten_1sion="),
        ("xl/worksheets/sheet1.xml", FIRST_CELL, b'<c r="A1" t="s"><v>99</v></c>'),
        ("xl/worksheets/sheet1.xml", FIRST_CELL, b'<c r="A1" t="n"><v>one</v></c>'),
    ],
)
def test_a_workbook_whose_parts_do_not_fit_is_one_line(tmp_path: Path, name: str, old: bytes, new: bytes):
    path = workbook(tmp_path / "rows.xlsx")
    replace_member(path, name, old, new)
    with pytest.raises(HarnessError, match=r"rows\.xlsx can't be read as Excel"):
        read_table(path)


def test_a_cell_at_the_end_of_a_sheet_is_not_a_sheet_of_cells(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("harness.data.table_files.MAX_CELLS", 1_000_000)
    path = workbook(tmp_path / "rows.xlsx")
    book = openpyxl.load_workbook(path)
    book.active["XFD1048576"] = "far"
    book.save(path)
    with pytest.raises(HarnessError, match="unpacks to more than 1,000,000 cells"):
        read_table(path)


def test_a_list_of_many_values_in_a_cell_is_counted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    pq.write_table(pa.table({"a": [[1] * 50_000]}), tmp_path / "rows.parquet")
    monkeypatch.setattr("harness.data.table_files.MAX_CELLS", 10_000)
    assert (tmp_path / "rows.parquet").stat().st_size < 5_000
    with pytest.raises(HarnessError, match="unpacks to more than 10,000 cells"):
        read_table(tmp_path / "rows.parquet")


@pytest.mark.skipif(sys.platform != "linux", reason="memory is limited on Linux only")
@pytest.mark.parametrize("name", ["rows.parquet", "rows.jsonl"])
def test_a_table_that_takes_more_memory_than_is_free_is_one_line(tmp_path: Path, name: str):
    if name == "rows.parquet":
        pq.write_table(pa.table({"a": ["x" * 1_000_000] * 150}), tmp_path / name)
        assert (tmp_path / name).stat().st_size < 100_000
    else:
        (tmp_path / name).write_text(f'{{"a": [{", ".join(["[]"] * 1_000_000)}]}}\n')
    child = f"""
import psutil
from pathlib import Path
from harness.data.table_files import read_table
from harness.errors import HarnessError

memory = psutil.virtual_memory()._replace(available=55 << 20)
psutil.virtual_memory = lambda: memory
try:
    read_table(Path({str(tmp_path / name)!r}))
except HarnessError as error:
    print(error)
"""
    # a process of its own: the heap of a long-lived one may have the memory already
    ended = subprocess.run([sys.executable, "-c", child], capture_output=True, text=True, check=True)
    assert "takes more memory than the 0.1 GiB that are free" in ended.stdout
