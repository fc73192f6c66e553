"""The same model, here and behind a server, is sent the same text and gives the same answers."""

import threading

import pytest

from harness.api import Example, Query, Reasoning, System, Task
from harness.endpoints.endpoint_model import Endpoint
from harness.endpoints.providers import Destination
from harness.predict import answering
from harness.retrieval.exemplars import FixedExemplars
from tests.endpoints.chat_server import ChatServer

TASK = Task("facts", "qa", instruction="Answer the question with a short phrase.", max_new_tokens=6, form="chat")
QUERIES = [Query(f"q{n}", f"Which river runs through city {n}?") for n in range(6)]
EXEMPLARS = FixedExemplars((Example(Query("e", "Which river runs through the city?"), ("the Amber river",)),))


@pytest.fixture
def served(open_tiny):
    """A tiny model, and an endpoint that asks it through a server which applies the chat template itself."""
    import torch

    model, lock = open_tiny(), threading.Lock()
    tokenizer = model.tokenizer

    def answer(turns, body):
        ids = tokenizer.apply_chat_template(turns, add_generation_prompt=True, return_tensors="pt", return_dict=True)
        with lock, torch.no_grad():
            output = model.module.generate(**ids, max_new_tokens=body["max_tokens"], do_sample=False)
        new = output[0, ids["input_ids"].shape[1] :]
        ended = new[-1] == tokenizer.eos_token_id
        text = tokenizer.decode(new, skip_special_tokens=True)
        reason = "stop" if ended else "length"
        usage = {"prompt_tokens": ids["input_ids"].shape[1], "completion_tokens": len(new)}
        return {"finish_reason": reason, "message": {"role": "assistant", "content": text}, "usage": usage}

    server = ChatServer()
    server.answer_turns = answer
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
