"""Tables and corpora as people have them on disk, sound and broken."""

import json
from decimal import Decimal
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.data.corpus import corpus_hash, evidence_index, read_corpus
from harness.data.table_files import read_table
from harness.data.text_blocks import cut_blocks, join_blocks, markdown_blocks
from harness.errors import HarnessError

ROWS = [{"text": "a, b", "label": "x"}, {"text": "two\nlines", "label": "y"}]


def cut(text: str, words: int):
    return [join_blocks(piece) for piece in cut_blocks(markdown_blocks(text), words)]


def write(file: Path, content: str | bytes) -> Path:
    file.write_bytes(content if isinstance(content, bytes) else content.encode())
    return file


def test_the_same_rows_come_from_csv_json_lines_and_parquet(tmp_path: Path):
    pq.write_table(pa.Table.from_pylist(ROWS), tmp_path / "rows.parquet")
    files = [
        write(tmp_path / "rows.csv", 'text,label\n"a, b",x\n"two\nlines",y\n'),
        write(tmp_path / "rows.jsonl", "".join(json.dumps(row) + "\n\n" for row in ROWS)),
        tmp_path / "rows.parquet",
    ]
    for file in files:
        table = read_table(file)
        assert list(table.rows) == ROWS, file
        assert table.columns == ("text", "label")


def test_quotes_are_plain_characters_in_tsv(tmp_path: Path):
    cells = ['" it begins', "a, b", 'ends with one "', '"whole"', 'say "no"']
    table = read_table(write(tmp_path / "rows.tsv", "text\tlabel\r\n" + "".join(f"{cell}\tx\r\n" for cell in cells)))
    assert [row["text"] for row in table.rows] == cells
    assert table.location(4) == "rows.tsv, line 6"


def test_a_missing_cell_is_empty_and_never_a_text(tmp_path: Path):
    write(tmp_path / "rows.jsonl", '{"t": NaN}\n{"t": null}\n{"u": 1}\n{"t": 1.0}\n{"t": true}\n{"t": 2.5}\n')
    table = read_table(tmp_path / "rows.jsonl")
    assert [table.text(index, "t") for index in range(6)] == ["", "", "", "1", "true", "2.5"]
    columns = {
        "count": pa.array([1, None], pa.int64()).cast(pa.float64()),
        "gap": pa.array([float("nan"), None]),
        "when": pa.array([0, None], pa.timestamp("s")),
        "raw": pa.array(["naïve".encode(), None], pa.binary()),
        "price": pa.array([Decimal("1.50"), None]),
    }
    pq.write_table(pa.table(columns), tmp_path / "rows.parquet")
    table = read_table(tmp_path / "rows.parquet")
    assert [table.text(0, name) for name in columns] == ["1", "", "1970-01-01 00:00:00", "naïve", "1.50"]
    assert [table.text(1, name) for name in columns] == [""] * 5


NESTED = [
    {"answers": {"text": ["thing"], "start": [0]}, "turns": [{"role": "user", "content": "hi"}], "a.b": "plain"},
    {"answers": None, "turns": []},
]


def test_a_path_leads_into_a_cell_and_a_column_of_that_name_comes_first(tmp_path: Path):
    table = read_table(write(tmp_path / "rows.jsonl", "".join(json.dumps(row) + "\n" for row in NESTED)))
    table.require(("answers.text", "turns.0.content", "a.b"))
    assert [table.text(index, "turns.0.content") for index in range(2)] == ["hi", ""]
    assert table.text(0, "answers.text.0") == "thing"
    assert table.text(0, "a.b") == "plain"
    with pytest.raises(HarnessError, match=r"unknown column 'answers\.txt' .*: did you mean 'answers\.text'"):
        table.require(("answers.txt",))


@pytest.mark.parametrize(
    ("column", "message"),
    [
        ("answers", r"line 1: column 'answers' holds an object with the keys 'text', 'start'.*such as 'answers\.text'"),
        ("turns", r"line 1: column 'turns' holds a list of 1.*such as 'turns\.0'"),
    ],
)
def test_a_cell_that_holds_several_is_one_sentence(column: str, message: str, tmp_path: Path):
    table = read_table(write(tmp_path / "rows.jsonl", "".join(json.dumps(row) + "\n" for row in NESTED)))
    with pytest.raises(HarnessError, match=message):
        table.text(0, column)


def test_bytes_that_are_no_text_are_an_error(tmp_path: Path):
    pq.write_table(pa.table({"raw": pa.array([b"\xff\xd8"], pa.binary())}), tmp_path / "rows.parquet")
    with pytest.raises(HarnessError, match=r"rows\.parquet, row 1: column 'raw' holds 2 bytes that are no UTF-8 text"):
        read_table(tmp_path / "rows.parquet").text(0, "raw")


def test_a_row_is_placed_at_its_first_line(tmp_path: Path):
    table = read_table(write(tmp_path / "rows.csv", 'text\n"one\ntwo"\nthree\n\nfour\n'))
    assert [table.location(i) for i in range(3)] == ["rows.csv, line 2", "rows.csv, line 4", "rows.csv, line 6"]


