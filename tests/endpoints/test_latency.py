"""Latency of a model over a line: first tokens, waiting and service apart, and requests that overlap."""

import json
import time

import pytest

from harness.api import Example, Query, System, Task
from harness.endpoints import pacing, session
from harness.endpoints.endpoint_model import Endpoint
from harness.endpoints.providers import Destination
from harness.records.planned_trial import MeasurementOptions, PlannedTrial
from harness.records.record import Trial
from harness.trial.recorder import Recorder
from harness.trial.serving import serve
from tests.endpoints.chat_server import ChatServer

QA = Task("facts", "qa", max_new_tokens=8)
EXAMPLES = [Example(Query(f"q{n}", f"Question {n}?"), ("yes",)) for n in range(30)]


@pytest.fixture
def server(monkeypatch):
    monkeypatch.setattr(pacing, "BASE_S", 0.4)
    server = ChatServer(lambda text: "yes it is")
    yield server
    server.shutdown()
    server.server_close()
    session.begin(None)


def measure(server, tmp_path, **options):
    model = Endpoint(Destination(name="x", base_url=server.url, model="m", concurrency=16))
    trial = Trial(suite="s", task="facts", strategy="zero_shot", model="x")
    options = MeasurementOptions(**options)
    planned = PlannedTrial(trial=trial, suite_folder="", model_reference="x", limits={}, measurement=options)
    recorder = Recorder(tmp_path, lambda event: None)
    serving, _ = serve(recorder, System(model, QA), EXAMPLES, [], planned)
    return serving


def median(numbers):
    return sorted(numbers)[len(list(numbers)) // 2]


def test_requests_that_arrive_while_others_are_under_way_do_not_wait_for_them(server, tmp_path):
    server.delay_s = 0.2
    began = time.perf_counter()
    serving = measure(server, tmp_path, requests=30, arrival_rate=20)
    assert time.perf_counter() - began < 30 * 0.2  # one by one they would take so long
    assert server.most_at_once > 2
    assert 0.2 <= median([request.wall_s for request in serving.requests]) < 0.35
    assert serving.concurrency == 16


def test_the_first_token_and_the_end_come_when_the_server_sends_them(server, tmp_path):
    server.pieces = [(0.1, "yes"), (0.2, " it is")]
    serving = measure(server, tmp_path, requests=3)
    for request in serving.requests:
        assert 0.1 <= request.first_token_s < 0.2
        assert 0.3 <= request.service_s < 0.45
        assert request.tokens_out == 3
    assert all(body["stream"] for body in server.bodies)


def test_waiting_for_another_try_is_the_users_and_not_the_service(server, tmp_path):
    server.failures = {"Question 0?": 1}
    serving = measure(server, tmp_path, requests=2)
    first, second = serving.requests
    assert (first.tries, second.tries) == (2, 1)
    assert first.wall_s - first.service_s >= 0.3
    assert first.service_s < 0.2
    assert second.wall_s - second.service_s < 0.1


def test_a_server_that_does_not_stream_is_timed_without_a_first_token(server, tmp_path):
    server.refuses = ("stream_options", "stream")
    serving = measure(server, tmp_path, requests=2)
    assert [request.first_token_s for request in serving.requests] == [None, None]
    assert all(request.service_s for request in serving.requests)


@pytest.mark.parametrize("cut", ["before finish", "error"])
def test_a_stream_that_breaks_off_is_asked_again_and_no_answer(server, tmp_path, cut):
    server.cut_streams = [cut]
    serving = measure(server, tmp_path, requests=2)
    assert sum(request.tries or 0 for request in serving.requests) >= 2
    assert len(server.bodies) == 5  # two that warm up, two requests, and the one that broke off
    assert json.dumps([request.tokens_out for request in serving.requests]) == "[3, 3]"
