import json
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.api import Passage
from harness.data import cache, documents
from harness.data.corpus import evidence_index, read_corpus
from harness.data.documents import read_document
from harness.data.pdf_text import UnreadableError
from harness.data.text_blocks import Block, cut_blocks, join_blocks, markdown_blocks
from harness.errors import HarnessError
from tests.data import document_files

SECTIONS = [
    ("Harbour guide", ["The harbour lies north of the old mill and was dug by hand in the year 1811. " * 3]),
    (
        "Opening hours",
        [
            "The gates open at six in the morning, and a bell is rung a quarter of an hour before. " * 2,
            "In winter they open at eight, as ice is cleared from the well-kept basin first. " * 4,
        ],
    ),
    ("Fees", ["A berth costs nine crowns a night for boats of less than eight metres."]),
]
SCAN = "PDF without a text layer: recognise its text first, for example with ocrmypdf"
SECTIONS = [(title, [text.strip() for text in body]) for title, body in SECTIONS]
WRITERS = {
    "guide.md": document_files.write_markdown,
    "guide.html": document_files.write_html,
    "guide.pdf": document_files.write_pdf,
    "guide.docx": document_files.write_docx,
}


@pytest.fixture(autouse=True)
def own_cache(tmp_path_factory, monkeypatch):
    monkeypatch.setenv("HARNESS_CACHE", str(tmp_path_factory.mktemp("cache")))


@pytest.mark.parametrize("name", WRITERS)
def test_each_format_gives_the_same_headings_and_paragraphs(name: str, tmp_path: Path):
    document = read_document(WRITERS[name](tmp_path / name, SECTIONS))
    assert document.title == "Harbour guide"
    assert [(bool(block.level), block.text.lstrip("# ")) for block in document.blocks] == [
        part for title, body in SECTIONS for part in [(True, title), *((False, text) for text in body)]
    ]


def test_a_presentation_has_a_page_a_slide_with_its_title_text_and_notes(tmp_path: Path):
    document = read_document(document_files.write_pptx(tmp_path / "talk.pptx", SECTIONS[1:]))
    assert [(block.text, block.page) for block in document.blocks] == [
        ("# Opening hours", 1),
        ("\n".join(SECTIONS[1][1]), 1),
        ("Notes on Opening hours", 1),
        ("# Fees", 2),
        (SECTIONS[2][1][0], 2),
        ("Notes on Fees", 2),
    ]


def test_passages_bear_title_section_and_pages(tmp_path: Path):
    long = [(f"Part {n}", ["word " * 150 + f"end of part {n}."]) for n in range(5)]
    document_files.write_pdf(tmp_path / "long.pdf", [("Manual", ["Read this first."]), *long])
    passages = read_corpus(tmp_path, tmp_path, words=120).passages
    by_text = {n: next(p for p in passages if f"end of part {n}." in p.text) for n in range(5)}
    assert by_text[0].title.startswith("Manual - Part 0, p. ")
    assert by_text[4].title.startswith("Manual - Part 4, p. ")
    last_page = max(int(p.title.rpartition("p. ")[2].split("-")[-1]) for p in passages)
    assert last_page > 1
    index = evidence_index(passages)
    assert index["long.pdf"] == tuple(p.id for p in passages)
    assert by_text[4].id in index[f"long.pdf#p{last_page}"]
    assert by_text[0].id not in index[f"long.pdf#p{last_page}"]


def test_a_passage_across_pages_is_evidence_of_each():
    index = evidence_index([Passage("a.pdf#p2-4.1", "x"), Passage("a.pdf#p4.1", "y")])
    assert index["a.pdf#p3"] == ("a.pdf#p2-4.1",)
    assert index["a.pdf#p4"] == ("a.pdf#p2-4.1", "a.pdf#p4.1")


def test_what_is_not_read_is_named_with_its_kind(tmp_path: Path):
    (tmp_path / "a.txt").write_text("A harbour.", encoding="utf-8")
    (tmp_path / "empty.txt").write_text("", encoding="utf-8")
    (tmp_path / "photo.png").write_bytes(b"\x89PNG")
    (tmp_path / "LICENCE").write_text("text", encoding="utf-8")
    (tmp_path / ".hidden").write_text("text", encoding="utf-8")
    (tmp_path / "broken.docx").write_bytes(b"PK\x03\x04 not a zip")
    (tmp_path / "broken.pdf").write_bytes(b"%PDF-1.4 nothing more")
    document_files.write_scan(tmp_path / "scan.pdf")
    corpus = read_corpus(tmp_path, tmp_path, words=100)
    assert [passage.id for passage in corpus.passages] == ["a.txt#1"]
    assert set(corpus.notes) == {
        "1 file of the corpus not read (without text): empty.txt.",
        "1 file of the corpus not read (no document: .png): photo.png.",
        "1 file of the corpus not read (no document): LICENCE.",
        "1 file of the corpus not read (a damaged .docx file): broken.docx.",
        "1 file of the corpus not read (a damaged .pdf file): broken.pdf.",
        f"1 file of the corpus not read ({SCAN}): scan.pdf.",
    }


