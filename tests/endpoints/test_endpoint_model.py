"""An endpoint against a real server: answers, outcomes, faults, parameters, the journal, money and keys."""

import json
import os
import signal
import subprocess
import sys
import textwrap
import time
from collections import Counter
from pathlib import Path

import pytest

from harness.api import Passage, Prompt, Query, Sampling, System, Task
from harness.endpoints import pacing, session
from harness.endpoints.checked_lines import unseal
from harness.endpoints.endpoint_model import Endpoint
from harness.endpoints.providers import Destination, find_destination
from harness.errors import HarnessError
from harness.predict import answering
from harness.records.planned_trial import EndpointSettings, TokenPrice
from tests.endpoints.chat_server import USD_IN, USD_OUT, ChatServer

QA = Task("facts", "qa", instruction="Answer.", max_new_tokens=8)


@pytest.fixture(autouse=True)
def _quick(monkeypatch):
    """Wait a hundredth as long as usual, and leave no session behind."""
    monkeypatch.setattr(pacing, "BASE_S", 0.01)
    yield
    session.begin(None)


@pytest.fixture
def serve():
    servers = []

    def start(*arguments, **options):
        servers.append(ChatServer(*arguments, **options))
        return servers[-1]

    yield start
    for server in servers:
        server.shutdown()
        server.server_close()


def endpoint(server, **options):
    return Endpoint(Destination(name=f"{server.url}#m", base_url=server.url, model="m", **options))


def ask(model, texts, task=QA, **options):
    prompts = [text if isinstance(text, Prompt) else Prompt(task, text) for text in texts]
    return model.generate(prompts, **{"max_new_tokens": 8, "one_line": True, **options})


def settings(folder, reference="", max_usd=None):
    prices = {reference: TokenPrice(usd_in=USD_IN, usd_out=USD_OUT)} if reference else {}
    return EndpointSettings(folder=str(folder), ledger="spent", max_usd=max_usd, prices=prices)


def test_turns_are_sent_and_the_first_line_is_the_answer(serve):
    server = serve(lambda text: "\nParis \nbecause")
    model = endpoint(server)
    (answer,) = ask(model, ["Where?"])
    assert answer.output == "\nParis "
    assert server.bodies == [
        {
            "model": "m",
            "messages": [{"role": "system", "content": "Answer."}, {"role": "user", "content": "Where?"}],
            "max_tokens": 8,
            "temperature": 0.0,
        }
    ]
    assert (answer.prompt_tokens, answer.output_tokens, answer.outcome) == (2, 2, "answered")
    assert model.info.endpoint.returned[0].model == "m-2026-01-01"
    assert model.info.endpoint.returned[0].fingerprint == "fp_1"


def test_the_plain_form_is_one_text(serve):
    server = serve(lambda text: " Paris")
    plain = Task("facts", "qa", instruction="Answer.", form="plain")
    (answer,) = ask(endpoint(server), ["Where?"], plain)
    assert server.bodies[0]["prompt"] == "Answer.\nQuestion: Where?\nAnswer:"
    assert answer.output == " Paris"


def test_the_order_of_answers_is_that_of_questions_though_several_are_under_way(serve):
    server = serve(lambda text: text.splitlines()[-1], delay_s=0.02)
    texts = [f"q{n}" for n in range(30)]
    assert [answer.output for answer in ask(endpoint(server), texts)] == texts
    assert 1 < server.most_at_once <= 8


