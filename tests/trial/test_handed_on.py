"""Rows that a step hands on: learned by later steps, never where they are nearly a test item, and on the record."""

import dataclasses
import json

import pytest

from harness.data.prepare import prepare
from harness.data.suite import load_suite
from harness.trial.handed_on import hand_on
from strategies.pretrain import corpus_of
from strategies.synthesise import Synthesise
from tests.trial.trial_results import LORA, only


@pytest.fixture
def facts(tiny_suite):
    return prepare(load_suite(tiny_suite), "facts")


def written(example, *, name, question, teacher="teacher"):
    query = dataclasses.replace(example.query, id=name, input=question)
    return dataclasses.replace(example, query=query, teacher=teacher)


def test_a_row_nearly_like_a_test_item_is_left_out_and_the_item_is_named(facts):
    data, asked = facts.task_data, facts.test[2]
    copy = written(data.train[0], name="s1", question=asked.query.input.upper() + "?")
    other = written(data.train[0], name="s2", question="Who has painted the long wall behind the harbour?")
    given = hand_on(dataclasses.replace(data, train=(*data.train, copy, other)), data, facts.test)
    assert given.task_data.train == (*data.train, other)
    assert given.rows.near_test == 1
    assert asked.query.id in given.rows.affected
    assert (given.rows.synthetic, given.rows.learned) == (1, len(data.train) + 1)
    assert given.rows.teachers == ("teacher",)


def test_other_test_items_make_another_artifact_of_what_learns_the_rows(facts):
    data = facts.task_data
    material = dataclasses.replace(
        data, train=(*data.train, written(data.train[0], name="s", question="What is behind the long wall there?"))
    )
    first, again = (hand_on(material, data, facts.test).task_data.hash for _ in range(2))
    assert first == again != data.hash
    assert hand_on(material, data, facts.test[1:]).task_data.hash != first


def test_a_step_can_hand_on_training_items_only(facts):
    data = facts.task_data
    altered = dataclasses.replace(data, validation=(), corpus=(), train=data.train[:3])
    given = hand_on(altered, data, facts.test).task_data
    assert given.train == data.train[:3]
    assert (given.validation, given.corpus) == (data.validation, data.corpus)


@pytest.fixture
def leaky(monkeypatch, facts):
    """A step that copies a test question, as one could that had read the test file, and one that it invents."""
    rows = [
        written(facts.task_data.train[0], name="synthetic-1", question=facts.test[0].query.input),
        written(facts.task_data.train[1], name="synthetic-2", question="What opens the gate behind the harbour wall?"),
    ]

    def adapt(self, system, task, context):
        context.count_rows({"written": 3, "kept": 2})
        train = (*task.train, *rows) if self.add else tuple(rows)
        return system.replace(material=dataclasses.replace(task, train=train))

    monkeypatch.setattr(Synthesise, "adapt", adapt)
    return rows


def test_a_trial_drops_the_row_records_it_and_trains_on_the_rest(run, leaky, facts):
    record, rows = run(f"synthesise+{LORA}", "facts")
    assert record.synthetic.near_test == 1
    assert facts.test[0].query.id in record.synthetic.affected
    assert record.synthetic.counts == {"written": 3, "kept": 2}
    assert record.synthetic.synthetic == 1
    assert record.synthetic.learned == len(facts.task_data.train) + 1
    plain, _ = run(LORA, "facts")
    assert only(record, "adapt", "lora").tokens_in > only(plain, "adapt", "lora").tokens_in
    assert plain.synthetic is None
    seen = {row.id for row in rows if row.role == "train"}
    assert leaky[0].query.id not in seen


def test_a_step_that_was_kept_hands_on_the_same_rows(run, leaky, tmp_path):
    first, _ = run(f"synthesise+{LORA}", "facts")
    (file,) = (tmp_path / "cache" / "artifacts").rglob("rows.jsonl")
    questions = [json.loads(line)["question"] for line in file.read_text().splitlines()]
    assert questions == [row.query.input for row in leaky]  # what was written; what is like the test, the trial drops
    second, _ = run("synthesise+lora(epochs=2,rank=5)", "facts")
    assert second.synthetic == first.synthetic
    assert only(second, "adapt", "synthesise").reused


def test_synthetic_rows_alone_leave_the_training_split_out(run, leaky):
    record, rows = run(f"synthesise(add=false)+{LORA}", "facts")
    assert (record.synthetic.learned, record.synthetic.synthetic) == (1, 1)
    assert {row.id for row in rows if row.role == "train"} == {leaky[1].query.id}


def test_paraphrases_are_learned_by_what_learns_the_corpus_and_are_not_retrieved(facts):
    data = facts.task_data
    reworded = dataclasses.replace(data.corpus[0], id="p0~1", text="No other key than number 0 opens it.")
    given = hand_on(dataclasses.replace(data, paraphrases=(reworded,)), data, facts.test).task_data
    assert reworded in corpus_of(given)
    assert given.corpus == data.corpus
    assert given.corpus_hash == data.corpus_hash
    assert given.hash != data.hash
