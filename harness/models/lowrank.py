"""Low-rank updates read in one pass over each layer's output: peft's own layers, added up in one product.

peft computes ``result + B(A(x)) * scaling`` (Hu et al. 2021, arXiv:2106.09685, equation 3) in three passes over a
tensor as large as the layer's output, each of which a processor waits for its memory in. Where no gradient is taken,
the product can be scaled and added to the output while it is made (``addmm``).
"""

from __future__ import annotations

from functools import cache
from typing import Any

import torch
from peft.tuners import lora
from torch import Tensor, nn


def add_in_place(module: Any) -> None:
    """Let a peft model's low-rank layers answer in one pass; whatever else they do stays peft's.

    Args:
        module: changed in place; layers of other kinds stay as they are.
    """
    kinds = {lora.Linear, getattr(lora, "Linear4bit", None)}
    for layer in module.modules():
        if type(layer) in kinds:
            layer.__class__ = _adding(type(layer))


class _Adding:
    """Answers as the layer behind it in the order of resolution would, to the last rounding or two."""

    def forward(self: Any, x: Tensor, *args: Any, **options: Any) -> Tensor:
        """Return the layer's output with its update: [..., out]."""
        update = None if args or options else _plain_update(self, x)
        if update is None:
            return super().forward(x, *args, **options)  # type: ignore[misc]
        down, up, scaling = update
        found: Tensor = self.base_layer(x)
        narrow = nn.functional.linear(x, down).reshape(-1, down.shape[0])
        return found.reshape(-1, found.shape[-1]).addmm_(narrow, up.T, alpha=scaling).view(found.shape)


def _plain_update(layer: Any, x: Tensor) -> tuple[Tensor, Tensor, float] | None:
    """Give what one ordinary adapter consists of: [rank, in], [out, rank], its scaling; None: leave it to peft."""
    names = [name for name in layer.active_adapters if name in layer.lora_A]
    if torch.is_grad_enabled() or torch.is_autocast_enabled(x.device.type) or layer.training:
        return None
    if len(names) != 1 or layer.disable_adapters or layer.merged or layer.lora_variant:
        return None
    down, up = layer.lora_A[names[0]], layer.lora_B[names[0]]
    if not {type(down), type(up)} <= {nn.Linear} or up.bias is not None or down.weight.dtype != x.dtype:
        return None
    return down.weight, up.weight, layer.scaling[names[0]]


@cache
def _adding(kind: type) -> type:
    return type(kind.__name__, (_Adding, kind), {"__module__": kind.__module__})
