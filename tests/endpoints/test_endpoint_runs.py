"""Runs of endpoints by the command line: no torch, one journal a trial, a limit that holds, no key in any file."""

import json
import os
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from harness.endpoints import pacing
from tests.endpoints.chat_server import ChatServer

PLAN_AND_RUN = """
import sys
from harness import cli
sys.argv = ["harness", *sys.argv[1:]]
try:
    cli.main()
finally:
    heavy = {"torch", "transformers", "peft", "sentence_transformers", "faiss"} & set(sys.modules)
    print("HEAVY", sorted(heavy), file=sys.stderr)
"""
RUN_TRIALS = """
import sys
from pathlib import Path
from harness.plan.config import load_config
from harness.plan.planner import make_plan
from harness.trial.run_trial import run_trial
suite, model, *strategies = sys.argv[1:]
flags = {"suite": suite, "models": [model], "strategies": strategies, "requests": 0, "check_items": 0}
for planned in make_plan(load_config(flags)).trials:
    if not planned.skip:
        record, _ = run_trial(planned, cache=Path("cache"), emit=lambda event: None)
        print(record.trial.task, record.trial.strategy, next(iter(record.scores.values())))
print(sorted({"torch", "transformers", "peft", "faiss"} & set(sys.modules)))
"""
STRATEGIES = ("zero_shot", "few_shot(k=2)", "chain_of_thought", "rag(k=1,retriever=bm25)")
FURTHER = ("majority", "self_consistency(n=2)", "optimised", "long_context", "synthesise+few_shot(k=2)")
NEED_MORE = {
    "lora": "lora needs a model that can be trained; '{0}' cannot",
    "rag(k=1,retriever=bm25,rerank=likelihood)": "rag needs a model that can score choices; '{0}' cannot",
}


def answer(text):
    """Right about films and doors, in a sentence; a thought where one is asked for."""
    if "letter alone" in text:
        return "A"
    if text.endswith("step by step."):
        return "It is said in the text."
    if "Classify" in text:
        return "I would say: good" if "delight" in text.rsplit("number", 1)[-1] else "Bad."
    number = text.rsplit("door ", 1)[-1].partition("?")[0]
    return f"key {next((n for n in range(24) if str(n * 37 % 101) == number), '?')}\nBecause."


@pytest.fixture
def server():
    chat = ChatServer(answer)
    yield chat
    chat.shutdown()
    chat.server_close()


def asked(server):
    """Count answers by question, without those that show what the server can do."""
    return {text: count for text, count in server.answered.items() if "capital of France" not in text}


def records(folder):
    return [json.loads(path.read_text()) for path in sorted(Path(folder).glob("*/*/*/*/record.json"))]


def flags(suite, server, folder, *strategies):
    return [
        str(suite),
        f"--model={server.url}#m",
        *(f"--strategy={name}" for name in strategies),
        "--task=moods",
        "--task=facts",
        f"--results={folder}",
    ]


def test_a_run_of_endpoints_loads_no_torch_and_skips_what_needs_weights(tiny_suite, server, tmp_path):
    for command in ("plan", "run"):
        arguments = [command, *flags(tiny_suite, server, tmp_path / "r", *STRATEGIES, *NEED_MORE)]
        code = PLAN_AND_RUN
        ended = subprocess.run(
            [sys.executable, "-c", code, *arguments], cwd=tmp_path, capture_output=True, text=True, check=False
        )
        assert ended.returncode == 0, ended.stdout + ended.stderr
        assert "HEAVY []" in ended.stderr
    stored = records(tmp_path / "r")
    completed = {(r["trial"]["task"], r["trial"]["strategy"]): r for r in stored if r["status"] == "completed"}
    assert {strategy for _, strategy in completed} == set(STRATEGIES)
    assert completed["moods", "zero_shot"]["scores"]["moods/accuracy"] == 1
    assert completed["facts", "rag(k=1,retriever=bm25)"]["scores"]["facts/exact_match"] == 1
    reasons = {r["reason"] for r in stored if r["status"] == "skipped" and r["trial"]["task"] == "facts"}
    assert reasons == {reason.format(f"{server.url}#m") for reason in NEED_MORE.values()}
    endpoint = completed["moods", "zero_shot"]["model"]["endpoint"]
    assert (endpoint["model"], endpoint["returned"][0]["model"]) == ("m", "m-2026-01-01")
    assert endpoint["sent"] == {"max_tokens": 32, "temperature": 0.0}
    assert not (tmp_path / "r" / ".answers").exists()
    asked = next(body["messages"][-1]["content"] for body in server.bodies if "Classify" in str(body))
    assert asked.endswith("Answer with one of: bad, good.")