@pytest.mark.parametrize(
    ("refused", "sent"),
    [
        (("max_tokens",), {"max_completion_tokens": 8, "temperature": 0.7, "top_p": 1.0, "seed": 3}),
        (("temperature", "seed"), {"max_tokens": 8, "top_p": 1.0}),
    ],
)
def test_parameters_that_a_server_refuses_are_learned_from_its_reply(serve, refused, sent):
    server = serve(refuses=refused)
    model = endpoint(server)
    ask(model, ["a", "b", "c"], sampling=Sampling(temperature=0.7, seed=3))
    asked = len(server.bodies)
    ask(model, ["d"], sampling=Sampling(temperature=0.7, seed=3))
    assert {name: value for name, value in server.bodies[-1].items() if name not in ("model", "messages")} == sent
    assert len(server.bodies) == asked + 1  # learned once
    assert set(model.info.endpoint.dropped) == set(refused)
    assert model.info.endpoint.sent == sent


SPECIAL = {
    "filtered": {"finish_reason": "content_filter", "message": {"content": None}},
    "refusal": {"message": {"content": None, "refusal": "I cannot."}},
    "cut": {"finish_reason": "length", "message": {"content": "half an"}},
    "cut early": {"finish_reason": "length", "message": {"content": ""}},
    "empty": {"message": {"content": None}},
    "long": 400,
    "fine": "yes",
}


def test_what_is_no_whole_answer_is_an_outcome_and_never_another_text(serve):
    server = serve(lambda text: SPECIAL[text.splitlines()[-1]])
    model = endpoint(server)
    predictions = answering.predict(System(model, QA), [Query(name, name) for name in SPECIAL])
    assert {p.query.id: (p.raw.outcome, p.answer, p.parsed) for p in predictions} == {
        "filtered": ("refused", None, answering.REFUSED),
        "refusal": ("refused", None, answering.REFUSED),
        "cut": ("cut", "half an", "first_line"),
        "cut early": ("cut", None, answering.CUT),
        "empty": ("answered", None, "failed: empty output"),
        "long": ("too_long", None, answering.TOO_LONG),
        "fine": ("answered", "yes", "first_line"),
    }
    assert model.info.endpoint.outcomes == {"refused": 2, "cut": 2, "answered": 2, "too_long": 1}
    assert max(server.answered.values()) == 1


def test_passages_that_do_not_fit_are_left_out_worst_first(serve):
    server = serve(lambda text: 400 if "p2" in text else "yes")
    prompt = Prompt(QA, "Where?", passages=tuple(Passage(f"p{n}", f"text p{n}") for n in (1, 2, 3)))
    (answer,) = ask(endpoint(server), [prompt])
    assert (answer.output, answer.dropped_passages) == ("yes", 2)


def test_a_model_that_is_cut_in_its_thought_gets_room_for_it(serve):
    thinking = {
        "finish_reason": "length",
        "message": {"content": ""},
        "usage": {"completion_tokens_details": {"reasoning_tokens": 8}},
    }
    server = serve(lambda text: "yes" if any(body["max_tokens"] > 8 for body in server.bodies[-1:]) else thinking)
    assert [answer.output for answer in ask(endpoint(server, concurrency=1), ["a", "b"])] == ["yes", "yes"]
    assert [body["max_tokens"] for body in server.bodies] == [8, 2056, 2056]


def test_reasoning_that_is_counted_outside_the_completion_is_billed(serve):
    usage = {"prompt_tokens": 10, "completion_tokens": 2, "total_tokens": 50}
    server = serve(lambda text: {"message": {"content": "yes"}, "usage": usage})
    (answer,) = ask(endpoint(server), ["a"])
    assert answer.output_tokens == 40


def test_after_a_storm_of_faults_the_answers_are_those_of_a_calm_day(serve):
    calm, storm = (serve(lambda text: text.splitlines()[-1][::-1], share=share) for share in (0.0, 0.3))
    texts = [f"question {n}" for n in range(60)]
    models = [endpoint(server) for server in (calm, storm)]
    calm_answers, storm_answers = ([answer.output for answer in ask(model, texts)] for model in models)
    assert storm_answers == calm_answers
    assert set(storm.answered.values()) == {1}  # none is asked again once it is answered
    assert models[1].info.endpoint.retries >= 8
    assert models[1].info.endpoint.outcomes == models[0].info.endpoint.outcomes


