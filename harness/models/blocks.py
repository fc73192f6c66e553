"""Where the blocks of a transformer are, whatever its architecture calls them."""

from __future__ import annotations

from typing import Any

from torch import nn

from harness.decoding.prefix_sharing import causal_lm
from harness.errors import HarnessError

ATTENTION = ("self_attn", "self_attention", "attn", "attention")
FEED_FORWARD = ("mlp", "feed_forward", "ffn", "block_sparse_moe", "moe")


def decoder_blocks(module: Any) -> list[Any]:
    """Return a decoder's blocks, the first one nearest to the embeddings.

    Raises:
        HarnessError: the model's inside is not a list of blocks.
    """
    return list(_block_list(module)[1])


def final_modules(module: Any) -> list[Any]:
    """Return what stands behind the last block: the final norm and, if its weights are its own, the output head."""
    model = causal_lm(module)
    name, _ = _block_list(module)
    children = dict(model.get_decoder().named_children())
    behind = list(children)[list(children).index(name) + 1 :]
    head = model.get_output_embeddings()
    tied = head is None or head.weight is model.get_input_embeddings().weight
    parts = [children[one] for one in behind] + ([] if tied else [head])
    return [part for part in parts if next(part.parameters(), None) is not None]


def sublayer(block: Any, names: tuple[str, ...]) -> Any:
    """Return the part of a block that has one of these names; None if there is none."""
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