def test_a_folder_with_nothing_to_read_is_an_error_with_a_remedy(tmp_path: Path):
    document_files.write_scan(tmp_path / "scan.pdf")
    with pytest.raises(HarnessError, match=r"holds no text that can be read: .*ocrmypdf\): scan\.pdf"):
        read_corpus(tmp_path, tmp_path, words=100)
    (tmp_path / "scan.pdf").rename(tmp_path / "scan.jpeg")
    with pytest.raises(HarnessError, match=r"holds \.jpeg: needed is one of \.txt, \.md"):
        read_corpus(tmp_path, tmp_path, words=100)


def test_pages_without_text_are_counted(tmp_path: Path):
    from fpdf import FPDF

    pdf = FPDF()
    pdf.set_font("Helvetica", size=10)
    for text in ("First page.", "", "Third page."):
        pdf.add_page()
        pdf.multi_cell(0, 5, text)
    pdf.output(str(tmp_path / "half.pdf"))
    assert read_corpus(tmp_path, tmp_path, words=100).notes == ("half.pdf: no text on 1 of its pages (2).",)


def test_a_pdf_with_a_password_is_said_to_have_one(tmp_path: Path):
    from fpdf import FPDF

    pdf = FPDF()
    pdf.add_page()
    pdf.set_font("Helvetica", size=10)
    pdf.multi_cell(0, 5, "Secret.")
    pdf.set_encryption(owner_password="a", user_password="b")  # noqa: S106 - of a test
    pdf.output(str(tmp_path / "locked.pdf"))
    with pytest.raises(UnreadableError, match="PDF with a password"):
        read_document(tmp_path / "locked.pdf")


def test_without_the_extra_a_pdf_is_an_error_that_names_it(tmp_path: Path, monkeypatch):
    monkeypatch.setitem(documents.PARSERS, ".pdf", "a-package-that-is-not-there")
    document_files.write_pdf(tmp_path / "a.pdf", SECTIONS)
    with pytest.raises(HarnessError, match=r'a\.pdf needs .*: pip install "adaptbench\[documents\]"'):
        read_corpus(tmp_path, tmp_path, words=100)


def test_a_file_is_parsed_once_and_again_when_it_changes(tmp_path: Path):
    file = document_files.write_docx(tmp_path / "a.docx", SECTIONS)
    before = read_document(file)
    (memory,) = (cache.root() / "documents").iterdir()
    cache.remember(memory, json.dumps(["", [{"text": "from the cache", "level": 0, "page": None}], []]))
    assert [block.text for block in read_document(file).blocks] == ["from the cache"]
    memory.write_bytes(memory.read_bytes().replace(b"from", b"form"))
    assert read_document(file).blocks == before.blocks
    document_files.write_docx(file, SECTIONS[:1])
    assert read_document(file).blocks == before.blocks[:2]


def test_html_leaves_scripts_out_and_reads_tables_by_rows(tmp_path: Path):
    file = tmp_path / "page.html"
    file.write_text(
        "<title>Site</title><nav>Home</nav><script>if (a < b) x()</script><h2>Fees</h2>Boats &amp; <b>more</b>"
        "<table><tr><th>Length<th>Fee</tr><tr><td><p>8 m</p></td><td>9</td></tr></table><pre>a  b\nc</pre><ul><li>x"
        "<li>y</ul>",
        encoding="utf-8",
    )
    document = read_document(file)
    assert document.title == "Fees"
    assert [block.text for block in document.blocks] == [
        "## Fees",
        "Boats & more",
        "Length | Fee\n8 m | 9",
        "a  b\nc",
        "x",
        "y",
    ]


def test_a_comment_in_a_code_block_is_no_heading():
    text = "# Setup\nRun this:\n\n```bash\n# install\npip install x\n```\n\n## Next\nMore."
    assert [(block.text, block.level) for block in markdown_blocks(text)] == [
        ("# Setup", 1),
        ("Run this:", 0),
        ("```bash\n# install\npip install x\n```", 0),
        ("## Next", 2),
        ("More.", 0),
    ]


def test_a_long_table_is_cut_between_its_rows():
    table = "\n".join(f"row {n} | {n} crowns. Or more" for n in range(100))
    pieces = [join_blocks(piece) for piece in cut_blocks([Block(table)], 60)]
    assert "\n".join(pieces) == table
    assert len(pieces) > 5


def test_a_docx_table_is_a_row_a_line_with_equal_cells_both_there(tmp_path: Path):
    import docx

    document = docx.Document()
    table = document.add_table(rows=2, cols=3)
    for row, texts in zip(table.rows, (("a", "a", "b"), ("c", "", "d")), strict=True):
        for cell, text in zip(row.cells, texts, strict=True):
            cell.text = text
    table.cell(1, 1).merge(table.cell(1, 2))
    document.save(str(tmp_path / "t.docx"))
    assert [block.text for block in read_document(tmp_path / "t.docx").blocks] == ["a | a | b\nc | d"]


@settings(max_examples=50, deadline=None)
@given(st.text(alphabet="<>/abhtrdp &;\"'=!-\n", max_size=80))
def test_any_html_is_read_without_an_error(text: str):
    from harness.data.html_text import html_blocks

    _, blocks = html_blocks(text)
    assert all(block.text.strip() for block in blocks)
