"""What a method trains in front of every prompt: virtual tokens, or the keys and values of a prefix.

Virtual tokens are tokens whose ids lie beyond the vocabulary. So they are shared, packed, masked and cached like the
others (`tree`, `decode`), and only the lookup of their embeddings differs (Lester et al. 2021, arXiv:2104.08691). A
prefix has no tokens (Li and Liang 2021, arXiv:2101.00190): whatever is read without a cache is read behind it.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from peft import PeftModel, PeftType
from torch import Tensor

from harness.decoding.prefix_sharing import causal_lm

_EMBEDDED = (PeftType.PROMPT_TUNING, PeftType.P_TUNING)


def install(module: Any) -> None:
    """Make what a peft model has in front of prompts work, if it has such a thing."""
    if not isinstance(module, PeftModel) or not module.active_peft_config.is_prompt_learning:
        return
    inner: Any = causal_lm(module)
    inner.virtual_hooks = VirtualTokenHooks(module).handles if virtual_ids(module) else PrefixHook(module).handles


def virtual_ids(module: Any) -> tuple[int, ...]:
    """Return the ids that stand before every prompt; none for a model without virtual tokens."""
    config: Any = module.active_peft_config if isinstance(module, PeftModel) else None
    if config is None or config.peft_type not in _EMBEDDED:
        return ()
    first = causal_lm(module).get_input_embeddings().num_embeddings
    return tuple(range(first, first + config.num_virtual_tokens))


def prefix_length(module: Any) -> int:
    """Return how many places of the window are taken before every prompt."""
    config: Any = module.active_peft_config if isinstance(module, PeftModel) else None
    return config.num_virtual_tokens if config is not None and config.is_prompt_learning else 0


def remove(module: Any) -> Any:
    """Return the model below, with nothing in front."""
    inner = causal_lm(module)
    for handle in inner.virtual_hooks:
        handle.remove()
    del inner.virtual_hooks
    return inner


class VirtualTokenHooks:
    """Hooks around an embedding layer that give ids beyond the vocabulary the trained vectors."""

    def __init__(self, module: Any) -> None:
        embedding = causal_lm(module).get_input_embeddings()
        self.vectors = module.get_prompt
        self.first: int = embedding.num_embeddings
        self.asked: Tensor | None = None
        self.handles = [
            embedding.register_forward_pre_hook(self.mask_virtual_ids),
            embedding.register_forward_hook(self.insert_vectors),
        ]

    def mask_virtual_ids(self, _layer: Any, inputs: tuple[Tensor, ...]) -> tuple[Tensor, ...] | None:
        """Remember the ids, and ask for those in the vocabulary only."""
        self.asked = inputs[0] if bool((inputs[0] >= self.first).any()) else None
        return None if self.asked is None else (inputs[0].where(inputs[0] < self.first, 0), *inputs[1:])

    def insert_vectors(self, _layer: Any, _inputs: Any, found: Tensor) -> Tensor:
        """Put the trained vectors in: [batch, tokens, width]."""
        if self.asked is None:
            return found
        vectors = self.vectors(batch_size=1)[0].to(found.dtype)
        virtual = self.asked >= self.first
        places = (self.asked - self.first).clamp(min=0)
        self.asked = None
        return torch.where(virtual[..., None], vectors[places], found)


class PrefixHook:
    """A hook before a decoder that puts the trained keys and values into an empty cache.

    Callers need not know: a mask that leaves no room for the prefix is widened, and positions move behind it.
    """

    def __init__(self, module: Any) -> None:
        self.states = module.get_prompt
        self.size: int = prefix_length(module)
        decoder = causal_lm(module).get_decoder()
        self.handles = [decoder.register_forward_pre_hook(self.prepend, with_kwargs=True)]

    def prepend(self, _layer: Any, args: tuple[Any, ...], given: Mapping[str, Any]) -> tuple[Any, dict[str, Any]]:
        """Put the prefix in front of what is read."""
        read: Tensor = args[0] if args else given["input_ids"]
        inputs, cache = dict(given), given.get("past_key_values")
        if cache is None:
            cache = inputs["past_key_values"] = self.states(batch_size=len(read))
        elif not cache.get_seq_length():
            for index, layer in enumerate(self.states(batch_size=len(read)).layers):
                cache.update(layer.keys, layer.values, index)
        mask: Tensor | None = inputs.get("attention_mask")
        if mask is not None and mask.shape[-1] + self.size == cache.get_seq_length() + read.shape[1]:
            seen = 0 if mask.is_floating_point() else 1  # a mask of four dimensions is added to the scores
            inputs["attention_mask"] = torch.nn.functional.pad(mask, (self.size, 0), value=seen)
            if inputs.get("position_ids") is not None:
                inputs["position_ids"] = inputs["position_ids"] + self.size
        return args, inputs
