"""Virtual tokens: trained vectors that stand before every prompt, as tokens whose ids lie beyond the vocabulary.

Being tokens, they are shared, packed, masked and cached like the others (`tree`, `decode`), and generation needs
nothing special; only the lookup of their embeddings differs (Lester et al. 2021, arXiv:2104.08691).
"""

from __future__ import annotations

from typing import Any

import torch
from peft import PeftModel, PeftType
from torch import Tensor

from harness.models.tree import causal

EMBEDDED = (PeftType.PROMPT_TUNING, PeftType.MULTITASK_PROMPT_TUNING, PeftType.P_TUNING)
"""peft's methods that train vectors in the place of embeddings, and nothing deeper inside."""


def install(module: Any) -> None:
    """Let a peft model's own embedding layer look up its virtual tokens.

    Args:
        module: a peft model of one of the kinds `EMBEDDED`.
    """
    Lookup(module)


def ids(module: Any) -> tuple[int, ...]:
    """Return the ids that stand before every prompt; none for a model without virtual tokens."""
    config: Any = module.active_peft_config if isinstance(module, PeftModel) else None
    if config is None or config.peft_type not in EMBEDDED:
        return ()
    first = causal(module).get_input_embeddings().num_embeddings
    return tuple(range(first, first + config.num_virtual_tokens))


def remove(module: Any) -> Any:
    """Return the model below, without virtual tokens."""
    inner = causal(module)
    inner.virtual_lookup.remove()
    del inner.virtual_lookup
    return inner


class Lookup:
    """Hooks around an embedding layer that give ids beyond the vocabulary the trained vectors."""

    def __init__(self, module: Any) -> None:
        inner = causal(module)
        embedding = inner.get_input_embeddings()
        self.vectors = module.get_prompt
        self.first: int = embedding.num_embeddings
        self.asked: Tensor | None = None
        self.handles = [embedding.register_forward_pre_hook(self.before), embedding.register_forward_hook(self.after)]
        inner.virtual_lookup = self

    def remove(self) -> None:
        """Take the hooks away."""
        for handle in self.handles:
            handle.remove()

    def before(self, _layer: Any, inputs: tuple[Tensor, ...]) -> tuple[Tensor, ...] | None:
        """Remember the ids, and ask for those in the vocabulary only."""
        self.asked = inputs[0] if bool((inputs[0] >= self.first).any()) else None
        return None if self.asked is None else (inputs[0].where(inputs[0] < self.first, 0), *inputs[1:])

    def after(self, _layer: Any, _inputs: Any, found: Tensor) -> Tensor:
        """Put the trained vectors in: [batch, tokens, width]."""
        if self.asked is None:
            return found
        vectors = self.vectors(batch_size=1)[0].to(found.dtype)
        virtual = self.asked >= self.first
        places = (self.asked - self.first).clamp(min=0)
        self.asked = None
        return torch.where(virtual[..., None], vectors[places], found)
