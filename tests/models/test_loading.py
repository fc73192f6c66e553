"""A model is read from safetensors only, and known by the bytes of its weights."""

import os

import pytest
import torch

from harness.api import ModelInfo
from harness.errors import HarnessError
from harness.models.loading import open_model, weights_hash
from tests import tiny


@pytest.fixture
def folder(tmp_path):
    return tiny.save_model(tmp_path / "model")


def test_what_is_known_of_a_model_is_completed(folder, tmp_path):
    model = open_model(folder, ModelInfo(name="mine", licence="MIT"), tmp_path, dtype=torch.bfloat16)
    assert (model.info.name, model.info.licence, model.info.dtype) == ("mine", "MIT", "bfloat16")
    assert model.info.context_tokens == tiny.WINDOW
    assert model.info.parameters == sum(p.numel() for p in model.module.parameters())
    assert model.info.hash == weights_hash(folder, tmp_path)
    assert {p.dtype for p in model.module.parameters()} == {torch.bfloat16}
    assert not model.module.training
    assert model.trained_parameters == 0


def test_a_folder_with_pickled_weights_only_is_refused(folder, tmp_path):
    (folder / "model.safetensors").unlink()
    torch.save({}, folder / "pytorch_model.bin")
    with pytest.raises(HarnessError, match=r"cannot be loaded: .*safetensors"):
        open_model(folder, ModelInfo(name="mine"), tmp_path)


@pytest.mark.parametrize("file", ["model.safetensors", "config.json", "tokenizer.json"])
def test_a_damaged_file_is_one_sentence(folder, tmp_path, file):
    content = (folder / file).read_bytes()
    (folder / file).write_bytes(content[: len(content) // 2])
    with pytest.raises(HarnessError, match="cannot be loaded: ") as raised:
        open_model(folder, ModelInfo(name="mine"), tmp_path)
    assert "\n" not in str(raised.value)


def test_the_hash_changes_with_one_byte_of_the_weights(folder, tmp_path):
    before = weights_hash(folder, tmp_path)
    content = bytearray((folder / "model.safetensors").read_bytes())
    content[-1] ^= 1
    (folder / "model.safetensors").write_bytes(content)
    os.utime(folder / "model.safetensors", ns=(1, 1))
    assert weights_hash(folder, tmp_path) != before


def test_the_hash_of_an_unchanged_file_is_remembered(folder, tmp_path):
    before = weights_hash(folder, tmp_path)
    stamp = (folder / "model.safetensors").stat().st_mtime_ns
    size = (folder / "model.safetensors").stat().st_size
    (folder / "model.safetensors").write_bytes(bytes(size))
    os.utime(folder / "model.safetensors", ns=(stamp, stamp))
    assert weights_hash(folder, tmp_path) == before  # size and time say that it is the same
    assert weights_hash(folder, tmp_path / "elsewhere") != before


def test_a_memory_that_was_cut_short_is_not_believed(folder, tmp_path):
    before = weights_hash(folder, tmp_path)
    (memory,) = (tmp_path / "hashes").iterdir()
    memory.write_text("")
    assert weights_hash(folder, tmp_path) == before
