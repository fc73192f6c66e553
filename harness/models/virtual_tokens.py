"""Hooks for what is trained in front of every prompt: virtual tokens, or the keys and values of a prefix.

Virtual tokens have ids beyond the vocabulary. So prefix sharing, packing, masks and the KV cache treat them as any
token, and only their embedding lookup differs (Lester et al. 2021, arXiv:2104.08691). A prefix has no tokens (Li and
Liang 2021, arXiv:2101.00190): its keys and values begin every KV cache.
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
    """Register the hooks of a peft model with virtual tokens or a prefix; do nothing for any other model."""
    if not isinstance(module, PeftModel) or not module.active_peft_config.is_prompt_learning:
        return
    model: Any = causal_lm(module)
    model.virtual_hooks = VirtualTokenHooks(module).handles if virtual_ids(module) else PrefixHook(module).handles


def virtual_ids(module: Any) -> tuple[int, ...]:
    """Return the ids of the virtual tokens that precede every prompt; empty for a model without."""
    config: Any = module.active_peft_config if isinstance(module, PeftModel) else None
    if config is None or config.peft_type not in _EMBEDDED:
        return ()
    first = causal_lm(module).get_input_embeddings().num_embeddings
    return tuple(range(first, first + config.num_virtual_tokens))


def prefix_length(module: Any) -> int:
    """Return how many tokens of the context window virtual tokens or a prefix take."""
    config: Any = module.active_peft_config if isinstance(module, PeftModel) else None
    return config.num_virtual_tokens if config is not None and config.is_prompt_learning else 0


def remove(module: Any) -> Any:
    """Remove the hooks and return the base model."""
    model = causal_lm(module)
    for handle in model.virtual_hooks:
        handle.remove()
    del model.virtual_hooks
    return model


class VirtualTokenHooks:
    """Hooks around an embedding layer that embed ids beyond the vocabulary by the trained vectors."""

    def __init__(self, module: Any) -> None:
        embedding = causal_lm(module).get_input_embeddings()
        self.vectors = module.get_prompt
        self.first_id: int = embedding.num_embeddings
        self.input_ids: Tensor | None = None
        self.handles = [
            embedding.register_forward_pre_hook(self.mask_virtual_ids),
            embedding.register_forward_hook(self.insert_vectors),
        ]

    def mask_virtual_ids(self, _layer: Any, inputs: tuple[Tensor, ...]) -> tuple[Tensor, ...] | None:
        """Store the ids, and replace virtual ones by 0 for the lookup."""
        self.input_ids = inputs[0] if bool((inputs[0] >= self.first_id).any()) else None
        return None if self.input_ids is None else (inputs[0].where(inputs[0] < self.first_id, 0), *inputs[1:])

    def insert_vectors(self, _layer: Any, _inputs: Any, embedded: Tensor) -> Tensor:
        """Insert the trained vectors: [batch, tokens, width]."""
        if self.input_ids is None:
            return embedded
        vectors = self.vectors(batch_size=1)[0].to(embedded.dtype)
        virtual = self.input_ids >= self.first_id
        indices = (self.input_ids - self.first_id).clamp(min=0)
        self.input_ids = None
        return torch.where(virtual[..., None], vectors[indices], embedded)


class PrefixHook:
    """A hook before a decoder that puts the trained keys and values into an empty cache.

    A mask without columns for the prefix is extended, and positions are shifted, so callers need not know of it.
    """

    def __init__(self, module: Any) -> None:
        self.states = module.get_prompt
        self.size: int = prefix_length(module)
        decoder = causal_lm(module).get_decoder()
        self.handles = [decoder.register_forward_pre_hook(self.prepend, with_kwargs=True)]

    def prepend(self, _layer: Any, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> tuple[Any, dict[str, Any]]:
        """Put the prefix in front of the input ids."""
        input_ids: Tensor = args[0] if args else kwargs["input_ids"]
        inputs, cache = dict(kwargs), kwargs.get("past_key_values")
        if cache is None:
            cache = inputs["past_key_values"] = self.states(batch_size=len(input_ids))
        elif not cache.get_seq_length():
            for index, layer in enumerate(self.states(batch_size=len(input_ids)).layers):
                cache.update(layer.keys, layer.values, index)
        mask: Tensor | None = inputs.get("attention_mask")
        if mask is not None and mask.shape[-1] + self.size == cache.get_seq_length() + input_ids.shape[1]:
            visible = 0 if mask.is_floating_point() else 1  # a 4-D mask is added to the attention scores
            inputs["attention_mask"] = torch.nn.functional.pad(mask, (self.size, 0), value=visible)
            if inputs.get("position_ids") is not None:
                inputs["position_ids"] = inputs["position_ids"] + self.size
        return args, inputs
