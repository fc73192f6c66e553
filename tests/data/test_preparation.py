"""A training split is cleaned, anonymised, reduced and augmented as its suite asks; nothing else changes."""

import pytest

from harness.api import Example, Query
from harness.data.options import Preparation
from harness.data.prepare import prepare
from harness.data.suite import load_suite
from harness.data.training_changes import change_training
from harness.errors import HarnessError


def item(name: str, text: str, answer: str = "a", choices: tuple[str, ...] = ()) -> Example:
    return Example(Query(name, text, choices), (answer,))


def changed(train, held_out=(), *, labelled=True, **options):
    return change_training(tuple(train), tuple(held_out), Preparation(**options), labelled=labelled)


RIVER = "the river runs past the old mill and the bridge to the harbour"
TOWER = "a tower of stone stands alone above the quiet green valley"


def test_without_options_the_split_stays_as_it_is():
    train = (item("1", RIVER), item("2", RIVER))
    assert changed(train) == (train, ())


def test_repeats_and_near_repeats_are_left_out_after_their_first():
    train = [item("1", RIVER), item("2", RIVER.upper() + "!"), item("3", RIVER + "s"), item("4", TOWER)]
    remaining, notes = changed(train, drop_duplicates=True)
    assert [example.query.id for example in remaining] == ["1", "3", "4"]
    assert notes == ("1 of 4 training items left out: the same as an earlier one",)
    remaining, notes = changed(train, drop_duplicates=True, drop_near_duplicates=True)
    assert [example.query.id for example in remaining] == ["1", "4"]
    assert notes[1] == "1 of 3 training items left out: nearly the same as an earlier one"


def test_the_same_question_with_another_answer_is_no_duplicate():
    left, _ = changed([item("1", RIVER), item("2", RIVER, "b")], drop_duplicates=True)
    assert len(left) == 2


def test_what_held_out_items_hold_too_is_left_out_of_training():
    remaining, notes = changed([item("1", RIVER + "s"), item("2", TOWER)], [item("9", RIVER)], drop_leaks=True)
    assert [example.query.id for example in remaining] == ["2"]
    assert notes == ("1 of 2 training items left out: like a validation or test item",)


def test_long_items_are_left_out_by_words_of_question_and_answer():
    remaining, _ = changed([item("1", "one two three", "four"), item("2", "one two three four", "five")], max_words=4)
    assert [example.query.id for example in remaining] == ["1"]


def test_personal_data_are_replaced_in_questions_and_written_answers_but_not_in_labels():
    train = [item("1", "who has ann@example.org?", "bo@example.org")]
    remaining, notes = changed(train, labelled=False, anonymise=True)
    assert (remaining[0].query.input, remaining[0].references) == ("who has <EMAIL>?", ("<EMAIL>",))
    assert notes == ("personal data of 1 training items replaced: 2 <EMAIL>",)
    assert changed(train, labelled=True, anonymise=True)[0][0].references == ("bo@example.org",)


def test_an_item_whose_choices_become_the_same_is_left_out_and_said():
    choices = ("ann@example.org", "bo@example.org")
    unchanged = item("2", TOWER, "x", ("x", "cy@example.org"))
    remaining, notes = changed([item("1", RIVER, choices[0], choices), unchanged], labelled=False, anonymise=True)
    assert [example.query.choices for example in remaining] == [("x", "<EMAIL>")]
    assert "1 items left out" in notes[0]


def test_a_random_reduction_keeps_each_label_in_its_share():
    train = [item(str(n), f"text {n * 7919 % 997}", "rare" if n % 4 == 0 else "common") for n in range(40)]
    remaining, notes = changed(train, reduce=20)
    assert [example.references[0] for example in remaining].count("rare") == 5
    assert set(remaining) < set(train)
    assert notes == ("20 of 40 training items kept: at random, each label in its share",)
    assert changed(train, reduce=20)[0] == remaining
    assert changed(train, reduce=20, seed=1)[0] != remaining


