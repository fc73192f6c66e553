"""Fresh items stand in for the test split and for nothing else; what is wrong with their file is said."""

import json

import pytest

from harness.data.fresh import parse_split
from harness.data.prepare import prepare
from harness.data.suite import load_suite
from harness.errors import HarnessError


@pytest.fixture
def suite(tiny_suite):
    return load_suite(tiny_suite)


@pytest.fixture
def moods(tmp_path):
    """Write fresh items of the task moods; return their file."""

    def write(rows, name="new moods.csv", head="text,mood"):
        file = tmp_path / name
        file.write_text("\n".join([head, *rows]) + "\n")
        return file

    return write


ROWS = [
    f"A new thing {n} was {mood}.,{label}" for n, (mood, label) in enumerate([("fine", "good"), ("dull", "bad")] * 6)
]


def test_only_the_test_split_changes(suite, moods):
    usual, fresh = prepare(suite, "moods"), prepare(suite, "moods", fresh=moods(ROWS))
    assert fresh.task_data == usual.task_data
    assert len(fresh.test) == 12
    assert all(example.query.id.startswith("fresh/new moods.csv:") for example in fresh.test)
    assert fresh.info.data_hash != usual.info.data_hash
    assert fresh.info.sizes == {**usual.info.sizes, "test": 12}
    assert fresh.info.warnings[0] == "the test items are those of new moods.csv, not the suite's own."


def test_a_limit_of_the_test_split_is_one_of_fresh_items(suite, moods):
    few = prepare(suite, "moods", limits={"test": 4}, fresh=moods(ROWS)).test
    assert len(few) == 4
    assert {example.references[0] for example in few} == {"good", "bad"}


def test_items_that_training_has_seen_are_told(suite, moods):
    leaked = prepare(suite, "moods").task_data.train[0]
    fresh = prepare(suite, "moods", fresh=moods([*ROWS, f'"{leaked.query.input}",{leaked.references[0]}']))
    assert any("1 test item is in the training or validation split too" in text for text in fresh.info.warnings)


def test_other_formats_and_columns_that_need_not_be_there(suite, tmp_path):
    file = tmp_path / "facts.jsonl"
    rows = [{"question": f"Which key opens gate {n}?", "answer": f"key {n}", "worse": ""} for n in range(5)]
    file.write_text("\n".join(map(json.dumps, rows)))
    fresh = prepare(suite, "facts", fresh=file)
    assert len(fresh.test) == 5
    assert any("no column 'page': how well passages are found is not scored." in text for text in fresh.info.warnings)


@pytest.mark.parametrize(
    ("head", "row", "message"),
    [
        ("txt,mood", "It was fine.,good", "unknown column 'text' in new moods.csv: did you mean 'txt'?"),
        ("text,mood", "It was fine.,great", "line 2: the reference 'great' isn't among the labels (bad, good)"),
        ("text,mood", ",good", "has no row with an input and a reference"),
    ],
)
def test_a_wrong_file_is_named_with_its_place(suite, moods, head, row, message):
    with pytest.raises(HarnessError) as error:
        prepare(suite, "moods", fresh=moods([row], head=head))
    assert message in str(error.value)


@pytest.mark.parametrize(
    ("written", "tasks", "message"),
    [
        ("new.csv", (), "names no file of fresh items: write --split fresh=FILE"),
        ("test=new.csv", (), "names no file"),
        ("fresh=", (), "names no file"),
        ("fresh=new.csv", (), "there are moods, facts: write"),
        ("moods.fresh=new.csv", ("facts",), "but --task names facts"),
        ("mood.fresh=new.csv", (), "did you mean 'moods'?"),
        ("moods.fresh=missing.csv", (), "can't be read"),
    ],
)
def test_what_is_asked_for_must_be_clear(suite, written, tasks, message):
    with pytest.raises(HarnessError) as error:
        parse_split(suite, written, tasks)
    assert message in str(error.value)


def test_the_short_form_takes_the_task_that_was_named(suite, moods):
    file = moods(ROWS)
    first, second = parse_split(suite, f"fresh={file}", ("moods",)), parse_split(suite, f"moods.fresh={file}")
    assert first == second
    assert first.label == f"new moods.csv (sha256 {first.digest[:12]})"


def test_each_file_has_a_folder_of_its_own_that_no_report_reads(suite, moods, tmp_path):
    first = parse_split(suite, f"moods.fresh={moods(ROWS)}").folder(tmp_path)
    other = parse_split(suite, f"moods.fresh={moods(ROWS[1:])}").folder(tmp_path)
    assert first != other
    assert first.parent == tmp_path / ".fresh"
    assert first.name.startswith("new-moods-")