@pytest.mark.parametrize(
    ("code", "content", "words"),
    [
        (401, {"error": {"message": "bad key"}}, "HTTP 401: bad key"),
        (404, {"detail": "no such model"}, "HTTP 404: no such model"),
        (429, {"error": {"code": "insufficient_quota", "message": "insufficient_quota"}}, "HTTP 429"),
        (400, {"error": {"message": "nonsense"}}, "HTTP 400: nonsense"),
    ],
)
def test_what_no_repetition_mends_ends_the_trial_at_once(serve, code, content, words):
    server = serve(status=(code, content, {}))
    with pytest.raises(HarnessError, match=words):
        ask(endpoint(server, concurrency=1), ["a", "b"])
    assert len(server.bodies) == 1


def test_a_server_that_only_fails_is_soon_left_alone(serve):
    server = serve(status=(500, {"error": {"message": "down"}}, {}))
    with pytest.raises(HarnessError, match=r"incomplete: 0 of 40 questions"):
        ask(endpoint(server), [f"q{n}" for n in range(40)])
    assert len(server.bodies) < 20


def test_too_many_requests_are_answered_by_fewer_at_once():
    pace = pacing.Pace(8)
    for _ in range(100):
        pace.note_reply()
    assert pace.allowed == 8
    pace.note_fault(pacing.TransientFault("slow", throttled=True))
    pace.note_fault(pacing.TransientFault("slow", throttled=True))  # of the same moment
    assert pace.allowed == 6


def test_the_journal_answers_what_was_answered_and_two_samples_are_two_questions(serve, tmp_path):
    server = serve()
    for _ in range(2):
        session.begin(settings(tmp_path), "t1").phase = "predict"
        model = endpoint(server)
        ask(model, ["a", "a", "b"])
    assert len(server.bodies) == 3
    assert (model.info.endpoint.requests, model.info.endpoint.replayed) == (0, 3)
    assert sum(returned.replies for returned in model.info.endpoint.returned) == 3
    session.begin(settings(tmp_path), "t2").phase = "predict"  # another trial
    ask(endpoint(server), ["a"])
    assert len(server.bodies) == 4


def test_timed_questions_and_refusals_are_asked_again(serve, tmp_path):
    server = serve(lambda text: SPECIAL["filtered" if "bad" in text else "fine"])
    for phase in ("serve", "serve", "predict", "predict"):
        session.begin(settings(tmp_path), "t1").phase = phase
        ask(endpoint(server), ["bad", "good"])
    assert sum(count for text, count in server.answered.items() if "bad" in text) == 4
    assert sum(count for text, count in server.answered.items() if "good" in text) == 3


def test_a_question_that_came_back_without_an_answer_is_not_under_way(serve, tmp_path):
    server = serve(lambda text: 400 if "long" in text else "yes", share=0.3)
    session.begin(settings(tmp_path), "t1").phase = "predict"
    ask(endpoint(server), ["long", *(f"q{n}" for n in range(20))])
    assert endpoint_lines(tmp_path / "t1.jsonl")["fault"] >= 2
    assert session.begin(settings(tmp_path), "t1").journal.lost == 0


def endpoint_lines(path):
    return Counter(json.loads(unseal(line) or "{}").get("event") for line in path.read_text().splitlines())


def test_half_a_line_at_the_end_of_a_journal_is_no_answer(serve, tmp_path):
    server = serve()
    session.begin(settings(tmp_path), "t1").phase = "predict"
    ask(endpoint(server), ["a", "b"])
    path = tmp_path / "t1.jsonl"
    path.write_bytes(path.read_bytes()[:-20])
    session.begin(settings(tmp_path), "t1").phase = "predict"
    ask(endpoint(server), ["a", "b"])
    assert len(server.bodies) == 3
    assert endpoint_lines(path) == {"sent": 3, "reply": 2, None: 1}  # None: the half line


