"""Several labels a row: read from lists and separated cells, asked and learned as text, by every kind of strategy."""

import json

import pytest

from harness.data import scaffold
from harness.data.prepare import prepare
from harness.data.suite import load_suite
from harness.errors import HarnessError
from harness.metrics import label_sets
from harness.plan.config import RunConfig
from harness.plan.planner import make_plan
from harness.trial.run_trial import run_trial

TOPICS = ("film", "music", "storm")


def topics_of(number):
    return [topic for place, topic in enumerate(TOPICS) if number >> place & 1]


def table(folder, cell):
    file = folder / "reviews.jsonl"
    rows = [{"text": f"The film was good, number {i * 7919}.", "topics": cell(topics_of(i % 8))} for i in range(64)]
    file.write_text("".join(json.dumps(row) + "\n" for row in rows))
    (folder / "corpus").mkdir()
    for topic in TOPICS:
        (folder / "corpus" / f"{topic}.md").write_text(f"# {topic}\n\nThe {topic} was a delight for the city.\n")
    return file


def suite(folder, cell=lambda topics: topics, **changes):
    columns = {"input": "text", "reference": "topics"}
    material = scaffold.Material({"data": table(folder, cell)}, columns, folder / "corpus", **changes)
    return scaffold.init_suite("mine", material, folder)


def test_lists_of_labels_are_a_multi_label_task(tmp_path):
    written = suite(tmp_path)
    assert "3 labels" in written.inferred
    prepared = prepare(load_suite(written.path), "mine")
    assert prepared.task_data.task.choices == TOPICS
    references = {example.references for example in (*prepared.task_data.train, *prepared.test)}
    assert references == {(label_sets.write(topics_of(number), TOPICS),) for number in range(8)}
    assert ("none",) in references  # an empty list: no label applies
    assert "Answer with all that apply of: film, music, storm." in prepared.task_data.task.instruction


def test_a_separator_divides_cells_and_an_empty_cell_is_no_answer(tmp_path):
    written = suite(tmp_path, " / ".join, separator="/")
    assert 'separator = "/"' in (written.path / "suite.toml").read_text()
    prepared = prepare(load_suite(written.path), "mine")
    assert ("film, storm",) in {example.references for example in prepared.task_data.train}
    assert any("8 rows" in note and "no reference" in note for note in prepared.info.warnings)


def test_a_label_that_the_suite_does_not_know_names_its_row(tmp_path):
    folder = suite(tmp_path).path
    text = (folder / "suite.toml").read_text()
    (folder / "suite.toml").write_text(text + 'labels = { film = "film", music = "music" }\n')
    with pytest.raises(HarnessError, match=r"reviews.jsonl.*the label 'storm' isn't among the labels \(film, music\)"):
        prepare(load_suite(folder), "mine")


@pytest.mark.parametrize(
    "strategy", ["zero_shot", "few_shot(k=2)", "rag(retriever=bm25,k=1)", "lora(rank=4,epochs=1)", "majority"]
)
def test_every_kind_of_strategy_answers_in_sets(tmp_path, tiny_folders, strategy):
    config = RunConfig(
        suite=str(suite(tmp_path).path),
        models=(str(tiny_folders()),),
        strategies=(strategy,),
        requests=0,
        check_items=0,
        limits={"train": 16, "test": 8, "validation": 4},
    )
    (planned,) = make_plan(config).trials
    record, rows = run_trial(planned, cache=tmp_path / "cache", emit=lambda event: None)
    answered = [row for row in rows if row.role == "target"]
    assert {f"mine/{metric}" for metric in record.tasks[0].metrics} <= set(record.scores)
    for row in answered:
        members = label_sets.members(row.answer, TOPICS)
        assert row.answer in (None, label_sets.write(members, TOPICS))
        assert (row.answer is None) == row.parsed.startswith("failed")
    if strategy == "majority":
        assert len({row.answer for row in answered}) == 1
        assert answered[0].answer is not None
    if strategy.startswith("few_shot"):
        assert all(row.prompt.count("The film was good") == 3 for row in answered)
