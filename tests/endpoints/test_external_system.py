"""Systems made elsewhere: asked by a line, a POST or a call, held to one answer a question, and never guessed for."""

import json
import shlex
import sys
import time

import pytest

from harness.api import Query
from harness.endpoints import pacing, session
from harness.endpoints.external_system import ExternalSystem, ExternalTarget
from harness.endpoints.keys import without_keys
from harness.errors import HarnessError
from harness.records.planned_trial import EndpointSettings
from tests.endpoints.external_service import ECHO, ExternalServer

QUERIES = [Query("a", "one"), Query("b", "two", user="ann"), Query("c", "three")]


@pytest.fixture(autouse=True)
def _without_session(monkeypatch):
    monkeypatch.setattr(pacing, "BASE_S", 0.01)
    session.begin(None)


@pytest.fixture
def serve():
    servers = []

    def start(answer):
        servers.append(ExternalServer(answer))
        return servers[-1]

    yield start
    for server in servers:
        server.shutdown()
        server.server_close()


@pytest.fixture
def write_command(tmp_path):
    def write(code, name="system.py"):
        (tmp_path / name).write_text(code)
        return shlex.join([sys.executable, str(tmp_path / name)])

    return write


def ask(target, queries=QUERIES, choices=()):
    return ExternalSystem(target, {}).answer(queries, [choices] * len(queries))


def fault(target, queries=QUERIES):
    with pytest.raises(HarnessError, match=r"^incomplete: ") as raised:
        ask(target, queries)
    assert "\n" not in str(raised.value)
    return str(raised.value)


def printing(*lines):
    """Write a command that reads everything it is asked first, then prints these lines, and waits."""
    reads = "import sys\nfor _ in range(3): sys.stdin.readline()\n"
    return f"{reads}print({chr(10).join(lines)!r}, flush=True)\nsys.stdin.read()"


def test_a_command_is_asked_a_question_a_line_and_stays_for_the_next(write_command):
    code = ECHO.replace(
        "answer = (", "answer = str(question.get('user')) + ' ' + text if not question['choices'] else ("
    )
    system = ExternalSystem(ExternalTarget(command=write_command(code)), {})
    first, again = (system.answer(QUERIES, [()] * 3) for _ in range(2))
    assert [answer.output for answer in first] == ["None one", "ann two", "None three"]
    assert first == again
    assert not any(answer.counted for answer in first)
    assert (system.info.endpoint.requests, system.info.endpoint.usd) == (6, None)


def test_what_is_told_is_kept_and_what_is_not_is_unknown(serve):
    told = {"answer": "x", "passages": ["p1", {"id": 7, "text": "seven"}], "tokens": {"in": 5, "out": 2}, "cost": 0.25}
    server = serve(lambda question: (200, told))
    system = ExternalSystem(ExternalTarget(url=server.url), {})
    (answer,) = system.answer(QUERIES[1:2], [("x", "y")])
    assert server.questions == [{"id": "b", "input": "two", "choices": ["x", "y"], "user": "ann"}]
    assert [(passage.id, passage.text) for passage in answer.passages] == [("p1", ""), ("7", "seven")]
    assert (answer.counted, answer.prompt_tokens, answer.output_tokens) == (True, 5, 2)
    assert answer.service_s > 0
    assert system.info.endpoint.usd == 0.25
    assert not system.info.endpoint.away


@pytest.mark.parametrize(
    ("lines", "named"),
    [
        (['{"id": "a", "answer": "x"}', "well", '{"id": "c", "answer": "x"}'], "1 malformed: no JSON object: 'well'"),
        (['{"id": "a", "answer": null}', '{"id": "b"}', '{"id": "c", "answer": "x"}'], "2 malformed: a (answer: "),
        (['{"id": "a", "answer": "x", "tokens": {"in": -1, "out": 1}}'], "malformed: a (tokens.in: "),
        ([f'{{"id": "{name}", "answer": "x"}}' for name in "abac"], "1 answered twice: a"),
        ([f'{{"id": "{name}", "answer": "x"}}' for name in "abzc"], "1 never asked: z"),
        (['{"id": "b", "answer": "x"}'], "2 without an answer: a, c"),
        (['{"answer": "x"}'], "1 never asked: one without an id"),
    ],
)
def test_each_wrong_answer_is_named(lines, named, write_command):
    target = ExternalTarget(command=write_command(printing(*lines)), timeout_s=0.5)
    assert named in fault(target)


def test_a_command_that_ends_or_hangs_or_does_not_exist_is_no_answer(write_command, tmp_path):
    assert "ended with exit code 3" in fault(ExternalTarget(command=write_command("raise SystemExit(3)")))
    hangs = ExternalTarget(command=write_command("import time\ntime.sleep(60)"), timeout_s=0.3)
    started = time.perf_counter()
    assert "no answer for 0.3 s: does it flush each line?" in fault(hangs)
    assert time.perf_counter() - started < 5
    assert "cannot be run" in fault(ExternalTarget(command=str(tmp_path / "nothing")))


