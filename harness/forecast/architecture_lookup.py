"""Read a model's shape from its folder, or from the numbers of its model card.

Counts of decoders like Llama, GPT-2, OPT, GPT-NeoX and BLOOM are exact; tests compare them with real tensors.
"""

from __future__ import annotations

import json
import re
from dataclasses import replace
from math import prod
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter

from harness.api.architecture import Architecture, Linear
from harness.errors import HarnessError
from harness.models.folder_check import read_header

LARGEST_SIZE = 10**9
"""Of a model, in one direction."""
_CONFIG: TypeAdapter[dict[str, Any]] = TypeAdapter(dict[str, Any])


def read_architecture(folder: Path, dtype_bytes: float | None = None) -> Architecture:
    """Read a model's shape from ``config.json``, and count its parameters in the headers of its weight files.

    Args:
        folder: of a model in the transformers format.
        dtype_bytes: of a weight in the type that the model computes in; None: as it is loaded here.

    Raises:
        HarnessError: there is no configuration, or it lacks a size.
    """
    file = folder / "config.json"
    try:
        shape = parse_config(_CONFIG.validate_python(json.loads(file.read_text(encoding="utf-8"))))
        parameters = sum(map(_count_parameters, sorted(folder.glob("*.safetensors")))) or None
    except (OSError, ValueError, RecursionError) as error:
        raise HarnessError(f"{file} cannot be read: {' '.join(str(error).split())[:200]}.") from error
    except KeyError as error:
        raise HarnessError(f"{file} names no {error}: its memory and time cannot be forecast.") from error
    return replace(shape, exact_parameters=parameters, dtype_bytes=dtype_bytes or native_dtype_bytes())


def native_dtype_bytes() -> float:
    """Return the bytes of a weight as models are loaded here: 2 where the hardware computes in 16 bits, else 4."""
    try:
        flags = Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return 4.0
    on_gpu = Path("/proc/driver/nvidia/version").exists()
    return 2.0 if on_gpu or any(flag in flags for flag in ("avx512_bf16", "amx_bf16")) else 4.0


def _count_parameters(file: Path) -> int:
    return sum(prod(tensor.shape) for tensor in read_header(file).values())


def llama(  # noqa: PLR0913, PLR0917 - the numbers of a model card
    hidden: int, layers: int, heads: int, kv_heads: int, intermediate: int, vocab: int, *, tied: bool = False
) -> Architecture:
    """Describe a Llama-like decoder (Touvron et al. 2023, arXiv:2302.13971) by the numbers of its model card."""
    return parse_config(
        {
            "model_type": "llama",
            "hidden_size": hidden,
            "num_hidden_layers": layers,
            "num_attention_heads": heads,
            "num_key_value_heads": kv_heads,
            "intermediate_size": intermediate,
            "vocab_size": vocab,
            "tie_word_embeddings": tied,
        }
    )


def parse_config(config: dict[str, object]) -> Architecture:
    """Build a model's shape from its ``config.json``.

    Raises:
        KeyError: a size is missing under all of its usual names.
        ValueError: a size is less than 1, or more than `LARGEST_SIZE`.
    """
    text_config = config.get("text_config")
    config = {**config, **text_config} if isinstance(text_config, dict) else config
    kind = str(config.get("model_type", "llama"))

    def size(*names: str, default: int | None = None) -> int:
        number = next((field for name in names if isinstance(field := config.get(name), int)), default)
        if number is None:
            raise KeyError(names[0])
        if not 1 <= number <= LARGEST_SIZE:
            raise ValueError(f"{names[0]} is not from 1 to {LARGEST_SIZE:,}")
        return number

    hidden, heads = size("hidden_size", "n_embd", "d_model"), size("num_attention_heads", "n_head")
    intermediate = size("intermediate_size", "ffn_dim", "n_inner", default=4 * hidden)
    kv_heads = size("num_key_value_heads", default=heads)
    head_width = size("head_dim", default=hidden // heads)
    fused = kind in _FUSED
    gated = kind not in _PLAIN
    biased = bool(config.get("attention_bias", kind == "qwen2")), bool(config.get("mlp_bias", False))
    linears = (
        _fused(kind, hidden, intermediate)
        if fused
        else _separate(
            hidden, heads * head_width, kv_heads * head_width, intermediate, gated=gated, biased=biased, kind=kind
        )
    )
    norms = (2 if kind in _LAYER_NORM else 1) * hidden
    extra = 2 * head_width if kind in ("qwen3", "gemma3", "gemma3_text") else 0
    return Architecture(
        hidden=hidden,
        layers=size("num_hidden_layers", "n_layer"),
        heads=heads,
        kv_width=kv_heads * head_width,
        intermediate=intermediate,
        vocab=size("vocab_size"),
        linears=linears,
        tied=bool(config.get("tie_word_embeddings", kind in _TIED)),
        gated=gated,
        norm_parameters=norms * (4 if re.match(r"gemma[23]", kind) else 2) + extra,
        final_norm_parameters=norms * (2 if kind == "bloom" else 1),
        positions=_positions(kind, config),
    )


_FUSED = {"gpt2": "attn.c_attn", "bloom": "query_key_value", "gpt_neox": "query_key_value", "falcon": "query_key_value"}
_PLAIN = {*_FUSED, "opt", "phi"}
_LAYER_NORM = {*_FUSED, "opt", "phi"}
_TIED = {"gpt2", "bloom", "opt", "gemma", "gemma2", "gemma3", "gemma3_text", "falcon"}


def _separate(  # noqa: PLR0913 - the sizes of one block
    hidden: int, queries: int, keys: int, inner: int, *, gated: bool, biased: tuple[bool, bool], kind: str
) -> tuple[Linear, ...]:
    attention, feed_forward = (True, True) if kind == "opt" else biased
    output_bias = attention and kind != "qwen2"
    up_names = ("gate_proj", "up_proj") if gated else ("fc1",)
    return (
        Linear("q_proj", hidden, queries, attention),
        Linear("k_proj", hidden, keys, attention),
        Linear("v_proj", hidden, keys, attention),
        Linear("o_proj" if gated else "out_proj", queries, hidden, output_bias),
        *(Linear(name, hidden, inner, feed_forward) for name in up_names),
        Linear("down_proj" if gated else "fc2", inner, hidden, feed_forward),
    )


def _fused(kind: str, hidden: int, inner: int) -> tuple[Linear, ...]:
    first, last = ("mlp.c_fc", "mlp.c_proj") if kind == "gpt2" else ("mlp.dense_h_to_4h", "mlp.dense_4h_to_h")
    return (
        Linear(_FUSED[kind], hidden, 3 * hidden, bias=True),
        Linear("attn.c_proj" if kind == "gpt2" else "self_attention.dense", hidden, hidden, bias=True),
        Linear(first, hidden, inner, bias=True),
        Linear(last, inner, hidden, bias=True),
    )


def _positions(kind: str, config: dict[str, object]) -> int:
    """Count the learned position embeddings."""
    fields = {"gpt2": ("n_positions", 0), "opt": ("max_position_embeddings", 2)}  # OPT's begin at 2
    if kind not in fields:
        return 0
    name, offset = fields[kind]
    count = config.get(name)
    return count + offset if isinstance(count, int) else 0
