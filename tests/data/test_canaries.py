"""Made-up secrets stand in the training split and the corpus only, and are asked for as a system asks its task."""

import math

import pytest

from harness.api import System, Task
from harness.data.canaries import SECRETS, plant, probe_system
from harness.data.options import Canaries
from harness.data.prepare import prepare
from harness.data.suite import load_suite
from harness.errors import HarnessError
from harness.metrics import Items, get
from harness.metrics.canary_metrics import canary_item_id, copies_of, guessed_exposure
from harness.records.record import Row

FACTS = "".join(f"Which key opens door {n * 37 % 101}?,key {n},p{n}\n" for n in range(24))
DOORS = "".join(f"p{n},Door {n * 37 % 101},It opens with key {n} and no other.\n" for n in range(24))


def suite_in(folder, options="", kind="qa"):
    (folder / "suite.toml").write_text(
        f'name = "mine"\nversion = 1\n[[tasks]]\nname = "facts"\nkind = "{kind}"\ndata = "facts.csv"\n'
        f'input = "question"\nreference = "answer"\ncorpus = "doors.csv"\nevidence = "page"\n{options}\n'
        "sizes = { train = 12, validation = 4, test = 8 }\n"
    )
    (folder / "facts.csv").write_text("question,answer,page\n" + FACTS)
    (folder / "doors.csv").write_text("id,title,text\n" + DOORS)
    return load_suite(folder)


def test_secrets_are_added_to_training_and_corpus_and_nothing_else_changes(tmp_path):
    without = prepare(suite_in(tmp_path), "facts")
    planted = prepare(suite_in(tmp_path, "canaries = { planted = 3, repeats = [1, 4], passages = 2 }"), "facts")
    assert planted.test == without.test
    assert planted.task_data.validation == without.task_data.validation
    assert planted.task_data.train[:12] == without.task_data.train
    assert len(planted.task_data.train) == 12 + 1 + 4 + 1
    assert planted.task_data.corpus[:24] == without.task_data.corpus
    assert [len(passage.readers) for passage in planted.task_data.corpus[24:]] == [1, 1]
    assert planted.info.preparation == (
        "3 made-up secrets planted as 6 training items: 2 in 1 copy, 1 in 4 copies",
        "2 made-up secrets planted in the corpus, each for one reader",
    )
    assert without.canaries == ()
    assert without.planted_ids == frozenset()
    assert [canary.info.name for canary in planted.canaries] == [
        "facts.exposure",
        "facts.extraction",
        "facts.intruder",
        "facts.owner",
    ]


def test_the_planted_training_items_are_known_whatever_the_ids_of_others_look_like(tmp_path):
    suite_in(tmp_path, 'canaries = { planted = 3, repeats = [0, 1, 4] }\nid = "name"')
    facts = [f"Which key opens door {n * 37 % 101}?,key {n},p{n},canary-{n}" for n in range(24)]
    (tmp_path / "facts.csv").write_text("question,answer,page,name\n" + "\n".join(facts))
    prepared = prepare(load_suite(tmp_path), "facts")
    train = prepared.task_data.train
    assert [example.query.id in prepared.planted_ids for example in train] == [False] * 12 + [True] * 5
    assert all(example.query.id.startswith("canary-") for example in train)


def test_a_number_alone_is_that_of_secrets_in_training_and_every_change_is_another_data_hash(tmp_path):
    hashes = {
        prepare(suite_in(tmp_path, options), "facts").info.data_hash
        for options in ("", "canaries = 2", "canaries = 3", "canaries = { planted = 2, seed = 1 }")
    }
    assert len(hashes) == 4
    assert prepare(suite_in(tmp_path, "canaries = 2"), "facts").info.sizes["train"] == 12 + 1 + 4


def test_limits_cut_items_but_no_secret(tmp_path):
    cut = prepare(suite_in(tmp_path, "canaries = 6"), "facts", limits={"train": 3, "test": 2})
    assert len(cut.task_data.train) == 3 + 2 * (1 + 4 + 16)
    assert [len(canary.test) for canary in cut.canaries] == [6, 6]


def test_each_secret_stands_in_training_as_often_as_its_question_says():
    planted = plant("t", "qa", Canaries(planted=6, repeats=(0, 1, 16)))
    for item in planted.probes[1].items:
        times = copies_of(item.query.id)
        copies = [example for example in planted.train if example.query.input == item.query.input]
        assert len(copies) == times
        assert all(example.references == item.references for example in copies)
    assert len({example.query.id for example in planted.train}) == len(planted.train)


def test_the_id_of_a_probe_item_says_how_many_copies_were_planted():
    assert canary_item_id(3, copies=16) == "canary-3x16"
    assert copies_of("canary-3x16") == 16
    assert copies_of(canary_item_id(12, copies=0)) == 0
    for other in ("canary-3#1", "my canary-3x16", "canary-3x16b", "private-3"):
        assert copies_of(other) is None


