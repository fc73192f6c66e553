"""A system made elsewhere as a strategy: planned, run, resumed and reported like the rest; unknown stays unknown."""

import json
import shlex
import subprocess
import sys

import pytest

from harness.data.prepare import prepare
from harness.data.suite import load_suite
from harness.endpoints.external_wire import EXTERNAL
from harness.errors import HarnessError
from harness.plan import chain, discover
from harness.plan.config import load_config
from harness.plan.planner import make_plan
from harness.records.record import Completed
from harness.trial.run_trial import run_trial
from tests.endpoints.external_service import ECHO, ExternalServer


@pytest.fixture
def echo(tmp_path):
    (tmp_path / "system.py").write_text(ECHO)
    return f"external(command={shlex.join([sys.executable, str(tmp_path / 'system.py')])!r})"


@pytest.fixture
def service():
    server = ExternalServer(lambda question: (200, {"answer": "good" if "delight" in question["input"] else "bad"}))
    yield server
    server.shutdown()
    server.server_close()


def plan(suite, model, *strategies, **flags):
    config = {"suite": str(suite), "models": [str(model)], "strategies": strategies, "tasks": ["moods"]}
    return make_plan(load_config(config | flags)).trials


def run(planned, tmp_path):
    return run_trial(planned, cache=tmp_path / "cache", emit=lambda event: None)


def test_it_stands_among_the_rows_of_the_first_model_and_asks_none(tiny_suite, bare_model, echo, tmp_path):
    (planned,) = plan(tiny_suite, bare_model, echo, models=[str(bare_model), "smollm2-135m-instruct"])
    assert (planned.backend, planned.model_identity, planned.skip) == (EXTERNAL, EXTERNAL, None)
    assert planned.trial.model == str(bare_model)
    record, rows = run(planned, tmp_path)
    assert Completed.model_validate_json(record.model_dump_json()) == record
    assert record.scores["moods/accuracy"] == 1
    assert {(row.prompt_tokens, row.output_tokens, row.reading) for row in rows} == {(None, None, "written")}
    assert {(span.tokens_in, span.tokens_out) for span in record.spans if span.phase == "predict"} == {(None, None)}
    assert {request.tokens_in for request in record.serving.requests} == {None}
    assert record.held.weights_bytes is None
    assert record.model.endpoint.usd is None


def test_a_chain_or_a_task_that_it_cannot_do_is_skipped_with_the_reason(tiny_suite, bare_model, echo):
    for planned in plan(tiny_suite, bare_model, f"{echo}+rag", f"rag+{echo}", tasks=["facts"]):
        assert planned.skip == "external is a whole system: no other step can be joined to it"


