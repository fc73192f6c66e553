"""Attention masks of rows and batches, for each kind of layer: to all earlier tokens, or within a window or chunk.

transformers makes a window's mask from places in the row, so that branches, or padding behind a shared prefix, would
count as distance. Here it is made from positions: a token attends to what it would attend to alone.
"""

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor

from harness.decoding.packed_rows import PackedRow

WINDOW_FIELDS = {"sliding_attention": "sliding_window", "chunked_attention": "attention_chunk_size"}
"""Kinds of layers that look back a number of tokens, and the field of the configuration that holds it."""
_FULL = "full_attention"

Masks = Tensor | dict[str, Tensor]
"""Added to attention scores: [rows, 1, queries, keys]; by kind of layer where a model has several kinds."""


def window_sizes(config: Any) -> dict[str, int]:
    """Return how many tokens each kind of layer looks back, for those that do not look back to the beginning.

    Args:
        config: a transformers configuration; of a composite one, that of its text decoder counts.
    """
    text = config.get_text_config(decoder=True)
    kinds = getattr(text, "layer_types", None) or ["sliding_attention"]
    sizes = {kind: getattr(text, field, None) for kind, field in WINDOW_FIELDS.items() if kind in kinds}
    if getattr(text, "use_sliding_window", None) is False and not getattr(text, "layer_types", None):
        return {}
    return {kind: size for kind, size in sizes.items() if isinstance(size, int) and size > 0}


def row_masks(module: Any, row: PackedRow) -> Masks:
    """Return the masks of a packed row: a token attends to its own ancestors, within the layer's window."""
    device = module.device
    allowed = row.attention_mask.to(device)
    queries = row.positions.to(device)
    prefix_length = allowed.shape[1] - allowed.shape[0]
    keys = torch.cat([torch.arange(prefix_length, device=device), queries])
    return _masks(module, allowed[None], queries[None], keys[None])


def batch_masks(module: Any, attention_mask: Tensor, position_ids: Tensor) -> Masks:
    """Return the masks of a left-padded batch; the two-dimensional one as it is for a model without windows.

    Args:
        module: the model.
        attention_mask: int64 [rows, keys], 0 at padding.
        position_ids: int64 [rows, queries], of the last tokens of the keys.
    """
    if not window_sizes(module.config):
        return attention_mask
    keys = (attention_mask.cumsum(1) - 1).clamp(min=0)
    allowed = attention_mask.bool()[:, None, :] & (keys[:, None, :] <= position_ids[:, :, None])
    return _masks(module, allowed, position_ids, keys)


@contextmanager
def windows_of(config: Any, tokens: int) -> Generator[None]:
    """Let all windowed layers look back `tokens` tokens inside the ``with`` block."""
    text = config.get_text_config(decoder=True)
    fields = {WINDOW_FIELDS[kind] for kind in window_sizes(config)}
    earlier = {field: getattr(text, field) for field in fields}
    try:
        for field in fields:
            setattr(text, field, tokens)
        yield
    finally:
        for field, size in earlier.items():
            setattr(text, field, size)


def _masks(module: Any, allowed: Tensor, queries: Tensor, keys: Tensor) -> Masks:
    """Build the masks of all kinds of layers from bool [rows, queries, keys] and the positions of both."""
    sizes = window_sizes(module.config)
    windowed = {
        kind: _additive(allowed & _within(kind, size, queries[:, :, None], keys[:, None, :]), module.dtype)
        for kind, size in sizes.items()
    }
    if not windowed:
        return _additive(allowed, module.dtype)
    if getattr(module.config.get_text_config(decoder=True), "layer_types", None):
        return {_FULL: _additive(allowed, module.dtype), **windowed}
    return windowed["sliding_attention"]


def _within(kind: str, size: int, queries: Tensor, keys: Tensor) -> Tensor:
    """Tell which keys lie within the window, or the chunk, of which queries."""
    if kind == "chunked_attention":
        return queries.div(size, rounding_mode="floor") == keys.div(size, rounding_mode="floor")
    return queries - keys < size


def _additive(allowed: Tensor, dtype: torch.dtype) -> Tensor:
    mask = torch.zeros(allowed.shape, dtype=dtype, device=allowed.device)
    return mask.masked_fill_(~allowed, torch.finfo(dtype).min)[:, None]
