"""Other weight formats of the same model: adapter merged, or 4-bit weights dequantised.

Both happen in place, layer by layer, so they need little more memory than the weights that they produce. Neither can
be undone bit for bit: merging rounds in 16 bits, quantising in 4.
"""

from __future__ import annotations

from typing import Any

import psutil
import torch
from peft import PeftModel
from transformers.pytorch_utils import Conv1D

from harness.decoding import prefix_sharing
from harness.errors import HarnessError
from harness.measure.units import gib
from harness.models import quantised
from harness.models.local_model import LocalModel
from harness.training import adapters


def is_four_bit(model: Any) -> bool:
    """Return whether a model has 4-bit weights."""
    return isinstance(model, LocalModel) and bool(
        getattr(prefix_sharing.causal_lm(model.module), "is_loaded_in_4bit", False)
    )


def dequantise(model: LocalModel) -> LocalModel:
    """Return a model with its 4-bit layers dequantised to the same weights; an adapter stays as it is.

    Raises:
        HarnessError: there is not enough free memory for the weights.
    """
    causal_model: Any = prefix_sharing.causal_lm(model.module)
    needed_bytes = sum(
        _growth_bytes(layer) for layer in causal_model.modules() if isinstance(layer, quantised.Linear4bit)
    )
    free_bytes = _free_bytes(model.module.device)
    if needed_bytes > free_bytes:
        raise HarnessError(
            f"the weights in full precision need {gib(needed_bytes)} more, and {gib(free_bytes)} are free"
        )
    quantised.dequantise(causal_model)
    return model.with_module(model.module, base_changed=True)


def is_mergeable(model: Any) -> bool:
    """Return whether a model has a peft adapter that can be merged into its weights."""
    return (
        isinstance(model, LocalModel)
        and isinstance(model.module, PeftModel)
        and any(_is_mergeable_layer(layer) for layer in prefix_sharing.causal_lm(model.module).modules())
    )


def has_adapter(model: Any) -> bool:
    """Return whether a model has a peft adapter beside its own weights."""
    return isinstance(model, LocalModel) and isinstance(model.module, PeftModel)


def merge_in_full_precision(model: LocalModel) -> LocalModel:
    """Return a model dequantised, with its adapter merged.

    Raises:
        HarnessError: the adapter cannot be merged, or there is not enough free memory for the weights.
    """
    model = dequantise(model) if is_four_bit(model) else model
    return merge_adapter(model) if is_mergeable(model) else model


def merge_adapter(model: LocalModel) -> LocalModel:
    """Return a model in full precision with its adapter merged.

    Raises:
        HarnessError: the adapter cannot be merged.
    """
    causal_model: Any = prefix_sharing.causal_lm(model.module)
    four_bit_layers = [
        name
        for name, layer in causal_model.named_modules()
        if _is_mergeable_layer(layer) and "bnb" in _module_stem(layer)
    ]
    if not four_bit_layers:
        return adapters.merge_adapter(model)
    for name in four_bit_layers:  # peft's 4-bit layers, dequantised by now, would merge into 4-bit weights only
        causal_model.set_submodule(name, _add_update(causal_model.get_submodule(name)))
    return model.with_module(model.module.unload().requires_grad_(False), base_changed=True)


def _add_update(layer: Any) -> Any:
    base, update = layer.base_layer, layer.get_delta_weight("default")
    if isinstance(base, Conv1D):
        update = update.T
    base.weight.data = (base.weight.data.float() + update.float()).to(base.weight.dtype)
    return base


def _is_mergeable_layer(layer: Any) -> bool:
    return hasattr(layer, "base_layer") and hasattr(layer, "merge") and hasattr(layer, "unmerge")


def _module_stem(layer: Any) -> str:
    return type(layer).__module__.rpartition(".")[2]


def _growth_bytes(layer: Any) -> int:
    """Return how many bytes more a 4-bit layer takes in its compute type."""
    width = torch.empty((), dtype=layer.weight.quant_state.dtype).element_size()
    return layer.in_features * layer.out_features * width - layer.weight.data.nbytes


def _free_bytes(device: torch.device) -> int:
    if device.type == "cuda":
        return torch.cuda.mem_get_info(device)[0]
    return psutil.virtual_memory().available
