"""A second backend: a model that only generates, in one file and with one registration, runs like any other."""

import json
import sys

import pytest

from harness.models import registry

BACKEND = '''
"""Answers by the first choice, or by the last word of the question: no weights, no scores, no tokenizer."""

from harness.api import Answer, ModelInfo
from harness.models.registry import Backend, ModelReference
from harness.prompts.layout import messages


class Echo:
    info = ModelInfo(name="echo:first", hash="v1")

    def generate(self, prompts, *, max_new_tokens, one_line, sampling=None, progress=None):
        answers = []
        for prompt in prompts:
            turns = messages(prompt)
            text = "\\n".join(f"{turn['role']}: {turn['content']}" for turn in turns)
            words = prompt.task.choices[:1] or turns[-1]["content"].split()[-1:]
            answers.append(Answer(text, words[0], prompt_tokens=len(text.split()), output_tokens=1))
            if progress:
                progress(len(answers), len(prompts))
        return answers


class EchoBackend(Backend):
    def identify(self, name, use):
        if not name.startswith("echo:"):
            return None
        return ModelReference(name, name, f"echo:{name}:v1", frozenset({"generate"}), "echo")

    def open(self, reference, cache):
        return Echo()
'''


@pytest.fixture
def echo(tmp_path, monkeypatch):
    """Install the backend as pip would; trials run in processes of their own, which must find it too."""
    site = tmp_path / "site"
    info = site / "adaptbench_echo-1.0.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: adaptbench-echo\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text(f"[{registry.GROUP}]\necho = adaptbench_echo:EchoBackend\n")
    (site / "adaptbench_echo.py").write_text(BACKEND)
    monkeypatch.syspath_prepend(str(site))
    monkeypatch.setenv("PYTHONPATH", str(site))
    registry.clear()
    yield
    registry.clear()
    sys.modules.pop("adaptbench_echo", None)


def test_a_generate_only_model_runs_and_what_it_cannot_do_is_skipped_with_the_reason(
    echo, command, tiny_suite, tmp_path
):
    strategies = [f"--strategy={text}" for text in ("few_shot(k=2)", "lora", "rag(k=1,retriever=bm25)")]
    tasks = ["--task=moods", "--task=facts"]
    code, out, err = command(
        "run", tiny_suite, "--model", "echo:first", *tasks, *strategies, "--results", tmp_path / "r"
    )
    assert code == 0, out + err
    _, text, _ = command("report", "--results", tmp_path / "r", "--format", "json")
    trials = json.loads(text)["trials"]
    completed = {(trial["task"], trial["strategy"]): trial for trial in trials if trial["status"] == "completed"}
    assert {task for task, _ in completed} == {"moods", "facts"}
    assert completed["moods", "few_shot(k=2)"]["scores"]["accuracy"]["value"] == pytest.approx(0.5)
    assert ("facts", "rag(k=1,retriever=bm25)") in completed
    reasons = {(t["task"], t["strategy"]): t["reason"] for t in trials if t["status"] == "skipped"}
    assert reasons["moods", "lora"] == "lora needs a model that can be trained; 'echo:first' cannot"


def test_a_name_that_no_backend_takes_is_refused_by_the_last_one(echo):
    with pytest.raises(Exception, match="unknown model 'ecko'"):
        registry.identify("ecko")


def test_a_broken_backend_hides_no_other_and_is_named(tmp_path, monkeypatch):
    site = tmp_path / "site"
    info = site / "adaptbench_broken-1.0.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: adaptbench-broken\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text(f"[{registry.GROUP}]\nbroken = adaptbench_broken:Gone\n")
    (site / "adaptbench_broken.py").write_text("raise RuntimeError('no such library')")
    monkeypatch.syspath_prepend(str(site))
    registry.clear()
    try:
        assert registry.identify("smollm2-135m-instruct").backend == "local"
        with pytest.raises(Exception, match=r"unknown model.*'broken' \(adaptbench_broken:Gone\) cannot be loaded"):
            registry.identify("nothing-like-it")
    finally:
        registry.clear()
