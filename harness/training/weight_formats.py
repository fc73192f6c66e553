"""The same system with its weights held in another way: adapter merged, or 4-bit weights in full precision again.

Both happen in place, a layer at a time, so that little more memory is needed than the result takes. What was there is
gone afterwards: neither merging in 16 bits nor rounding to 4 bits can be undone bit for bit.
"""

from __future__ import annotations

from typing import Any

import psutil
import torch
from peft import PeftModel
from transformers.pytorch_utils import Conv1D

from harness.decoding import prefix_sharing
from harness.errors import HarnessError
from harness.models import quantised
from harness.models.local_model import LocalModel
from harness.training import adapters


def in_four_bits(model: Any) -> bool:
    """Tell whether a model answers with 4-bit weights."""
    return isinstance(model, LocalModel) and bool(
        getattr(prefix_sharing.causal(model.module), "is_loaded_in_4bit", False)
    )


def full_precision(model: LocalModel) -> LocalModel:
    """Return a model with 4-bit layers as one with ordinary layers that hold the same values, an adapter left as it is.

    Raises:
        HarnessError: there is no room for the weights.
    """
    inner: Any = prefix_sharing.causal(model.module)
    needed = sum(_growth(layer) for layer in inner.modules() if isinstance(layer, quantised.Linear4bit))
    spare = _spare_bytes(model.module.device)
    if needed > spare:
        raise HarnessError(
            f"the weights in full precision need {needed / 2**30:.1f} GiB more, and {spare / 2**30:.1f} GiB are free"
        )
    quantised.dequantise(inner)
    return model.adapted(model.module, base_changed=True)


def mergeable(model: Any) -> bool:
    """Tell whether a model has an adapter beside its weights that could be added to them."""
    return (
        isinstance(model, LocalModel)
        and isinstance(model.module, PeftModel)
        and any(_adds(layer) for layer in prefix_sharing.causal(model.module).modules())
    )


def has_adapter(model: Any) -> bool:
    """Tell whether what was trained stands beside a model's own weights, as peft keeps it."""
    return isinstance(model, LocalModel) and isinstance(model.module, PeftModel)


def plain(model: LocalModel) -> LocalModel:
    """Return a model of ordinary layers in full precision, an adapter added to its weights.

    Raises:
        HarnessError: the adapter is not one that could be merged, or there is no room for the weights.
    """
    whole = full_precision(model) if in_four_bits(model) else model
    return merged(whole) if mergeable(whole) else whole


def merged(model: LocalModel) -> LocalModel:
    """Return a model with its adapter added to the weights, which are in full precision.

    Raises:
        HarnessError: the adapter is not one that could be merged.
    """
    inner: Any = prefix_sharing.causal(model.module)
    once_in_four_bits = [name for name, layer in inner.named_modules() if _adds(layer) and "bnb" in _home(layer)]
    if not once_in_four_bits:
        return adapters.merged(model)
    for name in once_in_four_bits:  # peft's layers for 4 bits merge into 4-bit weights only
        inner.set_submodule(name, _with_update(inner.get_submodule(name)))
    return model.adapted(model.module.unload().requires_grad_(False), base_changed=True)


def _with_update(layer: Any) -> Any:
    base, update = layer.base_layer, layer.get_delta_weight("default")
    if isinstance(base, Conv1D):
        update = update.T
    base.weight.data = (base.weight.data.float() + update.float()).to(base.weight.dtype)
    return base


def _adds(layer: Any) -> bool:
    return hasattr(layer, "base_layer") and hasattr(layer, "merge") and hasattr(layer, "unmerge")


def _home(layer: Any) -> str:
    return type(layer).__module__.rpartition(".")[2]


def _growth(layer: Any) -> int:
    """Bytes that a 4-bit layer takes more in the type that it computes in."""
    width = torch.empty((), dtype=layer.weight.quant_state.dtype).element_size()
    return layer.in_features * layer.out_features * width - layer.weight.data.nbytes


def _spare_bytes(device: torch.device) -> int:
    if device.type == "cuda":
        return torch.cuda.mem_get_info(device)[0]
    return psutil.virtual_memory().available
