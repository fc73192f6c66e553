"""The same model, here and behind a server, is sent the same text, gives the same answers and the same scores."""

from dataclasses import replace

import pytest

from harness.api import Example, Query, Reasoning, System, Task
from harness.endpoints.endpoint_model import Endpoint
from harness.endpoints.providers import Destination
from harness.predict import answering
from harness.retrieval.exemplars import FixedExemplars
from tests.endpoints.chat_server import ChatServer
from tests.endpoints.echo_model import ECHO_FAULTS, EchoModel

TASK = Task("facts", "qa", instruction="Answer the question with a short phrase.", max_new_tokens=6, form="chat")
QUERIES = [Query(f"q{n}", f"Which river runs through city {n}?") for n in range(6)]
EXEMPLARS = FixedExemplars((Example(Query("e", "Which river runs through the city?"), ("the Amber river",)),))
CHOICES = ("the river", "the river of the city", "a harbour", "bad")
QUIZ = [replace(query, choices=CHOICES) for query in QUERIES]
BARE = Task("quiz", "multiple_choice", form="bare")
PLAIN = Task("quiz", "multiple_choice", instruction="Choose.", form="plain")
LABELS = Task("moods", "classification", "Choose.", choices=("good", "good and bad", "bad"), form="plain")


@pytest.fixture
def served(open_tiny):
    """A tiny model, and an endpoint that asks it through a server which applies the chat template itself."""
    model = open_tiny()
    server = ChatServer()
    server.answer_body = EchoModel(model)
    yield model, Endpoint(Destination(name="x", base_url=server.url, model="tiny")), server
    server.shutdown()
    server.server_close()


@pytest.mark.parametrize("exemplars", [None, EXEMPLARS])
def test_answers_and_tokens_of_prompts_are_the_same(served, exemplars):
    local, endpoint, _ = served
    here, there = (answering.predict(System(model, TASK, exemplars=exemplars), QUERIES) for model in (local, endpoint))
    assert [p.answer for p in there] == [p.answer for p in here]
    assert [p.parsed for p in there] == [p.parsed for p in here]
    assert [p.raw.prompt_tokens for p in there] == [p.raw.prompt_tokens for p in here]
    assert any(p.answer for p in here)


def test_a_reasoning_is_asked_for_and_its_answer_behind_it(served):
    _, endpoint, server = served
    answering.predict(System(endpoint, TASK, reasoning=Reasoning("Think.", 4)), QUERIES[:1])
    first, second = (body["messages"] for body in server.bodies)
    assert first[-1]["content"].endswith("\n\nThink.")
    assert [turn["role"] for turn in second] == ["system", "user", "assistant", "user"]
    assert second[-2]["content"].startswith("Think.")
    assert second[-1]["content"] == "Give only the final answer."


def test_choices_have_the_same_log_likelihood_here_and_there(served):
    local, endpoint, _ = served
    here, there = (answering.predict(System(model, BARE), QUIZ) for model in (local, endpoint))
    for near, far in zip(here, there, strict=True):
        assert far.raw.choice_scores == pytest.approx(near.raw.choice_scores, abs=1e-4)
    assert [p.answer for p in there] == [p.answer for p in here]
    assert endpoint.info.endpoint.probes == {"scores": "verified"}


@pytest.mark.parametrize("task", [PLAIN, LABELS, replace(LABELS, form="chat")])
def test_an_end_is_scored_so_that_a_choice_that_begins_another_has_no_head_start(served, task):
    local, _, server = served
    place = Destination(name="x", base_url=server.url, model="tiny", tokenizer="tiny")
    endpoint = Endpoint(place, lambda name: local.tokenizer)
    queries = QUIZ if task is PLAIN else QUERIES
    here, there = (answering.predict(System(model, task), queries) for model in (local, endpoint))
    for near, far in zip(here, there, strict=True):  # here any end counts, there those that the server lists
        differences = [n - f for n, f in zip(near.raw.choice_scores, far.raw.choice_scores, strict=True)]
        assert all(-1e-4 < difference < 5 for difference in differences)
        assert far.raw.choice_scores[1] != pytest.approx(far.raw.choice_scores[0])
        assert far.raw.text == near.raw.text
    assert {p.parsed for p in there} == {"choice"}


@pytest.mark.parametrize("fault", ECHO_FAULTS)
def test_scores_that_cannot_be_believed_are_not_used(served, fault):
    _, endpoint, server = served
    server.answer_body.fault = fault
    predictions = answering.predict(System(endpoint, LABELS), QUERIES)
    assert not any(p.raw.choice_scores for p in predictions)
    assert all("Answer with one of: good, good and bad, bad." in p.raw.text for p in predictions)
    assert endpoint.info.endpoint.probes["scores"] != "verified"


def test_a_server_that_is_restarted_without_echo_ends_the_trial(served):
    _, endpoint, server = served
    assert endpoint.scorer(LABELS)
    server.answer_body.fault = "stale"
    with pytest.raises(Exception, match="fail it on the first item"):
        answering.predict(System(endpoint, LABELS), QUERIES)


def test_written_answers_are_asked_for_in_one_way_here_and_there(served):
    local, endpoint, server = served
    written = replace(LABELS, written=True, form="chat")
    here, there = (answering.predict(System(model, written), QUERIES) for model in (local, endpoint))
    assert [p.raw.output for p in there] == [p.raw.output for p in here]
    assert not any(p.raw.choice_scores for p in here)
    assert all("structured_outputs" not in body and "response_format" not in body for body in server.bodies)
