"""Tiny models of the causal architectures of transformers, and whether each computes the same together and alone.

``python -m tests.architectures`` writes docs/architectures.md.
"""

import dataclasses
import inspect
from pathlib import Path

import torch
import transformers
from transformers import AutoModelForCausalLM
from transformers.models.auto.configuration_auto import CONFIG_MAPPING
from transformers.models.auto.modeling_auto import MODEL_FOR_CAUSAL_LM_MAPPING_NAMES

from harness.decoding import batched_decode, packing_probe, prefix_sharing
from harness.decoding.batched_decode import DecodeLimits
from harness.decoding.packed_rows import Branch
from harness.decoding.packing_obstacles import packing_obstacle
from harness.errors import HarnessError
from harness.training.batches import TrainingSample
from harness.training.losses import backward

VOCABULARY = 64
WINDOW = 8
"""Tokens that windowed and chunked layers look back: fewer than a test's prompts have."""

_SIZES = {
    **dict.fromkeys(("hidden_size", "n_embd", "d_model", "dim", "word_embed_proj_dim"), 32),
    **dict.fromkeys(("num_hidden_layers", "n_layer", "n_layers", "num_layers", "decoder_layers", "encoder_layers"), 2),
    **dict.fromkeys(("num_attention_heads", "n_head", "n_heads", "num_heads"), 4),
    **dict.fromkeys(("decoder_attention_heads", "encoder_attention_heads"), 4),
    **dict.fromkeys(("intermediate_size", "n_inner", "ffn_dim", "decoder_ffn_dim", "encoder_ffn_dim", "dff"), 48),
    **dict.fromkeys(("max_position_embeddings", "n_positions", "max_seq_len"), 128),
    **dict.fromkeys(("num_experts", "num_local_experts", "n_routed_experts"), 4),
    **dict.fromkeys(("sliding_window", "sliding_window_size", "attention_chunk_size", "local_attention"), WINDOW),
    **dict.fromkeys(("window_size", "attention_window_size"), WINDOW),
    "vocab_size": VOCABULARY,
    "head_dim": 8,
    "num_key_value_heads": 2,
    "moe_intermediate_size": 24,
    "num_experts_per_tok": 2,
    "pad_token_id": 0,
    "bos_token_id": 1,
    "eos_token_id": 2,
}
_LATENT = {  # multi-head latent attention: heads with and without rotation
    "head_dim": None,
    "num_key_value_heads": 4,
    "q_lora_rank": 16,
    "kv_lora_rank": 16,
    "qk_rope_head_dim": 8,
    "qk_nope_head_dim": 8,
    "v_head_dim": 8,
    "n_group": 1,
    "topk_group": 1,
}
_SPARSE = {**_LATENT, "index_n_heads": 2, "index_head_dim": 16, "index_topk": 64}
_DELTA = {  # gated delta rule
    "num_hidden_layers": 4,
    "linear_num_key_heads": 2,
    "linear_num_value_heads": 4,
    "linear_key_head_dim": 8,
    "linear_value_head_dim": 8,
    "layer_types": ["linear_attention", "linear_attention", "linear_attention", "full_attention"],
    "shared_expert_intermediate_size": 24,
}
_MAMBA_2 = {"mamba_n_heads": 8, "mamba_d_head": 8, "mamba_d_state": 8, "mamba_n_groups": 1, "mamba_chunk_size": 8}
_BASE = {
    "vocab_size": VOCABULARY,
    "hidden_size": 32,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "head_dim": 8,
    "intermediate_size": 48,
    "max_position_embeddings": 128,
    "sliding_window": WINDOW,
}
_VISION = {"hidden_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 16}
_ALTERNATING = {"layer_types": ["sliding_attention", "full_attention"]}
_OPTIONS = {
    "axk1": _LATENT,
    "axk2": _SPARSE,
    "bailing_hybrid": {
        **_LATENT,
        "layer_types": ["linear_attention", "full_attention"],
        "linear_head_dim": 8,
        "linear_num_heads": 4,
    },
    "bamba": {**_MAMBA_2, "attn_layer_indices": [1], "num_hidden_layers": 3},
    "bert": {"is_decoder": True},
    "codegen": {"rotary_dim": 4, "n_ctx": 128},
    "dbrx": {
        "attn_config": {"kv_n_heads": 2, "rope_theta": 10000.0, "clip_qkv": 8.0},
        "ffn_config": {"ffn_hidden_size": 48, "moe_num_experts": 4, "moe_top_k": 2},
    },
    "deepseek_v2": {**_LATENT, "topk_method": "greedy", "n_shared_experts": 1},
    "deepseek_v3": {**_LATENT, "first_k_dense_replace": 1},
    "deepseek_v32": {**_SPARSE},
    "dots1": {"n_shared_experts": 1, "n_group": 1, "topk_group": 1, "num_experts_per_tok": 2},
    "falcon": {"new_decoder_architecture": False},
    "falcon_h1": {**_MAMBA_2, "mamba_d_ssm": 64},
    "gemma2": _ALTERNATING,
    "gemma3_text": _ALTERNATING,
    "gemma3n_text": {
        "num_hidden_layers": 4,
        "num_kv_shared_layers": 2,
        "layer_types": ["sliding_attention", "full_attention"] * 2,
        "activation_sparsity_pattern": [0.0] * 4,
        "vocab_size_per_layer_input": 64,
        "hidden_size_per_layer_input": 8,
        "laurel_rank": 8,
    },
    "gemma4_text": {
        "vocab_size_per_layer_input": 64,
        "hidden_size_per_layer_input": 8,
        "global_head_dim": 8,
        **_ALTERNATING,
    },
    "glm4_moe_lite": _LATENT,
    "glm_moe_dsa": _SPARSE,
    "gpt_neo": {"attention_types": [[["global", "local"], 1]]},
    "gptj": {"rotary_dim": 4},
    "gpt_oss": _ALTERNATING,
    "granitemoehybrid": {
        **_MAMBA_2,
        "layer_types": ["linear_attention", "full_attention"],
        "shared_intermediate_size": 24,
    },
    "jamba": {
        "attn_layer_offset": 1,
        "attn_layer_period": 2,
        "expert_layer_offset": 1,
        "expert_layer_period": 2,
        "mamba_d_state": 8,
        "mamba_dt_rank": 4,
        "use_mamba_kernels": False,
    },
    "kimi_linear": {
        **_LATENT,
        "layer_types": ["linear_attention", "full_attention"],
        "linear_head_dim": 8,
        "linear_num_heads": 4,
    },
    "lfm2": {"layer_types": ["conv", "full_attention"], "block_multiple_of": 8},
    "lfm2_moe": {"layer_types": ["conv", "full_attention"], "num_dense_layers": 1},
    "lfm3": {"layer_types": ["conv", "sliding_attention"]},
    "llama4_text": {"num_hidden_layers": 4, "intermediate_size_mlp": 48},
    "longcat_flash": {
        **_LATENT,
        "num_layers": 1,
        "ffn_hidden_size": 48,
        "expert_ffn_hidden_size": 24,
        "moe_topk": 2,
        "zero_expert_num": 1,
    },
    "mamba2": {"num_heads": 8, "head_dim": 8, "state_size": 8, "n_groups": 1, "chunk_size": 8},
    "minicpm3": _LATENT,
    "nemotron_h": {
        "layers_block_type": ["linear_attention", "full_attention", "mlp"],
        "num_hidden_layers": None,
        "mamba_num_heads": 8,
        "mamba_head_dim": 8,
        "ssm_state_size": 8,
        "n_groups": 1,
        "chunk_size": 8,
    },
    "qwen3_5_moe_text": _DELTA,
    "qwen3_5_text": _DELTA,
    "qwen3_next": _DELTA,
    "recurrent_gemma": {"num_hidden_layers": 3, "lru_width": 32},
    "xmod": {"is_decoder": True, "languages": ["en_XX"], "default_language": "en_XX"},
    "gemma3": {"text_config": {**_BASE, **_ALTERNATING}, "vision_config": _VISION},
    "gemma4": {
        "text_config": {
            **_BASE,
            "vocab_size_per_layer_input": 64,
            "hidden_size_per_layer_input": 8,
            "global_head_dim": 8,
            **_ALTERNATING,
        },
        "vision_config": None,
        "audio_config": None,
    },
    "llama4": {
        "text_config": {
            **_BASE,
            "num_hidden_layers": 4,
            "intermediate_size_mlp": 48,
            "num_local_experts": 4,
            "attention_chunk_size": WINDOW,
        },
        "vision_config": _VISION,
    },
    "qwen3_5": {"text_config": {**_BASE, **_DELTA}},
    "youtu": _LATENT,
    "zamba2": {
        "num_hidden_layers": 3,
        "layer_types": ["linear_attention", "hybrid", "linear_attention"],
        "hybrid_layer_ids": [1],
        "mamba_headdim": 8,
        "n_mamba_heads": 8,
        "mamba_d_state": 8,
        "mamba_ngroups": 1,
        "chunk_size": 8,
    },
    "zaya": {"num_experts_per_tok": 1},
}


VARIANTS = {
    "falcon, ALiBi": ("falcon", {"alibi": True}),
    "llama, dynamic RoPE": (
        "llama",
        {"rope_parameters": {"rope_type": "dynamic", "factor": 2.0, "rope_theta": 10000.0}},
    ),
    "phi3, no window": ("phi3", {"sliding_window": None}),
    "qwen2, windows": ("qwen2", {"use_sliding_window": True, "max_window_layers": 1}),
}
"""Further configurations of an architecture, by name."""

NOT_BUILT = frozenset(
    {
        *("blt", "cohere_compass_text", "dots3_note", "dots3_note_text", "emu3", "fuyu", "gemma3n", "gemma4_assistant"),
        *("gemma4_unified", "gemma4_unified_assistant", "git", "got_ocr2", "hy_v4", "longcat_flash", "mllama"),
        *("moss_transcribe_diarize", "musicgen", "musicgen_melody", "phi4_multimodal", "qwen3_5_moe", "qwen4_exp"),
        *("qwen4_exp_text", "reformer", "roc_bert", "zamba"),
    }
)
"""Model types without a tiny configuration here: most read images or sound too."""

NAMES = sorted({*MODEL_FOR_CAUSAL_LM_MAPPING_NAMES, *VARIANTS} - NOT_BUILT)
PAGE = Path(__file__).parents[1] / "docs" / "architectures.md"
_RANDOM = torch.Generator().manual_seed(3)
_HEAD = """# Architectures

What is done here with each causal architecture of transformers, tried with tiny random models in float32. Written by
`python -m tests.architectures`; `tests/benchmarks/test_architectures_benchmark.py` checks every row, and
`tests/conformance/test_architectures.py` the common ones.

- **shares rows**: prompts and choices share a row and a prefix, and are decoded in batches.
- **one at a time**: every text has a pass of its own. The reason is in the last column: a field of the configuration,
  or the probe, which found other numbers than alone, or an error.
- **refused**: the model is not opened. The message is in the last column.

Every model that is opened gives the numbers of each text read alone, to 0.001 nats: scores of choices, generated tokens
and training loss.

| model type | here | reason |
| --- | --- | --- |
"""


def _tokens(count):
    return torch.randint(5, VOCABULARY, (count,), generator=_RANDOM).tolist()


_PREFIX = _tokens(20)
BRANCHES = [Branch(_PREFIX + _tokens(3 + 2 * n), (_tokens(4), _tokens(1), _tokens(3))) for n in range(4)]
"""Prompts behind a prefix that is longer than `WINDOW`, with three choices each."""


def configuration(name, **options):
    """Return the tiny configuration of a model type."""
    config_class = CONFIG_MAPPING[name]
    fields = {field.name for field in dataclasses.fields(config_class)} | set(config_class.attribute_map)
    fields |= set(inspect.signature(config_class.__init__).parameters)
    settings = {key: size for key, size in _SIZES.items() if key in fields} | _OPTIONS.get(name, {}) | options
    return config_class(**{key: setting for key, setting in settings.items() if setting is not None})


def build(name, *, scale=0.4, **options):
    """Build a model in float32 and eval mode, all matrices drawn with one standard deviation, the same every time."""
    with torch.random.fork_rng():
        torch.manual_seed(0)
        module = AutoModelForCausalLM.from_config(configuration(name, **options), dtype=torch.float32)
        for parameter in module.parameters():
            if parameter.dim() > 1:
                torch.nn.init.normal_(parameter, std=scale)
    return module.eval()


def build_variant(name):
    """Build a model type, or one of `VARIANTS`."""
    model_type, options = VARIANTS.get(name, (name, {}))
    return build(model_type, **options)


def outcome(module):
    """Return the cells of a model's row: what is done with it, and why."""
    try:
        if packing_probe.supports_packing(module):
            return "shares rows", ""
    except HarnessError as error:
        return "refused", str(error)
    obstacle = packing_obstacle(module.config) or ("recurrent layers" if module._is_stateful else "probe")
    return "one at a time", obstacle


def differences(module, *, packs):
    """Compare what the harness computes with each text read alone: nats by what was computed; wrong tokens count 1."""
    alone = [[_log_likelihood(module, branch.stem, leaf) for leaf in branch.leaves] for branch in BRANCHES]
    expected = torch.stack([score for scores in alone for score in scores])
    samples = [TrainingSample(branch.stem, branch.leaves[0]) for branch in BRANCHES]
    loss = -sum(scores[0] for scores in alone) / sum(len(sample.completion) for sample in samples)
    errors = {}
    for budget in (1000, 24) if packs else (None,):
        scores = prefix_sharing.score_branches(module, BRANCHES, budget)
        errors[f"choices {budget}"] = (torch.tensor(scores).flatten() - expected).abs().max().item()
    for budget in (1000, 40):
        errors[f"loss {budget}"] = abs(backward(module, samples, budget, packs=packs) - loss.item())
        module.zero_grad()
    prompts = [branch.stem for branch in BRANCHES]
    answers = [_greedy(module, prompt, 4) for prompt in prompts]
    decode = batched_decode.decode_batched if packs else batched_decode.decode_one_by_one
    for rows in (32, 3) if packs else (1,):
        decoded = decode(module, prompts, DecodeLimits(4, frozenset(), max_rows=rows))
        errors[f"tokens {rows}"] = float(decoded != answers)
    return errors


def row(name):
    """Return the row of the page, after comparing every number.

    Raises:
        AssertionError: a model that is opened computes other numbers than alone.
    """
    module = build_variant(name)
    done, reason = outcome(module)
    if done != "refused":
        wrong = {
            what: nats for what, nats in differences(module, packs=done == "shares rows").items() if not nats < 1e-3
        }
        assert not wrong, f"{name}: {done}, {wrong}"
    return f"| {name} | {done} | {reason} |"


def _log_probabilities(module, text):
    input_ids = torch.tensor([text], device=module.device)
    return module(input_ids=input_ids, use_cache=False).logits[0].float().log_softmax(-1).cpu()


@torch.inference_mode()
def _log_likelihood(module, stem, leaf):
    logs = _log_probabilities(module, stem + leaf)[len(stem) - 1 : -1]
    return logs.gather(1, torch.tensor(leaf)[:, None]).sum()


@torch.inference_mode()
def _greedy(module, prompt, count):
    text = list(prompt)
    for _ in range(count):
        text.append(int(_log_probabilities(module, text)[-1].argmax()))
    return text[len(prompt) :]


def page():
    """Return docs/architectures.md."""
    rows = "\n".join(map(row, NAMES))
    return f"{_HEAD}{rows}\n\nNot tried, for want of a tiny configuration: {', '.join(sorted(NOT_BUILT))}.\n"


if __name__ == "__main__":
    transformers.logging.set_verbosity_error()
    torch.set_num_threads(1)
    PAGE.write_text(page(), encoding="utf-8")
