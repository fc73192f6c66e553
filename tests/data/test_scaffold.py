"""`harness init`: a user's table becomes a suite that can be prepared as it stands."""

import json
import shutil
from pathlib import Path

import pytest

from harness.data import scaffold
from harness.data.kind_inference import Inference, infer_kind
from harness.data.prepare import prepare
from harness.data.suite import load_suite
from harness.data.table_files import read_table
from harness.errors import HarnessError

INTENTS = ("billing", "delivery", "refund")


@pytest.fixture
def tickets(tmp_path: Path) -> Path:
    file = tmp_path / "tickets.csv"
    rows = [f'"message number {i}, about case {i * 7919}",{INTENTS[i % 3]}' for i in range(90)]
    file.write_text("text,intent\n" + "\n".join(rows) + "\n", encoding="utf-8")
    return file


def written(data: Path, tmp_path: Path, **changes: object) -> scaffold.NewSuite:
    keys = ("input", "reference", "id", "cluster", "evidence")
    columns = {"input": "text", "reference": "intent"} | {key: changes.pop(key) for key in keys if key in changes}
    files = {"train": data, "test": changes.pop("test")} if "test" in changes else {"data": data}
    choose = changes.pop("choose", None)
    return scaffold.init_suite("mine", scaffold.Material(files, columns, **changes), tmp_path, choose)  # type: ignore[arg-type]


def material(data: Path) -> scaffold.Material:
    return scaffold.Material({"data": data}, {"input": "text", "reference": "intent"})


def jsonl(file: Path, rows: list[dict[str, object]]) -> Path:
    file.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return file


def test_a_table_of_labels_becomes_a_classification_that_can_be_prepared(tickets: Path, tmp_path: Path):
    new_suite = written(tickets, tmp_path)
    assert new_suite.path == tmp_path / "mine"
    assert "'intent' has 3 values in 90 rows" in new_suite.inferred
    suite = load_suite(new_suite.path)
    assert suite.task("mine").kind == "classification"
    prepared = prepare(suite, "mine")
    assert prepared.info.sizes == {"train": 40, "validation": 14, "test": 36}
    assert prepared.task_data.task.choices == INTENTS


def test_the_data_sheet_holds_real_counts_an_example_and_the_chance_level(tickets: Path, tmp_path: Path):
    sheet = (written(tickets, tmp_path).path / "README.md").read_text(encoding="utf-8")
    assert "| train | 40 |" in sheet
    assert "| test | 36 |" in sheet
    assert "> message number" in sheet
    assert "Chance level:** 0.333" in sheet
    assert "Known contamination" in sheet


def test_the_suite_needs_nothing_outside_its_folder(tickets: Path, tmp_path: Path):
    new_suite = written(tickets, tmp_path)
    tickets.unlink()
    moved = new_suite.path.rename(tmp_path / "elsewhere")
    assert len(prepare(load_suite(moved), "mine").test) == 36


def test_long_tables_train_on_a_part_that_the_suite_states(tmp_path: Path):
    rows = [{"text": f"case {i * 7919} of the long list", "intent": INTENTS[i % 3]} for i in range(2000)]
    new_suite = written(jsonl(tmp_path / "long.jsonl", rows), tmp_path)
    assert "sizes = { train = 400, validation = 64, test = 400 }" in (new_suite.path / "suite.toml").read_text()


def test_short_answers_become_question_answering_and_long_ones_generation(tmp_path: Path):
    short = [{"text": f"who did {i}?", "intent": f"person {i}"} for i in range(40)]
    long = [{"text": f"note {i}", "intent": f"summary {i} " + "with many more words " * 5} for i in range(40)]
    for name, rows, kind in (("a", short, "qa"), ("b", long, "generation")):
        folder = tmp_path / name
        folder.mkdir()
        new_suite = written(jsonl(folder / "rows.jsonl", rows), folder)
        assert load_suite(new_suite.path).task("mine").kind == kind


@pytest.mark.parametrize(
    ("labels", "rows", "kind"),
    [(77, 10_000, "classification"), (150, 600, "classification"), (150, 300, "qa"), (400, 1_000, "qa")],
)
def test_many_short_values_that_repeat_are_labels(tmp_path: Path, labels: int, rows: int, kind: str):
    lines = [f"message {i * 7919} of a customer,intent {i % labels}" for i in range(rows)]
    file = tmp_path / "rows.csv"
    file.write_text("text,intent\n" + "\n".join(lines) + "\n")
    assert infer_kind(read_table(file), "intent", has_corpus=False).kind == kind


def test_one_answer_that_does_not_repeat_makes_no_labels_of_many_that_do(tmp_path: Path):
    rows = [{"text": f"q {i}", "intent": f"answer {i}" if i % 3 else "none"} for i in range(300)]
    table = read_table(jsonl(tmp_path / "rows.jsonl", rows))
    assert infer_kind(table, "intent", has_corpus=False).kind == "qa"