def test_a_diverse_reduction_takes_one_of_each_kind_before_a_second_of_any():
    groups = ("river water boat", "tower stone wall", "garden rose bee", "engine oil wheel")
    train = [item(f"{g}{n}", f"{words} {words} number{n}") for g, words in enumerate(groups) for n in range(5)]
    remaining, _ = changed(train, reduce=4, reduce_by="diverse")
    assert {example.query.id[0] for example in remaining} == {"0", "1", "2", "3"}


def test_more_than_there_is_cannot_be_kept():
    with pytest.raises(HarnessError, match="keep 3 training items, but there are 2"):
        changed([item("1", RIVER), item("2", TOWER)], reduce=3)


def test_nothing_left_is_an_error_that_says_which_option_took_it():
    with pytest.raises(HarnessError, match="longer than 2 words"):
        changed([item("1", RIVER)], max_words=2)


@pytest.mark.parametrize(("how", "same"), [("delete", False), ("swap", True)])
def test_copies_keep_the_label_and_come_from_the_same_words(how, same):
    train = [
        item("1", "every word stands here only once, so a change shows"),
        item("2", "short"),
        item("3", TOWER[2:], "b"),
    ]
    augmented, notes = changed(train, augment=how, augment_copies=3)
    copies = augmented[3:]
    assert augmented[:3] == tuple(train)
    assert len(copies) == 6
    assert len({example.query.id for example in augmented}) == len(augmented)
    for copy in copies:
        source = next(example for example in train if copy.query.id.startswith(f"{example.query.id}~"))
        mine, theirs = sorted(copy.query.input.split()), sorted(source.query.input.split())
        assert copy.references == source.references
        assert copy.query.input != source.query.input
        assert (mine == theirs) is same
        assert set(mine) <= set(theirs)
        assert mine
    assert notes == (
        f"6 copies added to 3 training items, with 10% of the words {'exchanged' if same else 'left out'}",
    )
    assert changed(train, augment=how, augment_copies=3)[0] == augmented


def test_a_suite_prepares_its_training_split_only_and_its_record_says_so(tmp_path):
    write_suite(tmp_path, "")
    before = prepare(load_suite(tmp_path), "t")
    write_suite(tmp_path, "[tasks.preparation]\nanonymise = true\nmax_words = 6\n")
    after = prepare(load_suite(tmp_path), "t")
    assert after.test == before.test
    assert after.task_data.validation == before.task_data.validation
    assert {example.query.input for example in after.task_data.train} == {
        f"write {n} to <EMAIL> now" for n in range(0, 20, 2)
    }
    assert all("@" in example.query.input for example in after.test)
    assert len(after.info.preparation) == 2
    assert after.info.sizes["train"] == 10
    assert after.info.data_hash != before.info.data_hash


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ("drop_duplicate = true", "unknown key 'drop_duplicate'.*'drop_duplicates'"),
        ("reduce_by = 'random'", "unknown reduce_by 'random'"),
        ("augment_copies = 0", "augment_copies"),
    ],
)
def test_a_wrong_option_is_one_sentence_that_names_it(tmp_path, wrong, message):
    write_suite(tmp_path, f"[tasks.preparation]\n{wrong}\n")
    with pytest.raises(HarnessError, match=message) as raised:
        load_suite(tmp_path)
    assert "preparation" in str(raised.value)


def test_only_a_classification_can_be_augmented(tmp_path):
    write_suite(tmp_path, "[tasks.preparation]\naugment = 'swap'\n", kind="qa")
    with pytest.raises(HarnessError, match="'augment' keeps a label"):
        load_suite(tmp_path)


def write_suite(folder, options, kind="classification"):
    (folder / "suite.toml").write_text(
        f'name = "mine"\nversion = 1\n[[tasks]]\nname = "t"\nkind = "{kind}"\ntrain = "train.csv"\n'
        f'validation = "validation.csv"\ntest = "test.csv"\ninput = "text"\nreference = "label"\n{options}'
    )
    texts = [f"write {n} to n{n}@example.org now{' or perhaps later' * (n % 2)}" for n in range(30)]
    for name, part in (("train", texts[:20]), ("validation", texts[20:24]), ("test", texts[24:])):
        rows = [f"{text},{'xy'[i % 2]}" for i, text in enumerate(part)]
        (folder / f"{name}.csv").write_text("\n".join(["text,label", *rows]) + "\n")
