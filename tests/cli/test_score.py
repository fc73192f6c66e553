"""Answers made elsewhere: questions written, answers checked and scored by a command."""

import json


def test_answers_made_elsewhere_are_asked_for_checked_and_scored(tiny_suite, bare_model, command, tmp_path):
    code, _, err = command("score", tiny_suite, "--questions", "questions.jsonl")
    assert code == 2
    assert "choose one by --task" in err
    code, out, err = command("score", tiny_suite, "--task=facts", "--questions", "questions.jsonl")
    assert code == 0, out + err
    questions = [json.loads(line) for line in (tmp_path / "questions.jsonl").read_text().splitlines()]
    assert [set(question) for question in questions] == [{"id", "input", "choices", "user"}] * 8
    keys = {row.split(",")[0]: row.split(",")[1] for row in (tiny_suite / "facts.csv").read_text().splitlines()}
    answers = [json.dumps({"id": question["id"], "answer": keys[question["input"]]}) for question in questions]
    (tmp_path / "answers.jsonl").write_text("\n".join(answers[:-1]))
    arguments = ["score", tiny_suite, "--task=facts", "--answers", "answers.jsonl", "--model", bare_model]
    code, _, err = command(*arguments)
    assert code == 2
    assert f"1 without an answer: {questions[-1]['id']}" in err
    (tmp_path / "answers.jsonl").write_text("\n".join(answers))
    code, out, err = command(*arguments)
    assert code == 0, out + err
    code, out, _ = command("report", "--format", "json")
    (trial,) = json.loads(out)["trials"]
    assert trial["scores"]["exact_match"]["value"] == 1
