"""A model is read from safetensors only, known by the bytes of its weights, and refused where some would be random."""

import json

import pytest
import torch
import transformers
from safetensors.torch import load_file, save_file

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
    assert model.info.hash == weights_hash(folder)
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


def test_the_hash_changes_with_one_byte_of_the_weights(folder):
    before = weights_hash(folder)
    content = bytearray((folder / "model.safetensors").read_bytes())
    content[-1] ^= 1
    (folder / "model.safetensors").write_bytes(content)
    assert weights_hash(folder) != before


def change_weights(folder, change):
    weights = load_file(folder / "model.safetensors")
    change(weights)
    save_file(weights, folder / "model.safetensors", {"format": "pt"})


def change_config(folder, **changes):
    file = folder / "config.json"
    file.write_text(json.dumps(json.loads(file.read_text()) | changes))


def refusal(folder, tmp_path):
    with pytest.raises(HarnessError) as raised:
        open_model(folder, ModelInfo(name="mine"), tmp_path, dtype=torch.float32)
    assert "\n" not in str(raised.value)
    return str(raised.value)


def test_weights_that_are_not_in_the_file_are_named_instead_of_made_up(folder, tmp_path):
    change_weights(folder, lambda weights: weights.pop("lm_head.weight"))
    assert "lacks weights, which would be random (lm_head.weight)" in refusal(folder, tmp_path)


def test_a_config_with_more_layers_than_the_file_is_refused(folder, tmp_path):
    change_config(folder, num_hidden_layers=4)
    assert "model.layers.2.input_layernorm.weight" in refusal(folder, tmp_path)


def test_a_config_with_fewer_layers_than_the_file_is_refused(folder, tmp_path):
    change_config(folder, num_hidden_layers=1)
    assert "weights that its config.json leaves out (model.layers.1." in refusal(folder, tmp_path)


def test_a_config_of_another_size_than_the_weights_names_them(folder, tmp_path):
    change_config(folder, intermediate_size=96)
    assert "another size than its config.json says (model.layers.0.mlp.down_proj.weight" in refusal(folder, tmp_path)


def test_a_reward_model_with_tied_embeddings_is_refused_by_its_head(tmp_path):
    folder = tiny.save_model(tmp_path / "tied", "tied")
    change_weights(folder, lambda weights: weights.update({"score.weight": torch.zeros(1, 64)}))
    assert "weights that its config.json leaves out (score.weight)" in refusal(folder, tmp_path)


@pytest.mark.parametrize("kind", ["tied", "gpt2", "recurrent", "sliding"])
def test_tied_weights_are_not_missing(kind, tmp_path):
    folder = tiny.save_model(tmp_path / "model", kind)
    assert open_model(folder, ModelInfo(name="mine"), tmp_path).info.parameters


def test_a_bare_encoder_is_refused_though_its_weights_are_all_there(tmp_path):
    folder = tmp_path / "bert"
    tokenizer = tiny.make_tokenizer(None)
    sizes = {"hidden_size": 64, "num_hidden_layers": 2, "num_attention_heads": 4, "intermediate_size": 64}
    config = transformers.BertConfig(vocab_size=len(tokenizer), initializer_range=0.3, **sizes)
    transformers.BertForMaskedLM(config).save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    change_config(folder, architectures=None)  # else planning would refuse it
    assert "no causal decoder" in refusal(folder, tmp_path)


def test_a_tokenizer_that_is_larger_than_the_embedding_is_refused(folder, tmp_path):
    tokenizer = transformers.AutoTokenizer.from_pretrained(folder)
    tokenizer.add_tokens(["<more>", "<and more>"])
    tokenizer.save_pretrained(folder)
    embedded = json.loads((folder / "config.json").read_text())["vocab_size"]
    text = refusal(folder, tmp_path)
    assert f"has {embedded + 2:,} tokens and the model embeds {embedded:,}" in text


def test_a_model_without_an_end_token_is_refused_and_one_with_the_configs_is_not(tmp_path):
    folder = tiny.save_model(tmp_path / "plain", template=None)
    tokenizer = json.loads((folder / "tokenizer_config.json").read_text())
    (folder / "tokenizer_config.json").write_text(json.dumps(tokenizer | {"eos_token": None}))
    end = json.loads((folder / "config.json").read_text())["eos_token_id"]
    assert end in open_model(folder, ModelInfo(name="mine"), tmp_path).eos_ids
    change_config(folder, eos_token_id=None)
    (folder / "generation_config.json").unlink()
    assert "no token that ends a text: set eos_token" in refusal(folder, tmp_path)