def test_the_process_of_a_trial_loads_no_torch_either(tiny_suite, server, tmp_path):
    arguments = [str(tiny_suite), f"{server.url}#m", *STRATEGIES, *FURTHER]
    ended = subprocess.run(
        [sys.executable, "-c", RUN_TRIALS, *arguments], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    *trials, heavy = ended.stdout.splitlines()
    assert heavy == "[]", ended.stderr
    scores = {tuple(line.split()[:2]): float(line.split()[2]) for line in trials}
    assert scores.pop(("moods", "majority")) == 0.5
    assert 0 < scores.pop(("quiz", "zero_shot")) < 1  # always A, in an order that the data do not give away
    assert set(scores.values()) == {1}
    assert len(scores) == 5 + 8


def test_an_unfinished_trial_goes_on_with_the_questions_that_are_left(
    tiny_suite, server, tmp_path, command, monkeypatch
):
    monkeypatch.setattr(pacing, "BASE_S", 0.01)
    arguments = ["run", *flags(tiny_suite, server, tmp_path / "r", "zero_shot"), "--requests=0", "--check-items=0"]
    works = server.answer
    server.answer = lambda text: works(text) if sum(server.answered.values()) < 5 else 500
    code, out, err = command(*arguments)
    assert code == 1, out + err
    failed = [r for r in records(tmp_path / "r") if r["status"] == "failed"]
    assert any("incomplete: " in r["reason"] for r in failed)
    assert list((tmp_path / "r" / ".answers").glob("*.jsonl"))
    server.answer = works
    code, out, err = command(*arguments)
    assert code == 0, out + err
    assert set(asked(server).values()) == {1}
    assert len(asked(server)) == 16
    notes = [note for r in records(tmp_path / "r") for note in r.get("notes", ())]
    assert not (tmp_path / "r" / ".answers").exists()
    assert any("answers are of an earlier sitting" in note for note in notes)


def test_fresh_asks_again_what_an_unfinished_trial_was_answered(tiny_suite, server, tmp_path, command):
    arguments = ["run", *flags(tiny_suite, server, tmp_path / "r", "zero_shot"), "--requests=0", "--check-items=0"]
    works = server.answer
    server.answer = lambda text: works(text) if sum(server.answered.values()) < 5 else 500
    assert command(*arguments)[0] == 1
    before = sum(asked(server).values())
    server.answer = works
    assert command(*arguments, "--fresh")[0] == 0
    assert sum(asked(server).values()) == before + 16


def test_money_is_limited_and_unknown_prices_are_refused(tiny_suite, server, tmp_path, command):
    arguments = flags(tiny_suite, server, tmp_path / "r", "zero_shot")
    code, _, err = command("run", *arguments, "--model=openai:no-such-model")
    assert code == 2
    assert "no price is known for 'openai:no-such-model'" in err
    assert "--prices FILE" in err
    assert "--max-usd none" in err
    assert not server.bodies
    prices = tmp_path / "prices.toml"
    entry = '[[price]]\nname = "{0}"\nkind = "tokens"\nusd = {1}\nunit = "million tokens"\ndirection = "{0}"\n'
    entry += 'source = "contract"\nas_of = 2026-01-01\nmatches = ["{2}#m"]\n'
    prices.write_text(entry.format("in", 1.0, server.url) + entry.format("out", 2.0, server.url))
    assert len(tomllib.loads(prices.read_text())["price"]) == 2
    code, out, err = command("run", *arguments, f"--prices={prices}", "--max-usd=0.0004")
    assert code == 1, out + err
    assert 0 < server.usd <= 0.0004
    reasons = [r["reason"] for r in records(tmp_path / "r") if r["status"] == "failed"]
    assert any("--max-usd 0.0004 is reached" in reason for reason in reasons)
    code, out, err = command("run", *arguments, f"--prices={prices}", "--max-usd=1")
    assert code == 0, out + err
    assert all(r["model"]["endpoint"]["usd"] > 0 for r in records(tmp_path / "r") if r["status"] == "completed")


def test_a_planted_key_is_in_nothing_that_is_written(tiny_suite, server, tmp_path):
    def command(*arguments):
        ended = subprocess.run(
            [str(Path(sys.executable).with_name("harness")), *map(str, arguments)],
            cwd=tmp_path,
            env={**os.environ, "HOUSE_KEY": "planted-key-7f3a"},
            capture_output=True,
            text=True,
            check=False,
        )
        return ended.returncode, ended.stdout, ended.stderr

    entry = f'[endpoint.house]\nbase_url = "{server.url}"\nmodel = "m"\nkey_env = "HOUSE_KEY"\n'
    (tmp_path / "endpoints.toml").write_text(entry)
    arguments = ["--model=endpoint:house", "--strategy=zero_shot", "--task=moods", "--task=facts"]
    works = server.answer
    server.answer = lambda text: works(text) + " planted-key-7f3a" if "door" in text else works(text)
    results = tmp_path / "r"
    code, out, err = command("run", tiny_suite, *arguments, f"--results={results}")
    printed = out + err
    assert code == 0, printed
    assert "endpoint:house" in printed
    server.status = (400, {"error": {"message": "who sent planted-key-7f3a?"}}, {})
    code, out, err = command("run", tiny_suite, *arguments, "--strategy=few_shot(k=2)", f"--results={results}")
    printed += out + err
    assert code == 1
    assert server.headers[-1]["Authorization"] == "Bearer planted-key-7f3a"
    assert "who sent [key]?" in "".join(path.read_text() for path in results.glob("*/*/*/*/record.json"))
    printed += command("report", "--results", results, "--format", "json")[1]
    assert "planted-key" not in printed
    for path in filter(Path.is_file, tmp_path.rglob("*")):
        assert b"planted-key" not in path.read_bytes(), path


def test_a_plan_forecasts_questions_tokens_and_money_that_hold(tiny_suite, server, tmp_path, command):
    prices = tmp_path / "prices.toml"
    prices.write_text(
        "".join(
            f'[[price]]\nname = "{way}"\nkind = "tokens"\nusd = {usd}\nunit = "million tokens"\ndirection = "{way}"\n'
            f'source = "contract"\nas_of = 2026-01-01\nmatches = ["{server.url}#m"]\n'
            for way, usd in (("in", 1.0), ("out", 2.0))
        )
    )
    arguments = [
        *flags(tiny_suite, server, tmp_path / "r", "zero_shot", "few_shot(k=2)", "chain_of_thought"),
        f"--prices={prices}",
    ]
    code, out, err = command("plan", *arguments)
    assert code == 0, err
    line = next(line for line in out.splitlines() if line.startswith(f"{server.url}#m: "))
    questions = int(re.search(r"([\d,]+) questions", line)[1].replace(",", ""))
    at_most = float(re.search(r"at most (\d+\.\d+)", line)[1])
    assert not server.bodies
    code, out, err = command("run", *arguments)
    assert code == 0, out + err
    probes = [body for body in server.bodies if "capital of France" in str(body)]
    assert len(server.bodies) - len(probes) == questions
    assert len(probes) == 3  # once a run, one for each way of constraining an answer
    assert 0 < server.usd <= at_most
