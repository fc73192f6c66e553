"""References of models elsewhere, and the files that explain them."""

from pathlib import Path

import pytest

from harness.endpoints.providers import find_destination, is_loopback, providers
from harness.errors import HarnessError
from harness.models import registry


@pytest.fixture(autouse=True)
def _elsewhere(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


@pytest.mark.parametrize(
    ("name", "base_url", "model", "away"),
    [
        ("openai:gpt-5-mini", "https://api.openai.com/v1", "gpt-5-mini", True),
        ("ollama:qwen2.5:0.5b", "http://localhost:11434/v1", "qwen2.5:0.5b", False),
        ("http://localhost:8000/v1/#Qwen/Qwen3-8B", "http://localhost:8000/v1", "Qwen/Qwen3-8B", False),
        ("https://gpu.example/v1#m", "https://gpu.example/v1", "m", True),
    ],
)
def test_a_reference_is_a_host_and_a_model(name, base_url, model, away):
    destination = find_destination(name)
    assert (destination.base_url, destination.model, destination.away) == (base_url, model, away)
    reference = registry.identify(name)
    assert (reference.backend, reference.capabilities) == ("endpoint", {"generate"})


@pytest.mark.parametrize("name", ["smollm2-135m-instruct", "org/name", "./folder", "C:/models/x", "nobody:model"])
def test_other_names_are_of_other_backends(name):
    assert find_destination(name) is None


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("openai:", "write openai:MODEL"),
        ("http://localhost:8000/v1", "write URL#MODEL"),
        ("https://me:secret@host/v1#m", "holds no user, password or query"),
        ("https://host/v1?key=secret#m", "holds no user, password or query"),
        ("endpoint:house", "unknown endpoint 'house'"),
    ],
)
def test_a_reference_that_cannot_be_used_is_one_line_without_the_secret(name, words):
    with pytest.raises(HarnessError, match=words) as error:
        find_destination(name)
    assert "\n" not in str(error.value)
    assert "secret" not in str(error.value)


def test_a_users_endpoint_says_where_it_is_and_never_a_key():
    file = Path("endpoints.toml")
    file.write_text(
        '[endpoint.house]\nbase_url = "https://gpu7.internal/v1"\nmodel = "Qwen/Qwen3-8B"\nkey_env = "HOUSE_KEY"\n'
        'inside = true\nconcurrency = 16\nbody = { provider = { order = ["x"] } }\n'
    )
    destination = find_destination("endpoint:house")
    assert (destination.away, destination.concurrency, destination.key_env) == (False, 16, "HOUSE_KEY")
    before = registry.identify("endpoint:house").identity
    file.write_text(file.read_text().replace('"x"', '"y"'))
    assert registry.identify("endpoint:house").identity != before
    file.write_text('[endpoint.house]\nbase_url = "https://h/v1"\nmodel = "q"\nkey_env = "sk-abc"\n')
    with pytest.raises(HarnessError, match="NAME of an environment variable") as error:
        find_destination("endpoint:house")
    assert "sk-abc" not in str(error.value)


def test_every_provider_has_a_source_and_says_that_it_was_never_called():
    for name, provider in providers().items():
        assert provider.status == "documented, not called", name
        assert provider.source.startswith("https://"), name
        assert provider.base_url.startswith("https://") or is_loopback(provider.base_url.split("/")[2].split(":")[0])