def test_a_byte_order_mark_is_no_part_of_the_first_column(tmp_path: Path):
    assert read_table(write(tmp_path / "rows.csv", b"\xef\xbb\xbftext\nx\n")).columns == ("text",)


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("rows.csv", "text\ncafé, né\n".encode() + b"caf\xe9\n", r"rows\.csv isn't UTF-8: byte 0xe9 in line 3"),
        ("rows.csv", b"text,label\nb,c,y\n", r"line 2: 3 cells, but the header has 2 columns"),
        ("rows.tsv", b'text\tlabel\n"a\tb"\tx\n', r"line 2: 3 cells.*quotes are plain characters in TSV"),
        ("rows.tsv", b'text\tlabel\n"two\nlines\n', r"line 2: 1 cells.*as CSV"),
        ("rows.csv", b'text\n"open\n', r"line 2: unexpected end of data"),
        ("rows.csv", b"text,text\na,b\n", "two columns called 'text'"),
        ("rows.csv", b"", "has no header"),
        ("rows.csv", b"text\n", "has no rows"),
        ("rows.jsonl", b'\n{"text": \n', "line 2: not JSON"),
        ("rows.jsonl", b'\n["b"]\n', "line 2: not a JSON object"),
        ("rows.parquet", b"not parquet at all", "can't be read as Parquet"),
        ("rows.xlsx", b"not a workbook", "can't be read as Excel"),
        ("rows.xls", b"", r"is none of \.csv, \.tsv, .*, \.xlsx by its name"),
        ("rows.json", b'{"a": 1}', "holds 0 lists of JSON objects"),
        ("rows.json", b'[{"a": 1}, {"b"', "line 1: not JSON"),
    ],
)
def test_a_broken_file_is_one_clear_error(name: str, content: bytes, message: str, tmp_path: Path):
    with pytest.raises(HarnessError, match=message):
        read_table(write(tmp_path / name, content))


def test_a_file_that_is_not_there_is_named(tmp_path: Path):
    with pytest.raises(HarnessError, match=r"none\.csv can't be read \(No such file"):
        read_table(tmp_path / "none.csv")


def test_a_missing_column_gets_the_nearest_name(tmp_path: Path):
    table = read_table(write(tmp_path / "rows.csv", "text,label\na,b\n"))
    with pytest.raises(HarnessError, match=r"unknown column 'lable' in rows\.csv: did you mean 'label'"):
        table.require(("text", "lable"))


def test_a_corpus_folder_is_cut_on_paragraph_borders_with_titles_from_headings(tmp_path: Path):
    paragraph = "word " * 49 + "end."
    write(tmp_path / "guide.md", f"# The guide\n\n{paragraph}\n\n{paragraph}\n\n{paragraph}\n")
    write(tmp_path / "note.txt", "Short.\n")
    corpus = read_corpus(tmp_path, tmp_path, words=110).passages
    assert [(p.id, p.title) for p in corpus] == [
        ("guide.md#1", "The guide"),
        ("guide.md#2", "The guide"),
        ("note.txt#1", "note"),
    ]
    assert corpus[0].text == f"# The guide\n\n{paragraph}\n\n{paragraph}"


def test_a_heading_stays_with_what_follows_it():
    filler = "word " * 40
    pieces = list(cut(f"# One\n\n{filler}\n\n# Two\n\n{filler}", 60))
    assert [piece.split("\n")[0] for piece in pieces] == ["# One", "# Two"]


@settings(max_examples=40, deadline=None)
@given(st.lists(st.integers(1, 400), min_size=1, max_size=12), st.integers(20, 150))
def test_cutting_keeps_every_word_in_order_and_no_passage_is_much_too_long(paragraphs: list[int], words: int):
    numbers = iter(range(100_000))
    text = "\n\n".join(" ".join(f"w{next(numbers)}" for _ in range(length)) for length in paragraphs)
    pieces = list(cut(text, words))
    assert " ".join(pieces).split() == text.split()
    assert max(len(piece.split()) for piece in pieces) <= 1.5 * words


def test_a_corpus_table_needs_unique_ids(tmp_path: Path):
    file = write(tmp_path / "corpus.csv", "id,text\na,one\nb,\na,two\n")
    with pytest.raises(HarnessError, match=r"corpus\.csv, line 4: passage id 'a' is used twice"):
        read_corpus(file, tmp_path, words=100)


def test_evidence_may_name_a_passage_or_a_whole_file(tmp_path: Path):
    paragraph = "word " * 60
    write(tmp_path / "guide.md", f"{paragraph}\n\n{paragraph}\n")
    index = evidence_index(read_corpus(tmp_path, tmp_path, words=60).passages)
    assert index["guide.md#2"] == ("guide.md#2",)
    assert index["guide.md"] == ("guide.md#1", "guide.md#2")


def test_the_hash_of_a_corpus_changes_with_any_text(tmp_path: Path):
    file = write(tmp_path / "corpus.csv", "id,text\na,one\nb,two\n")
    before = corpus_hash(read_corpus(file, tmp_path, words=100).passages)
    write(file, "id,text\na,one\nb,two!\n")
    assert corpus_hash(read_corpus(file, tmp_path, words=100).passages) != before
    assert corpus_hash(()) == ""
