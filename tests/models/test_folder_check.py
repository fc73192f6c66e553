"""Folders that no causal language model can be loaded from are refused when a run is planned, without torch."""

import json
import os

import pytest
import torch

from harness.errors import HarnessError
from harness.models import registry
from harness.models.tokenizer import open_tokenizer
from tests import tiny
from tests.stub_model import save_stub


def refusal(folder, use="model"):
    with pytest.raises(HarnessError) as raised:
        registry.identify(str(folder), use)
    assert "\n" not in str(raised.value)
    return str(raised.value)


def configure(folder, **changes):
    file = folder / "config.json"
    file.write_text(json.dumps(json.loads(file.read_text()) | changes))


@pytest.mark.parametrize(
    "name", ["BertForMaskedLM", "LlamaForSequenceClassification", "Qwen2ForRewardModel", "BertForPreTraining"]
)
def test_another_kind_of_model_is_named(name, tmp_path):
    folder = save_stub(tmp_path / "model")
    configure(folder, architectures=[name])
    assert f"no causal language model but a {name}" in refusal(folder)


def test_an_encoder_decoder_is_refused(tmp_path):
    folder = save_stub(tmp_path / "model")
    configure(folder, architectures=["T5ForConditionalGeneration"], model_type="t5", is_encoder_decoder=True)
    assert "is an encoder-decoder (t5)" in refusal(folder)


@pytest.mark.parametrize(
    ("name", "content", "field"),
    [
        ("config.json", {"architectures": [True]}, "architectures.0"),
        ("config.json", {"architectures": 5}, "architectures"),
        ("config.json", {"vocab_size": {}}, "vocab_size"),
        ("config.json", {"text_config": []}, "text_config"),
        ("tokenizer.json", {"model": 7}, "model"),
        ("tokenizer.json", {"model": {"vocab": {"a": {}}}}, "model.vocab"),
        ("tokenizer.json", {"added_tokens": [{"id": {}}]}, "added_tokens.0.id"),
        ("model.safetensors.index.json", {"weight_map": ["a"]}, "weight_map"),
    ],
)
def test_a_field_of_another_type_is_named(name, content, field, tmp_path):
    folder = save_stub(tmp_path / "model")
    before = {"vocab_size": 4} if name == "tokenizer.json" else {}
    configure(folder, **before)
    (folder / name).write_text(json.dumps(content))
    assert f"{name} cannot be read ({field}" in refusal(folder)


@pytest.mark.parametrize(
    "header", [b"[" * 5_000, b'{"w": []}', b'{"w": {"shape": ["a"], "data_offsets": [0, 1]}}', b"5"]
)
def test_a_header_of_another_kind_is_one_line(header, tmp_path):
    file = save_stub(tmp_path / "model") / "model.safetensors"
    file.write_bytes(len(header).to_bytes(8, "little") + header)
    assert "model.safetensors is damaged (its header cannot be read)" in refusal(file.parent)


@pytest.mark.parametrize("name", ["LlamaForCausalLM", "GPT2LMHeadModel", "Gemma3ForConditionalGeneration"])
def test_decoders_are_taken(name, tmp_path):
    folder = save_stub(tmp_path / "model")
    configure(folder, architectures=[name])
    assert registry.identify(str(folder)).identity.startswith("folder:")


def test_a_missing_shard_is_named(tmp_path):
    folder = save_stub(tmp_path / "model")
    names = {"a": "model-00001-of-00002.safetensors", "b": "model-00002-of-00002.safetensors"}
    (folder / "model.safetensors").rename(folder / names["a"])
    (folder / "model.safetensors.index.json").write_text(json.dumps({"weight_map": names}))
    assert f"lacks {names['b']}" in refusal(folder)


@pytest.mark.parametrize("size", [0, 4, 30, -1])
def test_weights_that_were_cut_off_are_refused(size, tmp_path):
    folder = tiny.save_model(tmp_path / "model")
    file = folder / "model.safetensors"
    os.truncate(file, size % file.stat().st_size)
    assert f"{file} is damaged" in refusal(folder)
    assert f"{file} is damaged" in refusal(folder, "embedder")


def test_a_folder_without_a_tokenizer_or_a_configuration_says_so(tmp_path):
    folder = save_stub(tmp_path / "model")
    (folder / "tokenizer.json").unlink()
    assert "has no tokenizer" in refusal(folder)
    (folder / "config.json").unlink()
    assert "has no config.json" in refusal(folder)
    (folder / "config.json").write_text("{")
    assert "config.json cannot be read" in refusal(folder)


def test_pickled_weights_alone_are_refused(tmp_path):
    folder = save_stub(tmp_path / "model")
    (folder / "model.safetensors").unlink()
    torch.save({}, folder / "pytorch_model.bin")
    assert "no *.safetensors file" in refusal(folder)


def test_a_tokenizer_that_is_larger_than_the_embedding_is_refused(tmp_path):
    folder = tiny.save_model(tmp_path / "model")
    configure(folder, vocab_size=300)
    assert "384 tokens and the model embeds 300" in refusal(folder)


@pytest.mark.parametrize("content", [{"model": {"type": "BPE"}}, {"added_tokens": [{"id": 0}]}, {}])
def test_a_tokenizer_that_cannot_be_loaded_is_one_line(content, tmp_path):
    folder = tiny.save_model(tmp_path / "model")
    (folder / "tokenizer.json").write_text(json.dumps(content))
    with pytest.raises(HarnessError, match=r"the tokenizer in .* cannot be loaded: ") as raised:
        open_tokenizer(folder, "model", tmp_path / "cache")
    assert "\n" not in str(raised.value)
