"""A GGUF is converted once, in a process of its own; what cannot be converted is one sentence and leaves nothing."""

import pytest

from harness.errors import HarnessError
from harness.models import gguf_conversion


def test_only_a_gguf_that_was_not_converted_yet_is_not_ready(tmp_path):
    folder, cache = tmp_path / "model", tmp_path / "cache"
    folder.mkdir()
    assert gguf_conversion.is_loadable(folder, cache)
    (folder / "model.gguf").touch()
    assert not gguf_conversion.is_loadable(folder, cache)
    gguf_conversion.weights_folder(folder, cache).mkdir(parents=True)
    assert gguf_conversion.is_loadable(folder, cache)


def test_a_file_that_cannot_be_converted_is_one_sentence_and_leaves_nothing(tmp_path):
    folder, cache = tmp_path / "model", tmp_path / "cache"
    folder.mkdir()
    (folder / "model.gguf").write_bytes(b"GGUF, but no more than its first word")
    with pytest.raises(HarnessError, match=r"could not be converted: \S") as caught:
        gguf_conversion.convert_in_subprocess(folder, cache)
    assert "\n" not in str(caught.value)
    assert not gguf_conversion.is_loadable(folder, cache)
    assert list((cache / "converted").iterdir()) == []