def test_a_command_takes_no_file_beside_it_for_a_library(write_command, tmp_path):
    (tmp_path / "shlex.py").write_text("raise SystemExit('this folder was imported')")
    assert len(ask(ExternalTarget(command=write_command("import shlex\n" + ECHO)))) == 3


def test_a_function_is_called_with_each_question_and_may_print(tmp_path):
    file = tmp_path / "my_rag.py"
    file.write_text("def answer(question):\n    print('thinking')\n    return question['input'].upper()\n")
    answers = ask(ExternalTarget(python="my_rag:answer", source=file))
    assert [answer.output for answer in answers] == ["ONE", "TWO", "THREE"]


def test_a_file_that_is_shadowed_by_a_library_is_not_taken_for_it(tmp_path, capfd):
    file = tmp_path / "json.py"
    file.write_text("def answer(question):\n    return 'x'\n")
    assert "ended with exit code 1" in fault(ExternalTarget(python="json:answer", source=file))
    assert "rename" in capfd.readouterr().err


def test_a_service_that_stumbles_is_asked_again_and_one_that_is_down_is_no_answer(serve):
    failures = iter([503, 429])
    server = serve(lambda question: (next(failures, 200), {"answer": question["input"]}))
    system = ExternalSystem(ExternalTarget(url=server.url), {})
    assert [answer.output for answer in system.answer(QUERIES, [()] * 3)] == ["one", "two", "three"]
    assert system.info.endpoint.retries == 2
    server.shutdown()
    server.server_close()
    assert "3 without an answer: " in fault(ExternalTarget(url=server.url))


@pytest.mark.parametrize(
    ("status", "reply", "named"),
    [
        (200, b"<html>", "malformed: a (no JSON object: '<html>')"),
        (200, {"id": "z", "answer": "x"}, "1 never asked: z"),
        (404, {}, "404"),
        (302, {}, "302"),
    ],
)
def test_a_reply_that_holds_no_answer_is_named(status, reply, named, serve):
    server = serve(lambda question: (status, reply))
    assert named in fault(ExternalTarget(url=server.url), QUERIES[:1])


def test_a_slow_service_is_no_answer(serve):
    server = serve(lambda question: (time.sleep(1), (200, {"answer": "x"}))[1])
    assert "Timeout" in fault(ExternalTarget(url=server.url, timeout_s=0.1), QUERIES[:1])


def test_a_key_comes_from_its_variable_and_is_hidden(serve, monkeypatch):
    server = serve(lambda question: (200, {"answer": "x"}))
    with pytest.raises(HarnessError, match="set the environment variable RAG_KEY"):
        ask(ExternalTarget(url=server.url, key_env="RAG_KEY"))
    monkeypatch.setenv("RAG_KEY", "secret-of-mine")
    ask(ExternalTarget(url=server.url, key_env="RAG_KEY"))
    assert server.headers[0]["Authorization"] == "Bearer secret-of-mine"
    assert without_keys("it was secret-of-mine") == "it was [key]"


def test_what_was_answered_is_not_asked_again(serve, tmp_path):
    settings = EndpointSettings(folder=str(tmp_path), ledger="spent")
    down = {"b"}
    server = serve(
        lambda question: (404, {}) if question["id"] in down else (200, {"answer": question["input"], "cost": 1})
    )
    target = ExternalTarget(url=server.url, concurrency=1)
    session.begin(settings, "trial")
    assert "1 of 3 questions" in fault(target)
    down.clear()
    session.begin(settings, "trial")
    system = ExternalSystem(target, {})
    assert [answer.output for answer in system.answer(QUERIES, [()] * 3)] == ["one", "two", "three"]
    asked = [question["id"] for question in server.questions]
    assert asked == ["a", "b", "b", "c"]
    endpoint = system.info.endpoint
    assert (endpoint.requests, endpoint.replayed, endpoint.usd) == (2, 1, 3)


def test_a_file_of_answers_is_checked_as_a_whole(tmp_path):
    file = tmp_path / "answers.jsonl"
    lines = [{"id": "a", "answer": "x"}, {"id": "a", "answer": "y"}, {"id": "z", "answer": "x"}, {"id": "b"}, {}]
    file.write_text("\n".join(map(json.dumps, lines)))
    text = fault(ExternalTarget(answers=str(file)))
    for named in ("malformed: line 4 (answer: ", "line 5 (no id)", "answered twice: a", "never asked: z"):
        assert named in text
    assert text.count("without an answer: c") == 1
    file.write_text("\n".join(json.dumps({"id": name, "answer": name}) for name in "cba"))
    assert [answer.output for answer in ask(ExternalTarget(answers=str(file)))] == ["a", "b", "c"]