CHILD = """
import sys
from harness.endpoints import session
from harness.endpoints.endpoint_model import Endpoint
from harness.endpoints.providers import Destination
from tests.endpoints.test_endpoint_model import ask, settings
url, folder = sys.argv[1:]
session.begin(settings(folder), "t1").phase = "predict"
model = Endpoint(Destination(name="x", base_url=url, model="m", concurrency=2))
ask(model, [f"q{n}" for n in range(40)])
"""


def test_a_killed_process_loses_no_answer_and_none_is_asked_twice(serve, tmp_path):
    server = serve(delay_s=0.03)
    root = Path(__file__).parents[2]
    child = subprocess.Popen([sys.executable, "-c", textwrap.dedent(CHILD), server.url, str(tmp_path)], cwd=root)
    deadline = time.monotonic() + 60
    while sum(server.answered.values()) < 10 and time.monotonic() < deadline:
        time.sleep(0.01)
    os.kill(child.pid, signal.SIGKILL)
    child.wait()
    time.sleep(0.1)
    before = sum(server.answered.values())
    lines = (tmp_path / "t1.jsonl").read_text().splitlines()
    written = sum('"reply"' in line for line in lines)
    assert 10 <= before < 40
    assert before - written <= 2  # those under way
    opened = session.begin(settings(tmp_path), "t1")
    opened.phase = "predict"
    model = Endpoint(Destination(name="x", base_url=server.url, model="m", concurrency=2))
    answers = ask(model, [f"q{n}" for n in range(40)])
    assert [answer.output for answer in answers] == ["yes"] * 40
    assert sum(server.answered.values()) == before + 40 - written
    assert sum(count > 1 for count in server.answered.values()) == before - written <= opened.journal.lost


@pytest.mark.parametrize("share", [0.0, 0.3])
def test_the_limit_of_money_is_not_exceeded_by_the_servers_own_count(serve, tmp_path, share):
    server = serve(lambda text: "one two three four five six", share=share)
    limit = 0.01
    model = endpoint(server)
    session.begin(settings(tmp_path, model.destination.name, limit), "t1").phase = "predict"
    with pytest.raises(HarnessError, match=r"incomplete: \d+ of 2000 questions .*--max-usd 0.01 is reached"):
        ask(model, [f"question number {n} of many" for n in range(2000)])
    assert 0.4 * limit < server.usd <= limit
    # the same run goes on with what is left, another one with its own limit
    assert session.begin(settings(tmp_path, model.destination.name, limit), "t1").ledger.spent_usd >= server.usd


def test_a_key_goes_to_its_own_host_and_into_no_error(serve, tmp_path, monkeypatch):
    monkeypatch.setenv("OPENAI_API_KEY", " secret-key-of-mine\n")
    other = serve()
    server = serve(status=(401, {"error": {"message": "bad key secret-key-of-mine"}}, {}))
    model = endpoint(server, key_env="OPENAI_API_KEY")
    with pytest.raises(HarnessError, match=r"bad key \[key\]"):
        ask(model, ["a"])
    assert server.headers[0]["Authorization"] == "Bearer secret-key-of-mine"
    server.redirect = other.url
    with pytest.raises(HarnessError, match="sends its callers elsewhere"):
        ask(model, ["a"])
    ask(endpoint(other), ["a"])
    assert len(other.headers) == 1
    assert "Authorization" not in other.headers[0]


def test_a_key_that_is_missing_or_would_be_read_on_the_way_is_refused(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    with pytest.raises(HarnessError, match="set the environment variable OPENAI_API_KEY"):
        Endpoint(find_destination("openai:gpt-5-mini"))
    Path("endpoints.toml").write_text('[endpoint.house]\nbase_url = "http://gpu7/v1"\nmodel = "q"\nkey_env = "HOUSE"\n')
    with pytest.raises(HarnessError, match="unencrypted"):
        find_destination("endpoint:house")
