"""Decoder blocks, their sublayers and the final modules of a transformer, by the names of each architecture."""

from __future__ import annotations

from typing import Any

from torch import nn

from harness.decoding.prefix_sharing import causal_lm
from harness.errors import HarnessError

ATTENTION = ("self_attn", "self_attention", "attn", "attention")
FEED_FORWARD = ("mlp", "feed_forward", "ffn", "block_sparse_moe", "moe")


def decoder_blocks(module: Any) -> list[Any]:
    """Return a decoder's blocks, from the embeddings up.

    Raises:
        HarnessError: the decoder has no list of its blocks.
    """
    return list(_block_list(module)[1])


def final_modules(module: Any) -> list[Any]:
    """Return the modules after the last block: the final norm, and the output head if it is not tied."""
    model = causal_lm(module)
    name, _ = _block_list(module)
    children = dict(model.get_decoder().named_children())
    final_names = list(children)[list(children).index(name) + 1 :]
    head = model.get_output_embeddings()
    tied = head is None or head.weight is model.get_input_embeddings().weight
    modules = [children[child] for child in final_names] + ([] if tied else [head])
    return [final for final in modules if next(final.parameters(), None) is not None]


def sublayer(block: Any, names: tuple[str, ...]) -> Any:
    """Return a block's submodule by the first of these names that it has; None if it has none."""
    return next((getattr(block, name) for name in names if isinstance(getattr(block, name, None), nn.Module)), None)


def _block_list(module: Any) -> tuple[str, nn.ModuleList]:
    model = causal_lm(module)
    count = getattr(model.config.get_text_config(), "num_hidden_layers", None)
    for name, child in model.get_decoder().named_children():
        if isinstance(child, nn.ModuleList) and len(child) == count:
            return name, child
    raise HarnessError(
        f"{type(model).__name__} does not keep its {count} layers in one list: choose lora, which asks for linear "
        "layers only."
    )