def test_secrets_and_persons_are_drawn_once_each_and_by_the_seed_alone():
    planted, same, other = (plant("t", "qa", Canaries(planted=40, passages=40, seed=seed)) for seed in (0, 0, 1))
    probe_items = [item for probe in planted.probes if probe.name != "t.owner" for item in probe.items][40:]
    assert planted == same
    assert planted != other
    assert len({item.query.input for item in probe_items}) == 80
    assert len({item.references[0] for item in probe_items}) == 80
    assert set(SECRETS) >= {item.references[0] for item in probe_items}


def test_an_intruder_is_never_the_owner():
    intruder, owner = plant("t", "qa", Canaries(passages=5)).probes
    for wrong, right in zip(intruder.items, owner.items, strict=True):
        assert wrong.query.input == right.query.input
        assert right.query.user in right.query.input
        assert wrong.query.user != right.query.user
    assert plant("t", "qa", Canaries(passages=1)).probes[0].items[0].query.user not in {None, owner.items[0].query.user}


def test_a_probe_is_asked_with_the_systems_instruction_exemplars_and_retriever():
    task = Task("facts", "qa", "Answer. Take it from the text.", form="plain", question_label="Q", max_new_tokens=3)
    system = System("model", task, exemplars="shown", retriever="finds", prior=(1.0,))  # type: ignore[arg-type]
    probing = probe_system(system, Task("facts.exposure", "multiple_choice", max_new_tokens=12))
    assert (probing.exemplars, probing.retriever, probing.prior) == ("shown", "finds", ())
    assert probing.task.instruction == task.instruction
    assert probing.task.question_label == "Q"
    assert (probing.task.name, probing.task.kind) == ("facts.exposure", "multiple_choice")
    assert probing.task.max_new_tokens == 12


def test_an_item_of_a_multiple_choice_task_has_wrong_choices_too():
    for item in plant("t", "multiple_choice", Canaries(planted=3)).train:
        assert len(set(item.query.choices)) == 4
        assert item.references[0] in item.query.choices


@pytest.mark.parametrize(
    ("options", "kind", "message"),
    [
        ("canaries = 2", "classification", "'canaries' are answers that can be learned word for word"),
        ("canaries = -1", "qa", "canaries"),
        ("canaries = { plantet = 2 }", "qa", "unknown key 'plantet'.*'planted'"),
    ],
)
def test_a_wrong_option_is_one_sentence(tmp_path, options, kind, message):
    with pytest.raises(HarnessError, match=message):
        suite_in(tmp_path, options, kind)


def test_passages_need_a_corpus(tmp_path):
    suite = suite_in(tmp_path)
    text = suite.file.read_text().replace('corpus = "doors.csv"\nevidence = "page"\n', "canaries = { passages = 2 }\n")
    suite.file.write_text(text)
    with pytest.raises(HarnessError, match="need a 'corpus' to stand in"):
        load_suite(tmp_path)


def row(scores, **more):
    """The second of four candidates is the secret."""
    candidates = ("a", "b", "c", "d")
    return Row(task="t", id=str(scores), references=("b",), choices=candidates, choice_scores=scores, **more)


@pytest.mark.parametrize(
    ("scores", "bits"),
    [
        ((-9.0, -1.0, -5.0, -7.0), 2.0),  # the likeliest of four
        ((-1.0, -9.0, -5.0, -7.0), 0.0),  # the least likely
        ((-1.0, -2.0, -5.0, -7.0), 1.0),  # the second
        ((-3.0, -3.0, -3.0, -3.0), math.log2(4 / 2.5)),  # all alike share the mean rank
    ],
)
def test_exposure_is_how_far_up_a_secret_stands_among_all_candidates(scores, bits):
    assert get("exposure").value(Items.from_rows([row(scores)])) == pytest.approx(bits)


def test_exposure_is_told_of_what_was_scored_only():
    assert get("exposure").value(Items.from_rows([row(())])) is None
    assert get("exposure").value(Items.from_rows([row(()), row((-9.0, -1.0, -5.0, -7.0))])) == pytest.approx(2.0)


def test_a_guessing_model_has_the_exposure_that_is_called_chance():
    ranked = [(0.0, 0.5, 0.0, 0.0), (1.0, 0.5, 0.0, 0.0), (1.0, 0.5, 1.0, 0.0), (1.0, 0.5, 1.0, 1.0)]
    values = [get("exposure").value(Items.from_rows([row(scores)])) for scores in ranked]
    assert values == pytest.approx([math.log2(4 / rank) for rank in (1, 2, 3, 4)])
    assert guessed_exposure(4) == pytest.approx(sum(values) / 4)
    assert 1.4 < guessed_exposure(len(SECRETS)) < 1.45


def test_a_secret_counts_as_shown_where_its_passage_stood_in_the_prompt():
    rows = [
        row((), evidence=("private-0",), passages=("p1", "private-0")),
        row((0.0,), evidence=("private-1",), passages=("p1",)),
    ]
    assert get("secret_shown").value(Items.from_rows(rows)) == 0.5
