"""How much a model computes at once: on a processor what keeps two cores busy, on a GPU what its free memory holds."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch

from harness.records.pass_sizes import PassSizes

PROCESSOR = PassSizes(row_tokens=768, decode_rows=32, prompt_tokens=2048, cache_tokens=32_768)
"""Enough to keep two cores busy, few enough to fit in memory."""
_MOST = PassSizes(row_tokens=8192, decode_rows=256, prompt_tokens=8192, cache_tokens=4_194_304)
"""Beyond these a GPU is no faster."""
_ROUND = 64
"""Row lengths are multiples of it."""
_SPARE = 0.9
_ROW_SHARE, _CACHE_SHARE, _TRAINING_SHARE = 0.3, 0.6, 0.6
"""Shares of the free memory: of one row's pass, of the caches that are decoded with, of a training pass."""
_LOGITS_SHARE = 0.25
"""Positions of a row with logits, at most, for most tasks; each takes a number of 32 bits a token of the vocabulary,
three times over."""


@dataclass(frozen=True)
class TokenBytes:
    """Bytes that a token takes.

    Attributes:
        cached: keys and values of all layers.
        computed: in the largest block of a forward pass, and its share of logits.
        saved: by all blocks for the backward pass.
    """

    cached: float
    computed: float
    saved: float


def token_bytes(config: Any, dtype_bytes: int) -> TokenBytes:
    """Return the bytes of a token from a transformers configuration; a composite one's text decoder counts."""
    text = config.get_text_config(decoder=True)
    heads = text.num_attention_heads
    kv_heads = getattr(text, "num_key_value_heads", None) or heads
    head_size = getattr(text, "head_dim", None) or text.hidden_size // heads
    inner = getattr(text, "intermediate_size", None) or 4 * text.hidden_size
    logits = _LOGITS_SHARE * 12 * text.vocab_size
    block = (4 * text.hidden_size + 2 * heads * head_size + 3 * inner) * dtype_bytes
    cached = 2 * text.num_hidden_layers * kv_heads * head_size * dtype_bytes
    return TokenBytes(cached, cached + block + logits, text.num_hidden_layers * (block + 8 * text.hidden_size) + logits)


def answering_sizes(module: Any) -> PassSizes:
    """Return what a model reads and decodes at once.

    Args:
        module: a transformers model; on a GPU, where it is now and will stay.
    """
    free = free_bytes(module.device)
    return PROCESSOR if free is None else sizes_for(free, token_bytes(module.config, module.dtype.itemsize))


def sizes_for(free: float, token: TokenBytes) -> PassSizes:
    """Return the sizes that fit into so many free bytes, at least the processor's rows, but never more than fit."""
    row_tokens = _rounded(_ROW_SHARE * free / token.computed, PROCESSOR.row_tokens, _MOST.row_tokens)
    cache_tokens = max(1, min(_MOST.cache_tokens, int(_CACHE_SHARE * free / token.cached)))
    return PassSizes(
        row_tokens=row_tokens,
        decode_rows=_MOST.decode_rows,
        prompt_tokens=min(_MOST.prompt_tokens, max(PROCESSOR.prompt_tokens, row_tokens)),
        cache_tokens=cache_tokens,
        from_memory=True,
    )


def training_row_tokens(module: Any, chosen: int, state_bytes: float = 14.0) -> int:
    """Return the tokens of one training pass: `chosen`, or on a GPU more where they fit; the step stays the same.

    Args:
        module: with the weights that are trained taking a gradient.
        chosen: the step's `row_tokens`.
        state_bytes: a trained parameter, that the optimizer is about to take.
    """
    free = free_bytes(module.device)
    if free is None:
        return chosen
    trained = sum(weight.numel() for weight in module.parameters() if weight.requires_grad)
    free = max(0.0, free - state_bytes * trained)
    saved = token_bytes(module.config, module.dtype.itemsize).saved
    return _rounded(_TRAINING_SHARE * free / saved, chosen, max(chosen, _MOST.row_tokens))


def free_bytes(device: Any) -> float | None:
    """Return the memory of a GPU that may be taken, what torch has cached included; None: the device is none."""
    if getattr(device, "type", str(device)) != "cuda":
        return None
    free, _ = torch.cuda.mem_get_info(device)
    return _SPARE * (free + torch.cuda.memory_reserved(device) - torch.cuda.memory_allocated(device))


def _rounded(tokens: float, least: int, most: int) -> int:
    """Round down to full units within two bounds."""
    return int(max(least, min(most, tokens // _ROUND * _ROUND)))