def test_the_kind_can_be_chosen_and_the_other_kinds_are_offered(tickets: Path, tmp_path: Path):
    new_suite = written(tickets, tmp_path)
    assert new_suite.inferred.endswith("If that is wrong: --kind qa.")
    shutil.rmtree(new_suite.path)
    asked = written(tickets, tmp_path, kind="generation")
    assert load_suite(asked.path).task("mine").kind == "generation"


def test_a_column_is_not_its_own_answer(tickets: Path, tmp_path: Path):
    with pytest.raises(HarnessError, match="the answer would stand in the question"):
        written(tickets, tmp_path, reference="text")


def test_a_corpus_makes_it_question_answering_with_passages(tmp_path: Path):
    docs = tmp_path / "docs"
    (docs / "deep").mkdir(parents=True)
    (docs / "a.md").write_text("# Returns\n\nSend it back within thirty days.\n")
    (docs / "deep" / "b.txt").write_text("Parcels take two days.\n")
    (docs / "photo.png").write_bytes(b"\x89PNG")
    rows = [{"text": f"question {i}", "intent": " ".join(f"word{i}" for _ in range(9))} for i in range(30)]
    new_suite = written(jsonl(tmp_path / "rows.jsonl", rows), tmp_path, corpus=docs)
    suite = load_suite(new_suite.path)
    assert suite.task("mine").kind == "qa"
    assert "rag(k=1)" in suite.strategies
    assert [p.id for p in prepare(suite, "mine").task_data.corpus] == ["a.md#1", "deep/b.txt#1"]
    assert not (new_suite.path / "corpus" / "photo.png").exists()


def test_lists_of_answers_become_question_answering(tmp_path: Path):
    rows = [{"text": f"q {i}", "intent": [f"a {i}", f"b {i}"]} for i in range(20)]
    new_suite = written(jsonl(tmp_path / "rows.jsonl", rows), tmp_path)
    assert prepare(load_suite(new_suite.path), "mine").test[0].references[0].startswith("a ")


def test_awkward_columns_and_labels_survive_the_toml(tmp_path: Path):
    rows = [{'the "text"': f"row {i} \\ x", "ünt\tent": ('say "no"', "back\\slash")[i % 2]} for i in range(40)]
    new_suite = written(jsonl(tmp_path / "rows.jsonl", rows), tmp_path, input='the "text"', reference="ünt\tent")
    assert prepare(load_suite(new_suite.path), "mine").task_data.task.choices == ("back\\slash", 'say "no"')


def test_a_misspelt_column_gets_the_nearest_name_and_nothing_is_written(tickets: Path, tmp_path: Path):
    with pytest.raises(HarnessError, match=r"unknown column 'intend' in tickets\.csv: did you mean 'intent'"):
        written(tickets, tmp_path, reference="intend")
    assert [path.name for path in tmp_path.iterdir()] == ["tickets.csv"]


def test_data_that_cannot_be_used_leave_nothing_behind(tickets: Path, tmp_path: Path):
    (tmp_path / "docs").mkdir()
    (tmp_path / "docs" / "empty.md").write_text("\n")
    with pytest.raises(HarnessError, match="holds no text"):
        written(tickets, tmp_path, corpus=tmp_path / "docs")
    assert {path.name for path in tmp_path.iterdir()} == {"tickets.csv", "docs"}


def test_a_suite_that_is_there_is_never_overwritten(tickets: Path, tmp_path: Path):
    new_suite = written(tickets, tmp_path)
    (new_suite.path / "suite.toml").write_text("mine")
    with pytest.raises(HarnessError, match="is there already"):
        written(tickets, tmp_path)
    assert (new_suite.path / "suite.toml").read_text() == "mine"


@pytest.mark.parametrize("name", ["../up", "a/b", "", ".hidden", "with space", "x" * 65])
def test_a_name_that_is_no_folder_name_is_refused(name: str, tickets: Path, tmp_path: Path):
    with pytest.raises(HarnessError, match="can't name a suite"):
        scaffold.init_suite(name, material(tickets), tmp_path)


def test_the_name_of_a_built_in_suite_is_refused(tickets: Path, tmp_path: Path):
    with pytest.raises(HarnessError, match="is a built-in suite"):
        scaffold.init_suite("quickstart", material(tickets), tmp_path)


def test_a_column_that_is_always_the_same_is_refused(tmp_path: Path):
    data = jsonl(tmp_path / "rows.jsonl", [{"text": f"row {i}", "intent": "same"} for i in range(9)])
    with pytest.raises(HarnessError, match="there must be two"):
        written(data, tmp_path)


