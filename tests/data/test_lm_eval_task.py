"""Tasks of lm-evaluation-harness: what their texts say of a row, and what can't be asked here."""

import json
from pathlib import Path

import pytest

from harness.data.lm_eval_task import read_task, write_tables
from harness.errors import HarnessError

ARC = r"""
task: arc_like
dataset_path: org/arc
dataset_name: Easy
output_type: multiple_choice
training_split: train
test_split: test
description: "Pick the right one.\n\n"
doc_to_text: "Question: {{question}}\nAnswer:"
doc_to_target: "{{choices.label.index(answerKey)}}"
doc_to_choice: "{{choices.text}}"
metric_list:
  - metric: acc
"""
ROWS = [
    {
        "question": f"what is {n}?",
        "choices": {"text": [f"it's {n}", "none"], "label": ["A", "B"]},
        "answerKey": "AB"[n % 2],
    }
    for n in range(4)
]


def task_file(folder: Path, text: str, name: str = "task.yaml") -> Path:
    (folder / name).write_text(text)
    return folder / name


def asked(folder: Path, text: str, rows: list[dict[str, object]]) -> list[dict[str, object]]:
    source = folder / "rows.jsonl"
    source.write_text("".join(json.dumps(row) + "\n" for row in rows))
    files = write_tables(read_task(task_file(folder, text)), {"data": source}, folder)
    return [json.loads(line) for line in files["data"].read_text().splitlines()]


def test_texts_are_filled_in_and_asked_without_marks_of_their_own(tmp_path: Path):
    assert asked(tmp_path, ARC, ROWS)[:2] == [
        {"input": "what is 0?", "choices": ["it's 0", "none"], "reference": "it's 0"},
        {"input": "what is 1?", "choices": ["it's 1", "none"], "reference": "none"},
    ]
    task = read_task(tmp_path / "task.yaml")
    assert (task.data_set, task.splits) == ("org/arc/Easy", {"train": "train", "test": "test"})
    assert (task.kind, task.description) == ("multiple_choice", "Pick the right one.")


@pytest.mark.parametrize(
    ("question", "choices", "target", "row", "reference"),
    [
        ("q", '["no", "yes"]', "label", {"q": "is it?", "label": 1}, "yes"),
        ("q", '"{{[wrong, right]}}"', "1", {"q": "is it?", "wrong": "a", "right": "b"}, "b"),
        ("q", "options", "answer", {"q": "is it?", "options": ["x", "y"], "answer": "y"}, "y"),
        ('"{{q|trim}}"', "options", '"{{answer}}"', {"q": " is it? ", "options": ["x", "y"], "answer": "x"}, "x"),
    ],
)
def test_columns_literals_and_texts_are_read_as_the_task_means_them(
    tmp_path: Path, question: str, choices: str, target: str, row: dict[str, object], *, reference: str
):
    text = (
        f"task: t\ndataset_path: json\noutput_type: multiple_choice\ndoc_to_text: {question}\n"
        f"doc_to_choice: {choices}\ndoc_to_target: {target}\n"
    )
    (row_asked,) = asked(tmp_path, text, [row])
    assert (row_asked["input"], row_asked["reference"]) == ("is it?", reference)


def test_written_answers_may_be_several(tmp_path: Path):
    text = "task: t\ndataset_path: json\ndoc_to_text: 'Q: {{q}}\n\n  A:'\ndoc_to_target: a\n"
    assert asked(tmp_path, text, [{"q": "who?", "a": ["he", "him"]}]) == [{"input": "who?", "reference": ["he", "him"]}]


def test_a_row_that_does_not_fit_is_left_without_an_answer_and_all_of_them_are_an_error(tmp_path: Path):
    rows = asked(tmp_path, ARC, [*ROWS, {**ROWS[0], "answerKey": "E"}])
    assert [row["reference"] for row in rows] == ["it's 0", "none", "it's 2", "none", ""]
    with pytest.raises(HarnessError, match=r"doesn't fit the rows of rows\.jsonl: 'question' is undefined"):
        asked(tmp_path, ARC, [{"text": "x"}])


def test_what_a_file_includes_is_read_and_overridden(tmp_path: Path):
    task_file(tmp_path, ARC, "_base_yaml")
    task_file(tmp_path, "doc_to_text: other\ndescription: D\n", "_more_yaml")
    task = read_task(task_file(tmp_path, "include: [_more_yaml, _base_yaml]\ntask: mine\n", "mine.yaml"))
    assert (task.name, task.question, task.description, task.data_set) == ("mine", "other", "D", "org/arc/Easy")


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        (ARC + "process_docs: !function utils.process_docs\n", "it runs Python"),
        (ARC + "metric_list:\n  - metric: !function utils.f1\n", "it runs Python"),
        ("group: many\ntask: [a, b]\n", "it is a group"),
        (ARC.replace("multiple_choice", "loglikelihood"), "output_type is 'loglikelihood'"),
        (ARC.replace("doc_to_choice", "doc_to_other"), "'doc_to_choice' is missing"),
        (ARC.replace("task: arc_like", ""), "it names no task"),
        ("include: task.yaml\n", "is included by itself"),
        ("- a\n", "is no task"),
        ("a: [", "isn't YAML"),
    ],
)
def test_what_cannot_be_asked_here_is_one_line_with_the_reason(tmp_path: Path, text: str, reason: str):
    with pytest.raises(HarnessError, match=reason):
        read_task(task_file(tmp_path, text))


@pytest.mark.parametrize("text", ["{{ question|center(4000000000) }}", "{{ 9 ** 9 ** 9 ** 9 }}", "{{ 'x' * 9999999 }}"])
def test_a_text_that_takes_all_memory_or_time_is_an_error(tmp_path: Path, text: str):
    with pytest.raises(HarnessError, match=r"takes more than 512 MiB of memory|numbers below"):
        asked(tmp_path, ARC.replace('"Question: {{question}}\\nAnswer:"', f"'{text}'".replace("'x'", "''x''")), ROWS)


def test_a_text_that_would_leave_the_sandbox_is_an_error_and_no_code_runs(tmp_path: Path):
    text = ARC.replace("{{question}}", "{{question.__class__.__mro__[1].__subclasses__()}}")
    with pytest.raises(HarnessError, match="unsafe"):
        asked(tmp_path, text, ROWS)
