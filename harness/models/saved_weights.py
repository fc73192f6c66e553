"""What adaptation changed in a model, written and put back: an adapter, some of the weights, or 4-bit weights."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from peft import PeftModel
from peft.tuners.tuners_utils import BaseTunerLayer
from safetensors.torch import load_file, save_file
from torch import Tensor

from harness.decoding import prefix_sharing
from harness.errors import HarnessError
from harness.models import bottleneck, quantised, virtual_tokens

BASE = "base.safetensors"
_QUANTISED = "quantised.json"


def save(module: Any, changed: frozenset[str] | None, folder: Path) -> None:
    """Write the adapter, if there is one, and the weights below it that were changed.

    Args:
        module: a transformers model, or a peft model around it.
        changed: names of the weights below an adapter that were changed; None: all of them.
        folder: is empty.
    """
    inner = prefix_sharing.causal_lm(module)
    four_bits = _is_quantised(inner)
    if isinstance(module, PeftModel):
        module.save_pretrained(str(folder))
    if bottleneck.attached_shape(inner):
        bottleneck.save(inner, folder)
    if four_bits:
        (folder / _QUANTISED).write_text('{"type": "nf4", "double": true}\n', encoding="ascii")
    if changed is None or changed:
        below = base_weights(module)
        if four_bits:  # codes and scales stand for the layers that are in 4 bits
            layers = quantised.quantised_state(inner)
            below = {name: weight for name, weight in below.items() if name not in layers} | layers
        elif changed is not None:
            below = {name: weight for name, weight in below.items() if name in changed}
        save_file(below, folder / BASE, {"format": "pt"})


def load(module: Any, folder: Path) -> tuple[Any, frozenset[str]]:
    """Put back what `save` wrote, in place of what an earlier step has changed.

    Returns:
        The model in eval mode, and the names of the weights below its adapter that came from the folder.

    Raises:
        HarnessError: the folder was written for another model.
    """
    inner = without_adapter(module)
    four_bits = (folder / _QUANTISED).is_file()
    if four_bits:
        quantised.quantise(inner)
    elif _is_quantised(inner):
        quantised.dequantise(inner)
    names = _load_base(inner, folder, four_bits=four_bits) if (folder / BASE).is_file() else frozenset[str]()
    if (folder / bottleneck.FILE).is_file():
        bottleneck.load(inner, folder)
    if (folder / "adapter_config.json").is_file():
        inner = PeftModel.from_pretrained(inner, folder, autocast_adapter_dtype=False)
        prepare_adapter(inner)
    return inner.eval(), names


def prepare_adapter(module: Any) -> None:
    """Make a peft model's adapter work where it was just attached or loaded."""
    if _is_quantised(prefix_sharing.causal_lm(module)):  # peft makes it 32-bit there, for want of a type to follow
        for name, parameter in module.named_parameters():
            if "lora_" in name:
                parameter.data = parameter.data.to(module.dtype)
    virtual_tokens.install(module)


def without_adapter(module: Any) -> Any:
    """Return the model below an adapter, the adapter thrown away."""
    if virtual_tokens.prefix_length(module):
        return virtual_tokens.remove(module)
    inner: Any = module.unload() if isinstance(module, PeftModel) else module
    if bottleneck.attached_shape(inner):
        bottleneck.remove(inner)
    return inner


def base_weights(module: Any) -> dict[str, Tensor]:
    """Return a model's own weights by name, without its adapter's, shared ones once."""
    inner = prefix_sharing.causal_lm(module)
    prefix = getattr(getattr(module, "base_model", None), "prefix", None) if isinstance(module, PeftModel) else None
    tuned = tuple(f"{name}." for name, layer in inner.named_modules() if isinstance(layer, BaseTunerLayer))
    return {
        name.replace(".base_layer.", "."): weight.detach().contiguous()
        for name, weight in inner.named_parameters()
        if ".base_layer." in name
        or not (name.startswith(tuned) or bottleneck.is_bottleneck_weight(name) or (prefix and prefix in name))
    }


def _load_base(inner: Any, folder: Path, *, four_bits: bool) -> frozenset[str]:
    tensors = load_file(folder / BASE)
    if four_bits:
        quantised.load_quantised_state(inner, tensors)
    incompatible = inner.load_state_dict(tensors, strict=False)  # tied weights stand once, unchanged ones not at all
    if incompatible.unexpected_keys:
        raise HarnessError(f"the weights kept in {folder} are those of another model: run 'harness clean'.")
    return frozenset(tensors) | ({name for name, _ in inner.named_parameters()} if four_bits else frozenset[str]())


def _is_quantised(inner: Any) -> bool:
    """Tell whether linear layers are in 4 bits, without importing what makes them so."""
    return bool(getattr(inner, "is_loaded_in_4bit", False))
