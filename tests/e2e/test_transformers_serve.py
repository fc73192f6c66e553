"""The same model in this process and behind ``transformers serve``, a server that this project did not write.

It accepts ``echo``, ``logprobs`` and ``response_format`` and ignores them: scores and constraints must be found absent.
"""

import socket
import subprocess
import sys
import time
from urllib.error import URLError
from urllib.request import urlopen

import pytest

from harness.api import Query, System, Task
from harness.endpoints.endpoint_model import Endpoint
from harness.endpoints.providers import Destination
from harness.predict import answering
from tests import tiny

QA = Task("facts", "qa", "Answer the question with a short phrase.", max_new_tokens=8, form="chat")
LABELS = Task("moods", "classification", "Choose.", choices=("good", "bad"), form="plain")
QUERIES = [Query(f"q{n}", f"Which river runs through city {n}?") for n in range(4)]


@pytest.fixture(scope="module")
def served(tmp_path_factory):
    pytest.importorskip("openai", reason="transformers serve imports it")
    root = tmp_path_factory.mktemp("served")
    folder = tiny.save_model(root / "model", "llama")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    arguments = ["serve", str(folder), "--host", "127.0.0.1", "--port", str(port), "--dtype", "float32"]
    command = [sys.executable, "-c", "from transformers.cli.transformers import main; main()", *arguments]
    with (root / "log.txt").open("w") as log:
        process = subprocess.Popen(command, stdout=log, stderr=log)
    try:
        for _ in range(600):
            assert process.poll() is None, (root / "log.txt").read_text()
            try:
                urlopen(f"http://127.0.0.1:{port}/health", timeout=1)
                break
            except (URLError, OSError):
                time.sleep(0.2)
        destination = Destination(name="x", base_url=f"http://127.0.0.1:{port}/v1", model=str(folder))
        yield tiny.open_tiny(folder, root / "cache"), destination
    finally:
        process.terminate()
        process.wait(30)


@pytest.mark.e2e
def test_answers_are_the_same(served):
    local, destination = served
    here, there = (answering.predict(System(model, QA), QUERIES) for model in (local, Endpoint(destination)))
    assert [p.answer for p in there] == [p.answer for p in here]
    assert [p.raw.prompt_tokens for p in there] == [p.raw.prompt_tokens for p in here]


@pytest.mark.e2e
def test_what_it_accepts_and_ignores_is_found_absent(served):
    _, destination = served
    endpoint = Endpoint(destination)
    assert endpoint.scorer(LABELS) is None
    predictions = answering.predict(System(endpoint, Task("moods", "classification", choices=("good", "bad"))), QUERIES)
    probes = endpoint.info.endpoint.probes
    assert probes["scores"] != "verified"
    assert "verified" not in probes["constraint"]
    assert not any(p.raw.constrained or p.raw.choice_scores for p in predictions)
