"""Save and load the weights that adaptation changed: an adapter, some base weights, or 4-bit weights."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from peft import PeftModel, get_peft_model_state_dict
from peft.tuners.tuners_utils import BaseTunerLayer
from peft.utils import load_peft_weights
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor

from harness.decoding import prefix_sharing
from harness.errors import HarnessError, first_line, out_of_memory
from harness.models import bottleneck, quantised, virtual_tokens

BASE = "base.safetensors"
ADAPTER_CONFIG = "adapter_config.json"
_QUANTISED = "quantised.json"


def save(module: Any, changed: frozenset[str] | None, folder: Path) -> None:
    """Write the adapter, if there is one, and the changed base weights.

    Args:
        module: a transformers model, or a peft model around it.
        changed: names of the changed base weights; None: all of them.
        folder: an empty folder.
    """
    inner = prefix_sharing.causal_lm(module)
    four_bits = quantised.is_quantised(inner)
    if isinstance(module, PeftModel):
        module.save_pretrained(str(folder))
    if bottleneck.attached_shape(inner):
        bottleneck.save(inner, folder)
    if four_bits:
        (folder / _QUANTISED).write_text('{"type": "nf4", "double": true}\n', encoding="ascii")
    if changed is None or changed:
        weights = base_weights(module)
        if four_bits:  # codes and scales instead of the weights of 4-bit layers
            layers = quantised.quantised_state(inner)
            weights = {name: weight for name, weight in weights.items() if name not in layers} | layers
        elif changed is not None:
            weights = {name: weight for name, weight in weights.items() if name in changed}
        save_file(weights, folder / BASE, {"format": "pt"})


def load(module: Any, folder: Path) -> tuple[Any, frozenset[str]]:
    """Load the weights that `save` wrote; an adapter of an earlier step is removed.

    Returns:
        The model in eval mode, and the names of the base weights that came from the folder.

    Raises:
        HarnessError: the folder was written for another model, or holds no or damaged weights.
    """
    try:
        return _load(module, folder)
    except (OSError, SafetensorError, RuntimeError, ValueError, KeyError, TypeError) as error:
        memory = out_of_memory(error)
        if memory is not None:
            raise memory from error
        raise HarnessError(
            f"the weights kept in {folder} cannot be loaded ({first_line(error)}): run 'harness clean'."
        ) from error


def _load(module: Any, folder: Path) -> tuple[Any, frozenset[str]]:
    if not any((folder / name).is_file() for name in (BASE, bottleneck.FILE, ADAPTER_CONFIG)):
        raise HarnessError(f"{folder} holds no weights: run 'harness clean'.")
    inner = without_adapter(module)
    four_bits = (folder / _QUANTISED).is_file()
    if four_bits:
        quantised.quantise(inner)
    elif quantised.is_quantised(inner):
        quantised.dequantise(inner)
    names = _load_base(inner, folder, four_bits=four_bits) if (folder / BASE).is_file() else frozenset[str]()
    if (folder / bottleneck.FILE).is_file():
        bottleneck.load(inner, folder)
    if (folder / ADAPTER_CONFIG).is_file():
        inner = attach_adapter(inner, folder)
        prepare_adapter(inner)
    return inner.eval(), names


def attach_adapter(module: Any, folder: Path) -> PeftModel:
    """Return a peft model with the adapter of a folder.

    Raises:
        HarnessError: the folder lacks weights of the adapter, or has some that the adapter does not.
    """
    model = PeftModel.from_pretrained(module, folder, autocast_adapter_dtype=False)
    stored = frozenset(load_peft_weights(str(folder), device="cpu"))
    different = stored ^ frozenset(get_peft_model_state_dict(model))
    if different or not stored:
        names = f"{len(different)} weights differ, e.g. {min(different)}" if different else "it has no weights"
        raise HarnessError(f"the adapter in {folder} is not one of this model: {names}.")
    return model


def prepare_adapter(module: Any) -> None:
    """Cast a new or loaded adapter to the model's dtype where peft does not, and install its virtual tokens."""
    if quantised.is_quantised(prefix_sharing.causal_lm(module)):  # peft makes the adapter float32 there
        for name, parameter in module.named_parameters():
            if "lora_" in name:
                parameter.data = parameter.data.to(module.dtype)
    virtual_tokens.install(module)


def without_adapter(module: Any) -> Any:
    """Return the base model; its adapter is discarded."""
    if virtual_tokens.prefix_length(module):
        return virtual_tokens.remove(module)
    inner: Any = module.unload() if isinstance(module, PeftModel) else module
    if bottleneck.attached_shape(inner):
        bottleneck.remove(inner)
    return inner


def base_weights(module: Any) -> dict[str, Tensor]:
    """Return the base weights by name, without those of the adapter; shared weights appear once."""
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
    incompatible = inner.load_state_dict(tensors, strict=False)  # tied weights are stored once
    if incompatible.unexpected_keys:
        raise HarnessError(f"the weights kept in {folder} are those of another model: run 'harness clean'.")
    return frozenset(tensors) | ({name for name, _ in inner.named_parameters()} if four_bits else frozenset[str]())
