"""A GGUF is converted once, in a process of its own; what cannot be converted is one sentence and leaves nothing."""

import pytest

from harness.data import manifest
from harness.errors import HarnessError
from harness.models import gguf_conversion
from tests.stub_model import save_stub


def test_only_a_gguf_that_was_not_converted_yet_is_not_ready(tmp_path):
    folder, cache = tmp_path / "model", tmp_path / "cache"
    folder.mkdir()
    assert gguf_conversion.is_loadable(folder, cache)
    (folder / "model.gguf").touch()
    assert not gguf_conversion.is_loadable(folder, cache)
    converted = save_stub(gguf_conversion.weights_folder(folder, cache))
    assert not gguf_conversion.is_loadable(folder, cache)  # its files are not listed: it may be half of one
    manifest.write(converted)
    assert gguf_conversion.is_loadable(folder, cache)


@pytest.mark.parametrize("name", ["model.safetensors", "tokenizer.json"])
def test_a_damaged_conversion_is_not_ready(tmp_path, name):
    folder, cache = tmp_path / "model", tmp_path / "cache"
    folder.mkdir()
    (folder / "model.gguf").touch()
    converted = save_stub(gguf_conversion.weights_folder(folder, cache))
    manifest.write(converted)
    content = (converted / name).read_bytes()
    (converted / name).write_bytes(content[:-1] + b"?")
    assert not gguf_conversion.is_loadable(folder, cache)
    (converted / name).write_bytes(content)
    assert gguf_conversion.is_loadable(folder, cache)
    (converted / name).unlink()
    assert not gguf_conversion.is_loadable(folder, cache)


def test_safetensors_beside_a_gguf_are_loaded_as_they_are(tmp_path):
    folder = save_stub(tmp_path / "model")
    (folder / "model.gguf").touch()
    assert gguf_conversion.weights_folder(folder, tmp_path / "cache") == folder


def test_a_file_that_cannot_be_converted_is_one_sentence_and_leaves_nothing(tmp_path):
    folder, cache = tmp_path / "model", tmp_path / "cache"
    folder.mkdir()
    (folder / "model.gguf").write_bytes(b"GGUF, but no more than its first word")
    with pytest.raises(HarnessError, match=r"could not be converted: \S") as caught:
        gguf_conversion.convert_in_subprocess(folder, cache)
    assert "\n" not in str(caught.value)
    assert not gguf_conversion.is_loadable(folder, cache)
    assert list((cache / "converted").iterdir()) == []
