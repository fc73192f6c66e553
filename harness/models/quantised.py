"""Linear layers in 4 bits: NF4 with double quantisation, by bitsandbytes (Dettmers et al. 2023, arXiv:2305.14314)."""

from __future__ import annotations

from typing import Any

import torch
from bitsandbytes.functional import dequantize_4bit
from bitsandbytes.nn.modules import Linear4bit, Params4bit
from torch import Tensor, nn
from transformers.pytorch_utils import Conv1D

from harness.errors import HarnessError
from harness.measure import allocator
from harness.models.bottleneck import is_bottleneck_weight


def quantise(module: Any) -> None:
    """Quantise every linear layer but the output head to 4 bits, in place, layer by layer.

    Args:
        module: a transformers causal language model; embeddings, norms, the head and bottlenecks stay as they are.
    """
    if is_quantised(module):
        return
    head = module.get_output_embeddings()
    names = [
        name
        for name, layer in module.named_modules()
        if isinstance(layer, (nn.Linear, Conv1D)) and layer is not head and not is_bottleneck_weight(f"{name}.")
    ]
    for name in names:  # by name: a list of layers would keep the old layers in memory until the end
        module.set_submodule(name, _quantised_layer(module.get_submodule(name)))
    for parameter in module.parameters():
        if not isinstance(parameter, Params4bit):  # else the weights file stays mapped into memory
            parameter.data = parameter.data.clone()
    module.is_loaded_in_4bit = True  # peft chooses its kind of adapter layer by this
    _release_memory()


def is_quantised(module: Any) -> bool:
    """Tell whether a model's linear layers are in 4 bits."""
    return bool(getattr(module, "is_loaded_in_4bit", False))


def dequantise(module: Any) -> None:
    """Convert the 4-bit layers to the model's dtype, in place; the rounding error stays."""
    for name in [name for name, layer in module.named_modules() if isinstance(layer, Linear4bit)]:
        module.set_submodule(name, dequantised_layer(module.get_submodule(name)))
    module.is_loaded_in_4bit = False
    _release_memory()


def dequantised_layer(layer: Any, update: Tensor | None = None) -> nn.Module:
    """Return a 4-bit layer as an ordinary layer, a `Conv1D` if it was one.

    Args:
        layer: quantised by `quantise`.
        update: [out, in], added to the weights before they are rounded to the model's dtype.
    """
    weight = dequantised_weights(layer)
    if update is not None:
        weight = (weight.float() + update.float()).to(weight.dtype)
    dequantised: Any = nn.Linear(layer.in_features, layer.out_features, bias=False, device="meta")
    if layer.was_transposed:
        dequantised = Conv1D(layer.out_features, layer.in_features).to("meta")
        weight = weight.T.contiguous()
    dequantised.weight = nn.Parameter(weight, requires_grad=False)
    dequantised.bias = layer.bias
    return dequantised


def dequantised_weights(layer: Any) -> Tensor:
    """Return a 4-bit layer's weights in the model's dtype: [out, in]."""
    return dequantize_4bit(layer.weight.data, layer.weight.quant_state)


def quantised_state(module: Any) -> dict[str, Tensor]:
    """Return the codes and scales of the 4-bit layers by name."""
    state: dict[str, Tensor] = {}
    for name, layer in module.named_modules():
        if isinstance(layer, Linear4bit):
            prefix = f"{name}.".replace(".base_layer.", ".")
            layer.state_dict(destination=state, prefix=prefix)
    return {name: value.contiguous() for name, value in state.items()}


def load_quantised_state(module: Any, tensors: dict[str, Tensor]) -> None:
    """Load the 4-bit layers that `quantised_state` returned, and remove their tensors from `tensors`.

    Raises:
        HarnessError: they are those of another model.
    """
    for name, layer in module.named_modules():
        if not isinstance(layer, Linear4bit):
            continue
        layer_tensors = {key: tensors.pop(key) for key in list(tensors) if key.startswith(f"{name}.weight")}
        codes = layer_tensors.pop(f"{name}.weight", None)
        if codes is None or codes.shape != layer.weight.shape:
            raise HarnessError("the 4-bit weights that were kept are those of another model: run 'harness clean'.")
        stats = {key.removeprefix(f"{name}.weight."): value for key, value in layer_tensors.items()}
        layer.weight = Params4bit.from_prequantized(codes, stats, device=str(layer.weight.device), module=layer)
        if f"{name}.bias" in tensors:
            layer.bias = nn.Parameter(tensors.pop(f"{name}.bias").to(layer.bias.device), requires_grad=False)


def _quantised_layer(layer: Any) -> Any:
    """Return a linear layer in 4 bits, with repacking disabled.

    On a CPU with AVX-512 BF16, bitsandbytes would repack the weights on the first call in eval mode, for faster
    decoding. A repacked layer has no backward pass, so training after an evaluation would get wrong gradients;
    repacking also rounds the scales once more.
    """
    transposed = isinstance(layer, Conv1D)
    weight = layer.weight.data.T.contiguous() if transposed else layer.weight.data
    quantised: Any = Linear4bit(weight.shape[1], weight.shape[0], bias=False, compute_dtype=weight.dtype, device="meta")
    build: Any = Params4bit
    codes = build(weight, requires_grad=False, compress_statistics=True, quant_type="nf4", module=quantised)
    quantised.weight = codes.to(weight.device)  # moving it to a device quantises it
    quantised.bias = layer.bias
    quantised.was_transposed = transposed
    quantised.support_avx512bf16_for_cpu = False
    return quantised.train(layer.training)


def _release_memory() -> None:
    """Return the memory of the replaced layers to the system or the device."""
    allocator.trim()
    if torch.cuda.is_available():
        torch.cuda.empty_cache()
