"""`harness init --synthesise`: a suite of questions that a model writes, marked as such, and what a person accepts."""

import csv
from pathlib import Path

import pytest

from harness.data.prepare import prepare
from harness.data.suite import load_suite
from tests.endpoints.chat_server import ChatServer

NAMES = [f"{first}{last}" for first in ("Vel", "Orr", "Tam", "Bry", "Cas", "Dun") for last in ("mora", "wick", "holt")]


@pytest.fixture
def documents(tmp_path: Path) -> Path:
    folder = tmp_path / "documents"
    folder.mkdir()
    for number, name in enumerate(NAMES):
        (folder / f"{name}.md").write_text(f"The mill of {name} was built by Ida {name}son, who had {number} sisters.")
    return folder


@pytest.fixture
def teacher(monkeypatch, tmp_path: Path) -> str:
    monkeypatch.setenv("HARNESS_CACHE", str(tmp_path / "cache"))

    def write(text: str) -> str:
        name = text.rpartition("The mill of ")[2].split()[0]
        return f"Who built {name} mill? Answer: Ida {name}son"

    return f"{ChatServer(write).url}#scribe"


def init(command, name: str, documents: Path, *flags: object):
    return command("init", name, "--corpus", documents, *flags)


def sheet(path: Path) -> list[dict[str, str]]:
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def test_documents_become_a_suite_that_says_who_wrote_it_and_then_one_of_what_was_accepted(
    command, documents: Path, teacher: str, tmp_path: Path
):
    code, out, err = init(command, "mill", documents, "--synthesise", 16, "--teacher", teacher)
    assert code == 0, out + err
    assert "harness init mill-accepted --corpus mill/corpus --accepted mill/questions.csv" in out
    prepared = prepare(load_suite(tmp_path / "mill"), "mill")
    assert sum(prepared.info.sizes[split] for split in ("train", "validation", "test")) == 16
    assert prepared.info.synthetic_by
    assert "scribe" in prepared.info.synthetic_by
    assert "the items are synthetic, written by the model" in prepared.info.warnings[0]
    assert "16 questions written by" in (tmp_path / "mill" / "README.md").read_text()
    example = prepared.test[0]
    assert example.references[0] in next(p.text for p in prepared.task_data.corpus if p.id == example.evidence[0])

    rows = sheet(tmp_path / "mill" / "questions.csv")
    assert all(row["answer"] in row["passage"] and row["accept"] == "" for row in rows)
    for number, row in enumerate(rows):
        row["accept"] = "1" if number < 12 else "0"
    with (tmp_path / "reviewed.csv").open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, rows[0], delimiter=";")
        writer.writeheader()
        writer.writerows(rows)
    code, out, err = init(command, "reviewed", documents, "--accepted", tmp_path / "reviewed.csv")
    assert code == 0, out + err
    accepted = prepare(load_suite(tmp_path / "reviewed"), "reviewed")
    assert accepted.info.synthetic_by == prepared.info.synthetic_by
    assert [row["id"] for row in sheet(tmp_path / "reviewed" / "questions.csv")] == [row["id"] for row in rows[:12]]
    assert "a person accepted 12 of 16" in (tmp_path / "reviewed" / "README.md").read_text()


def test_a_sheet_that_accepts_nothing_or_holds_another_word_is_one_line(command, documents: Path, tmp_path: Path):
    head = "id,question,answer,evidence,passage,teacher,accept"
    path = tmp_path / "sheet.csv"
    for verdict, message in (("", "accepts no question"), ("perhaps", "line 2: write 1 (accepted) or 0")):
        path.write_text(f"{head}\ns1,Who?,Ida,{NAMES[0]}.md#1,text,scribe,{verdict}\n")
        code, _, err = init(command, "none", documents, "--accepted", path)
        assert (code, len(err.splitlines())) == (2, 1)
        assert message in err


def test_a_teacher_that_writes_no_question_leaves_nothing_behind(command, documents: Path, monkeypatch, tmp_path: Path):
    monkeypatch.setenv("HARNESS_CACHE", str(tmp_path / "cache"))
    server = ChatServer(lambda text: "I cannot.")
    code, _, err = init(command, "mill", documents, "--synthesise", 4, "--teacher", f"{server.url}#m")
    assert code == 2
    assert "wrote no usable question (written: 5, no question with an answer: 5)" in err
    assert not (tmp_path / "mill").exists()


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        (("--synthesise", 3), "--synthesise N needs --corpus, the documents, and --teacher"),
        (("--teacher", "m"), "--synthesise N needs"),
        (("--synthesise", 3, "--teacher", "m", "--input", "q"), "leave out --data, --input"),
        (("--synthesise", 3, "--accepted", "x.csv"), "one of the two"),
    ],
)
def test_flags_that_do_not_fit_together_are_one_line(command, documents: Path, flags: tuple[object, ...], message: str):
    code, _, err = init(command, "mill", documents, *flags)
    assert code == 2
    assert message in err
