"""`harness init` from the command line: what it prints, asks and refuses."""

import json
import sys
from pathlib import Path

import pytest

from harness.data.prepare import prepare
from harness.data.suite import load_suite


@pytest.fixture
def tickets(tmp_path: Path) -> Path:
    """A table from a spreadsheet: semicolons, Latin-1, an empty cell and a line with a cell too many."""
    rows = [f"Die Lieferung {i * 7919} für Müller kam verspätet;Grund {i % 3}" for i in range(90)]
    lines = ["text;grund", *rows, "ohne Antwort;", "eins;zwei;drei"]
    (tmp_path / "tickets.csv").write_bytes("\r\n".join(lines).encode("latin-1"))
    return tmp_path / "tickets.csv"


def test_a_spreadsheet_becomes_a_suite_and_all_that_was_left_out_is_printed(command, tickets: Path, tmp_path: Path):
    code, out, _ = command(
        "init", "mine", "--data", tickets, "--input", "text", "--reference", "grund", "--folder", tmp_path
    )
    assert code == 0
    assert "- tickets.csv was read with semicolons between cells, cp1252" in out
    assert "line 93: 3 cells" in out
    assert "no input or no reference (first: tickets.csv, line 92)" in out
    assert 'kind "classification". If that is wrong: --kind qa.' in out
    prepared = prepare(load_suite(tmp_path / "mine"), "mine")
    assert "für Müller" in prepared.test[0].query.input
    code, out, err = command("data", tmp_path / "mine", "--strict")
    assert (code, out) == (2, "")
    assert "line 92: no input or no reference" in err


def test_a_person_at_the_terminal_is_asked_where_the_kind_is_not_sure(command, tmp_path: Path, monkeypatch):
    rows = [{"q": f"message {i * 7919}", "a": f"intent {i % 150}"} for i in range(600)]
    (tmp_path / "rows.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    flags = ("--data", tmp_path / "rows.jsonl", "--input", "q", "--reference", "a", "--folder", tmp_path)
    code, out, _ = command("init", "alone", *flags)
    assert "If that is wrong: --kind qa." in out
    monkeypatch.setattr(sys.stdin, "isatty", lambda: True, raising=False)
    monkeypatch.setattr("typer.prompt", lambda text, **options: "qa")
    code, out, _ = command("init", "asked", *flags)
    assert code == 0
    assert "'a' has 150 values in 600 rows" in out
    assert [load_suite(tmp_path / name).task(name).kind for name in ("alone", "asked")] == ["classification", "qa"]


def test_a_task_of_lm_evaluation_harness_becomes_a_multiple_choice(command, tmp_path: Path):
    rows = [{"q": f"what is {i * 7919}?", "options": ["one", "two"], "answer": i % 2} for i in range(60)]
    (tmp_path / "rows.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    (tmp_path / "task.yaml").write_text(
        "task: numbers\ndataset_path: json\noutput_type: multiple_choice\ndoc_to_text: 'Question: {{q}}\n\n  Answer:'\n"
        "doc_to_choice: options\ndoc_to_target: answer\n"
    )
    flags = ("--lm-eval", tmp_path / "task.yaml", "--folder", tmp_path)
    code, _, err = command("init", "numbers", *flags, "--data", tmp_path / "rows.jsonl")
    assert (code, err) == (0, "")
    prepared = prepare(load_suite(tmp_path / "numbers"), "numbers")
    assert prepared.info.kind == "multiple_choice"
    assert prepared.test[0].query.choices == ("one", "two")
    assert "asked the way of this harness" in (tmp_path / "numbers" / "README.md").read_text()
    code, _, err = command("init", "other", *flags, "--input", "q")
    assert code == 2
    assert "--lm-eval says itself what is asked" in err


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        (("--input", "text"), "--data and --input are needed"),
        (("--data", "x.csv", "--input", "a", "--reference", "b", "--evidence", "c"), "give --corpus too"),
        (("--data", "hf://", "--input", "a", "--reference", "b"), "names no data set"),
    ],
)
def test_flags_that_do_not_fit_together_are_one_line(command, tmp_path: Path, flags: tuple[str, ...], message: str):
    code, _, err = command("init", "mine", *flags, "--folder", tmp_path)
    assert code == 2
    assert message in err


def init(command, folder: Path, name: str, rows, *flags):
    """Create a suite from rows; gives (exit code, stdout, stderr)."""
    (folder / f"{name}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    return command("init", name, "--data", folder / f"{name}.jsonl", "--folder", folder, *flags)


@pytest.mark.parametrize(
    ("answer", "written"),
    [(lambda i: ["one", "two"][i % 2], None), (lambda i: "AB"[i % 2], "letter"), (lambda i: i % 2, "index")],
)
def test_choices_make_a_multiple_choice_whatever_its_answers_are_called(command, tmp_path: Path, answer, written):
    rows = [{"q": f"what is {i * 7919}?", "options": ["one", "two"], "right": answer(i)} for i in range(60)]
    code, _, err = init(
        command, tmp_path, "numbers", rows, "--input", "q", "--reference", "right", "--choices", "options"
    )
    assert (code, err) == (0, "")
    assert ("reference_as" in (tmp_path / "numbers" / "suite.toml").read_text()) == (written is not None)
    prepared = prepare(load_suite(tmp_path / "numbers"), "numbers")
    assert prepared.info.kind == "multiple_choice"
    assert {example.references[0] for example in prepared.test} == {"one", "two"}


def test_conversations_need_no_column_of_answers(command, tmp_path: Path):
    rows = [
        {"chat": [{"role": "user", "content": f"ticket {i * 7919}"}, {"role": "assistant", "content": f"done {i}"}]}
        for i in range(60)
    ]
    code, out, err = init(command, tmp_path, "chats", rows, "--input", "chat")
    assert (code, err) == (0, "")
    assert 'Kind "generation", of conversations' in out
    assert prepare(load_suite(tmp_path / "chats"), "chats").test[0].references[0].startswith("done ")
    code, _, err = init(command, tmp_path, "texts", [{"chat": f"ticket {i}"} for i in range(60)], "--input", "chat")
    assert (code, "holds no conversations: name the answers by --reference" in err) == (2, True)


def test_who_asks_is_named_by_a_flag_and_missed_where_all_passages_are_restricted(command, tmp_path: Path):
    rows = [{"q": f"What opens door {i * 7919}?", "a": f"key {i}", "who": "ann"} for i in range(60)]
    docs = [{"id": f"p{i}", "text": f"Door {i * 7919} opens with key {i}.", "readers": ["ann"]} for i in range(60)]
    (tmp_path / "docs.jsonl").write_text("".join(json.dumps(row) + "\n" for row in docs))
    flags = ("--input", "q", "--reference", "a", "--corpus", tmp_path / "docs.jsonl")
    code, out, _ = init(command, tmp_path, "open", rows, *flags)
    assert code == 0
    assert "every passage of the corpus (60) is restricted, and no test item says who asks" in out
    code, out, _ = init(command, tmp_path, "known", rows, *flags, "--user", "who")
    assert (code, "is restricted" in out) == (0, False)
    assert prepare(load_suite(tmp_path / "known"), "known").test[0].query.user == "ann"