def test_a_path_into_a_cell_can_be_the_reference(tmp_path: Path):
    rows = [{"text": f"what is {i}", "answers": {"text": [f"thing {i}"], "start": [i]}} for i in range(40)]
    data = jsonl(tmp_path / "rows.jsonl", rows)
    with pytest.raises(HarnessError, match=r"column 'answers' holds an object .* such as 'answers\.text'"):
        written(data, tmp_path, reference="answers")
    new_suite = written(data, tmp_path, reference="answers.text")
    assert prepare(load_suite(new_suite.path), "mine").test[0].references[0].startswith("thing ")


def test_missing_numbers_are_no_class(tmp_path: Path):
    rows = [{"text": f"text {i}", "intent": float("nan") if i % 5 == 0 else float(i % 2)} for i in range(60)]
    prepared = prepare(load_suite(written(jsonl(tmp_path / "rows.jsonl", rows), tmp_path).path), "mine")
    assert prepared.task_data.task.choices == ("0", "1")
    assert "12 rows of rows.jsonl left out: no input or no reference" in prepared.info.warnings[0]


@pytest.mark.parametrize(
    ("labels", "rows", "kind", "alternative", "is_sure"),
    [
        (77, 10_000, "classification", "qa", True),
        (150, 600, "classification", "qa", False),
        (150, 300, "qa", "classification", False),
        (300, 300, "qa", "generation", True),
    ],
)
def test_who_is_there_is_asked_only_where_labels_are_not_sure(
    tmp_path: Path, *, labels: int, rows: int, kind: str, alternative: str, is_sure: bool
):
    asked: list[Inference] = []

    def choose(inference: Inference):
        asked.append(inference)
        return inference.alternative

    lines = [{"text": f"message {i * 7919} of a customer", "intent": f"intent {i % labels}"} for i in range(rows)]
    new_suite = written(jsonl(tmp_path / "rows.jsonl", lines), tmp_path, choose=choose)
    chosen = load_suite(new_suite.path).task("mine").kind
    assert (len(asked), chosen) == ((0, kind) if is_sure else (1, alternative))
    if asked:
        assert (asked[0].kind, asked[0].alternative) == (kind, alternative)


def test_a_test_file_ids_and_clusters_are_written_and_used(tmp_path: Path):
    rows = [{"text": f"text {i * 7919}", "intent": "ab"[i % 2], "key": f"k{i}", "customer": i // 3} for i in range(90)]
    data, test = jsonl(tmp_path / "rows.jsonl", rows[:60]), jsonl(tmp_path / "held.jsonl", rows[60:])
    new_suite = written(data, tmp_path, test=test, id="key", cluster="customer")
    prepared = prepare(load_suite(new_suite.path), "mine")
    assert prepared.info.sizes == {"train": 54, "validation": 6, "test": 30}
    assert {example.query.id for example in prepared.test} == {f"k{i}" for i in range(60, 90)}
    assert {example.cluster for example in prepared.test} == {str(i // 3) for i in range(60, 90)}
    assert "held.jsonl" in (new_suite.path / "README.md").read_text()


def test_a_column_that_names_corpus_files_is_offered_as_evidence(tmp_path: Path):
    docs = tmp_path / "docs"
    docs.mkdir()
    for number in range(5):
        (docs / f"d{number}.md").write_text(f"Text number {number} of the guide.\n")
    rows = [{"text": f"question {i}?", "intent": f"answer {i} here", "source": f"d{i % 5}.md"} for i in range(40)]
    data = jsonl(tmp_path / "rows.jsonl", rows)
    new_suite = written(data, tmp_path, corpus=docs)
    assert new_suite.notes[-1] == "column 'source' names passages or files of the corpus: --evidence source."
    assert '# evidence = "source"' in (new_suite.path / "suite.toml").read_text()
    shutil.rmtree(new_suite.path)
    with_evidence = written(data, tmp_path, corpus=docs, evidence="source")
    assert prepare(load_suite(with_evidence.path), "mine").test[0].evidence[0].endswith(".md#1")
    assert not any("--evidence" in note for note in with_evidence.notes)


def test_all_that_is_left_out_is_said(tmp_path: Path):
    lines = [f"message {i * 7919} of a customer;intent {i % 3}" for i in range(60)]
    file = tmp_path / "rows.csv"
    file.write_text(
        "\n".join(["text;intent", *lines, "no answer;", lines[4], "one;two;three"]) + "\n", encoding="utf-8"
    )
    notes = written(file, tmp_path).notes
    assert notes[0].startswith("rows.csv was read with semicolons between cells")
    assert "1 row of rows.csv left out, as they can't be used (line 64: 3 cells" in notes[1]
    assert "1 row of rows.csv left out: no input or no reference (first: rows.csv, line 62)." in notes
    assert "1 row of rows.csv left out: the same as an earlier one (first: rows.csv, line 63)." in notes
