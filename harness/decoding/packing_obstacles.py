"""What a configuration tells against sharing rows: windows of other kinds, recurrent layers, ALiBi, RoPE by length."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from harness.decoding.attention_masks import WINDOW_FIELDS

_LAYER_LISTS = ("layer_types", "layers_block_type", "block_types", "attention_layers", "attn_layers")
_SHARED_LAYERS = {"full_attention", "attention", "global", "mlp", "moe", "dense", "sparse", *WINDOW_FIELDS}
_WINDOW = re.compile(r"window|chunk|local_attention|random_blocks")
_NO_WINDOW = re.compile(r"pattern|layers|feed_forward|dropout|mtp|^use_")
_RECURRENT = re.compile(r"mamba|ssm|state_size|recurrent|linear_num|conv_kernel|conv_l_cache|xlstm|rwkv", re.IGNORECASE)
_OTHER_INPUTS = re.compile(r"vision|audio|image|video|encoder")
_ALIBI_TYPES = {"bloom", "mpt"}
_ROPE_BY_LENGTH = {"dynamic", "longrope"}


def packing_obstacle(config: Any) -> str | None:
    """Return what keeps branches from sharing a row of this model, e.g. ``window_size=256``.

    The 4-D masks of a packed row (`attention_masks`) reach every layer as they are, so layers that bring a mask of
    their own, or none, would read other tokens than they read alone. ALiBi measures distance along the row, not by
    position ids, and some RoPE scales every position by the longest one.

    Args:
        config: a transformers configuration; a composite one is judged by its text decoder.

    Returns:
        None: the configuration names no obstacle, which does not yet mean that there is none.
    """
    return next(_obstacles(config.get_text_config(decoder=True)), None)


def _obstacles(config: Any) -> Iterator[str]:
    fields = dict(_fields(config.to_dict()))
    layer_lists = [(name, set(map(str, fields[name]))) for name in _LAYER_LISTS if isinstance(fields.get(name), list)]
    for name, layers in layer_lists:
        if not layers <= _SHARED_LAYERS:
            yield f"{name}: {', '.join(sorted(layers - _SHARED_LAYERS))}"
    if config.model_type in _ALIBI_TYPES:
        yield "ALiBi"
    max_tokens = getattr(config, "max_position_embeddings", None) or float("inf")
    for name, setting in fields.items():
        if "alibi" in f"{name} {setting}".lower() and setting is not False and setting is not None:
            yield "ALiBi"
        if _RECURRENT.search(name) and setting:
            yield f"recurrent layers ({name})"
        if not layer_lists and _is_window(name, setting, max_tokens) and fields.get(f"use_{name}") is not False:
            yield f"{name}={setting}"
        if name == "rope_type" and setting in _ROPE_BY_LENGTH:
            yield f"rope_type={setting}"


def _is_window(name: str, setting: Any, max_tokens: float) -> bool:
    """Tell whether a field limits how far a layer looks back, within what the model can read at all."""
    is_count = isinstance(setting, int) and not isinstance(setting, bool)
    if name in WINDOW_FIELDS.values():  # `attention_masks` makes their masks
        return False
    return is_count and bool(_WINDOW.search(name)) and not _NO_WINDOW.search(name) and 0 < setting < max_tokens


def _fields(mapping: Mapping[Any, Any]) -> Iterator[tuple[str, Any]]:
    """Yield all fields, those of nested tables too, but not those of encoders for images or sound."""
    for name, setting in mapping.items():
        if _OTHER_INPUTS.search(str(name)):
            continue
        if isinstance(setting, Mapping):
            yield from _fields(setting)
        else:
            yield str(name), setting
