"""Whether branches may share a row: told by the configuration, and by a probe that no scale of weights misleads."""

from copy import deepcopy

import pytest
import torch
import transformers

from harness.decoding import attention_masks, batched_decode, packing_probe
from harness.decoding.packing_obstacles import packing_obstacle
from harness.errors import HarnessError
from tests import architectures

SCALES = (0.002, 0.02, 0.1, 0.4)
NO_PACKING = (
    "gpt_neo",
    "mpt",
    "bloom",
    "qwen3_next",
    "jamba",
    "rwkv",
    "openai-gpt",
)


@pytest.mark.parametrize("scale", SCALES)
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.float16])
def test_full_attention_shares_rows_in_every_number_format(scale, dtype):
    assert packing_probe.supports_packing(architectures.build("llama", scale=scale).to(dtype))


@pytest.mark.parametrize("scale", SCALES)
@pytest.mark.parametrize("name", NO_PACKING)
def test_the_probe_finds_alone_what_the_configuration_tells(monkeypatch, name, scale):
    module = architectures.build(name, scale=scale)
    assert not packing_probe.supports_packing(module)
    monkeypatch.setattr(packing_probe, "packing_obstacle", lambda _: None)
    module._is_stateful = False
    assert not packing_probe.supports_packing(module)


WINDOWED = ("mistral", "phi3", "gemma2", "gemma3", "gpt_oss", "llama4_text")


@pytest.mark.parametrize("name", WINDOWED)
def test_windowed_layers_share_rows_and_the_probe_notices_masks_without_the_window(monkeypatch, name):
    module = architectures.build(name)
    assert packing_probe.supports_packing(module)
    monkeypatch.setattr(attention_masks, "_within", lambda kind, size, queries, keys: keys >= 0)
    assert not packing_probe.supports_packing(module)


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
@pytest.mark.parametrize("name", ["mistral", "gemma3"])
def test_windowed_layers_share_rows_in_every_number_format(name, dtype):
    assert packing_probe.supports_packing(architectures.build(name, scale=0.1).to(dtype))


@pytest.mark.parametrize("name", ["mistral", "gemma3_text"])
def test_padding_behind_a_shared_prefix_is_no_distance(monkeypatch, name):
    module = architectures.build(name)
    monkeypatch.setattr(batched_decode, "batch_masks", lambda module, attention_mask, position_ids: attention_mask)
    assert not packing_probe.supports_packing(module)


def test_a_window_wider_than_the_probe_is_tried_too(monkeypatch):
    module = architectures.build("mistral", sliding_window=4096)
    assert packing_probe.supports_packing(module)
    assert module.config.sliding_window == 4096
    monkeypatch.setattr(attention_masks, "_within", lambda kind, size, queries, keys: keys >= 0)
    assert not packing_probe.supports_packing(module)


def test_a_model_whose_window_is_not_that_of_its_configuration_shares_nothing():
    module = architectures.build("mistral", sliding_window=64)
    module.model.config = deepcopy(module.config)
    assert not packing_probe.supports_packing(module)


@pytest.mark.parametrize(
    ("config", "obstacle"),
    [
        (transformers.LlamaConfig(), None),
        (transformers.MistralConfig(sliding_window=4096), None),
        (transformers.Qwen2Config(sliding_window=4096, use_sliding_window=False), None),
        (transformers.GPTNeoConfig(), "attention_layers: local"),
        (transformers.MptConfig(), "ALiBi"),
        (transformers.FalconConfig(alibi=True), "ALiBi"),
        (transformers.FalconConfig(), None),
        (transformers.Llama4Config(), None),
        (transformers.Gemma3Config(), None),
        (transformers.Lfm2Config(), "recurrent layers (conv_L_cache)"),
        (transformers.BloomConfig(), "ALiBi"),
        (
            transformers.LlamaConfig(rope_parameters={"rope_type": "dynamic", "factor": 2.0, "rope_theta": 1e4}),
            "rope_type=dynamic",
        ),
    ],
)
def test_a_configuration_tells_what_keeps_rows_apart(config, obstacle):
    assert packing_obstacle(config) == obstacle


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize("name", ["roberta", "xlnet", "electra"])
def test_a_model_that_reads_later_tokens_is_refused(name, dtype):
    with pytest.raises(HarnessError, match="no causal decoder"):
        packing_probe.supports_packing(architectures.build(name).to(dtype))


def test_a_model_whose_cache_changes_its_answers_is_refused():
    with pytest.raises(HarnessError, match="its cache changes what it generates"):
        packing_probe.supports_packing(architectures.build("xmod"))


def test_what_cannot_read_a_text_is_refused_in_one_line():
    module = architectures.build("xmod", default_language=None)
    with pytest.raises(HarnessError, match=r"^it cannot read a text by itself \(.+\): name a model") as error:
        packing_probe.supports_packing(module)
    assert "\n" not in str(error.value)