def test_its_key_holds_what_is_asked_and_what_a_function_s_file_says(tiny_suite, bare_model, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "my_rag.py").write_text("def answer(question):\n    return 'good'\n")
    texts = [f"external(url='http://localhost:{port}/a')" for port in (1, 2)] + ["external(python='my_rag:answer')"]
    first = [planned.trial.key for planned in plan(tiny_suite, bare_model, *texts)]
    assert len(set(first)) == 3
    (tmp_path / "my_rag.py").write_text("def answer(question):\n    return 'bad'\n")
    again = [planned.trial.key for planned in plan(tiny_suite, bare_model, *texts)]
    assert [a == b for a, b in zip(first, again, strict=True)] == [True, True, False]
    (planned,) = plan(tiny_suite, bare_model, texts[-1])
    (tmp_path / "my_rag.py").write_text("def answer(question):\n    return 'good'\n")
    with pytest.raises(HarnessError, match=r"my_rag\.py changed after this trial was planned"):
        run(planned, tmp_path)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("external", "give one of command, url, python, answers"),
        ("external(command=a,url='http://b')", "give one of"),
        ("external(url='ftp://b')", "write an address"),
        ("external(url='http://far.example/a',key_env=KEY)", "unencrypted"),
        ("external(command=a,key_env=KEY)", "leave it out"),
        ("external(python='nowhere_at_all:answer')", "no module 'nowhere_at_all'"),
        ("external(python=answer)", "write module:function"),
        ("external(answers='none.jsonl')", "cannot be read"),
    ],
)
def test_what_names_no_system_is_one_line(text, reason, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(HarnessError, match=reason) as raised:
        chain.build(text, discover.find_step)
    assert "\n" not in str(raised.value)


def test_passages_are_held_against_the_evidence(tiny_suite, bare_model, service, tmp_path):
    corpus = {row.split(",")[1]: row.split(",")[0] for row in (tiny_suite / "doors.csv").read_text().splitlines()[1:]}

    def answer(question):
        number = question["input"].split("door ")[1].rstrip("?")
        return 200, {
            "answer": "key",
            "passages": ["p-unknown", corpus[f"Door {number}"]],
            "tokens": {"in": 9, "out": 1},
        }

    service.answer = answer
    (planned,) = plan(tiny_suite, bare_model, f"external(url='{service.url}')", tasks=["facts"], requests=0)
    record, rows = run(planned, tmp_path)
    assert record.scores["facts/recall@2"] == 1
    assert record.scores["facts/mrr"] == 0.5
    assert [row.passages[0] for row in rows] == ["p-unknown"] * 8
    assert {(row.prompt_tokens, row.output_tokens) for row in rows} == {(9, 1)}


def test_answers_made_before_have_a_score_and_no_seconds(tiny_suite, bare_model, tmp_path):
    (live,) = plan(tiny_suite, bare_model, "zero_shot")
    test = prepare(load_suite(live.suite_folder), "moods").test
    file = tmp_path / "answers.jsonl"
    file.write_text("\n".join(json.dumps({"id": e.query.id, "answer": e.references[0]}) for e in test))
    (planned,) = plan(tiny_suite, bare_model, f"external(answers='{file}')")
    record, _ = run(planned, tmp_path)
    assert record.scores["moods/accuracy"] == 1
    assert (record.spans, record.serving) == ((), None)


def test_a_run_loads_no_torch_is_resumed_and_reported(tiny_suite, bare_model, service, command, tmp_path):
    right, failing = service.answer, set()

    def answer(question):
        if len(service.questions) > 5 and question["id"] not in failing and not failing:
            failing.add(question["id"])
            return 404, {}
        return right(question)

    service.answer = answer
    arguments = [tiny_suite, "--model", bare_model, f"--strategy=external(url='{service.url}',concurrency=1)"]
    arguments += ["--task=moods", "--requests=0", "--results", tmp_path / "r"]
    code, out, err = command("run", *arguments)
    assert code == 1, out + err
    assert "incomplete: 5 of 8 questions" in out
    asked = len(service.questions)
    code, out, err = command("run", *arguments)
    assert code == 0, out + err
    assert len(service.questions) == asked + 3
    code, out, _ = command("report", "--results", tmp_path / "r", "--format", "json")
    (trial,) = json.loads(out)["trials"]
    assert trial["scores"]["accuracy"]["value"] == 1
    assert "torch" not in loaded_by(planned_code(tiny_suite, bare_model, service.url), tmp_path)


def planned_code(suite, model, url):
    return (
        "import sys\nfrom pathlib import Path\nfrom harness.plan.config import load_config\n"
        "from harness.plan.planner import make_plan\nfrom harness.trial.run_trial import run_trial\n"
        f"flags = dict(suite={str(suite)!r}, models=[{str(model)!r}], tasks=['moods'], requests=2, "
        f"strategies=[\"external(url='{url}')\"])\n"
        "(planned,) = make_plan(load_config(flags)).trials\n"
        "run_trial(planned, cache=Path('cache'), emit=lambda event: None)\n"
        "print(*sorted({'torch', 'transformers', 'peft'} & set(sys.modules)))\n"
    )


def loaded_by(code, folder):
    ended = subprocess.run([sys.executable, "-c", code], cwd=folder, capture_output=True, text=True, check=True)
    return ended.stdout
