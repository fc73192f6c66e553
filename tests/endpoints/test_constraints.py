"""Answers constrained to choices: believed only where the server was seen to keep to them."""

import json

import pytest

from harness.api import Example, Query, System, Task
from harness.endpoints.endpoint_model import Endpoint
from harness.endpoints.providers import Destination
from harness.predict import answering
from harness.predict.prediction_rows import build_rows
from tests.endpoints.chat_server import ChatServer

MOODS = Task("moods", "classification", "Classify.", choices=("good", "bad"))
QUIZ = Task("quiz", "multiple_choice", "Choose.")
QUERIES = [Query(f"q{n}", f"Film {n}") for n in range(4)]


def keeps(body):
    """Answer as a server that keeps to both forms of constraint."""
    if "structured_outputs" in body:
        return body["structured_outputs"]["choice"][-1]
    if schema := body.get("response_format"):
        return json.dumps({"answer": schema["json_schema"]["schema"]["properties"]["answer"]["enum"][-1]})
    return "Well, who knows?"


def ignores(body):
    return "Paris" if "France" in body["messages"][-1]["content"] else "I would say it is bad."


def keeps_schemas_only(body):
    return 403 if "structured_outputs" in body else keeps(body)


def predict(behaviour, task=MOODS, queries=QUERIES):
    server = ChatServer()
    server.answer_body = behaviour
    model = Endpoint(Destination(name="x", base_url=server.url, model="m"))
    predictions = answering.predict(System(model, task), queries)
    server.shutdown()
    server.server_close()
    examples = [Example(query, ("bad",)) for query in queries]
    return model.info.endpoint.probes, build_rows(task, examples, predictions), server.bodies


@pytest.mark.parametrize("behaviour", [keeps, keeps_schemas_only])
def test_a_constraint_that_works_is_used_and_said_in_the_row(behaviour):
    probes, rows, bodies = predict(behaviour)
    assert probes["constraint"].endswith("verified")
    assert {(row.answer, row.parsed, row.reading) for row in rows} == {("bad", "label", "constrained")}
    assert "Answer with one of: good, bad." in bodies[-1]["messages"][-1]["content"]


def test_letters_are_the_choices_where_options_are_lettered():
    queries = [Query("q", "Which?", choices=("a long option", "another long option"))]
    _, (row,), bodies = predict(keeps, QUIZ, queries)
    assert bodies[-1]["structured_outputs"] == {"choice": ["A", "B"]}
    assert row.answer in queries[0].choices
    assert row.reading == "constrained"


def test_a_constraint_that_is_ignored_is_not_sent_again():
    probes, rows, bodies = predict(ignores)
    assert probes["constraint"].count("ignored") == 3
    assert {(row.answer, row.reading) for row in rows} == {("bad", "written")}
    assert not any(set(body) & {"structured_outputs", "response_format", "guided_choice"} for body in bodies[-4:])


def test_a_refused_constraint_is_no_refused_question():
    probes, rows, _ = predict(lambda body: 403 if len(body) > 4 else "bad")
    assert "refused" in probes["constraint"]
    assert [row.outcome for row in rows] == ["answered"] * 4
