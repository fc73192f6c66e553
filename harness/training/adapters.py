"""Make weights trainable: all of them, the upper blocks, or an adapter on a frozen model; and merge adapters."""

from __future__ import annotations

from typing import Any, Literal

import torch
from peft import LoraConfig, PeftModel, PromptTuningConfig, get_peft_model

from harness.decoding import prefix_sharing
from harness.errors import HarnessError
from harness.models import blocks, bottleneck, quantised, saved_weights
from harness.models.local_model import LocalModel

Variant = Literal["lora", "rslora", "dora"]


def attach_low_rank(  # noqa: PLR0913 - the adapter's own parameters
    model: LocalModel,
    *,
    rank: int,
    alpha: float,
    dropout: float,
    targets: str,
    variant: Variant = "lora",
    four_bits: bool = False,
) -> LocalModel:
    """Return the model with low-rank updates on its linear layers; only they take a gradient.

    An earlier adapter is merged into the weights first, so that chained steps add up.

    Args:
        model: its module is changed in place; use the returned model from then on.
        rank: columns of the update matrices.
        alpha: the update is scaled by alpha / rank, by alpha / √rank where rank-stabilised.
        dropout: on the adapter's input, 0 to 1.
        targets: ``all-linear``, or names of layers separated by commas.
        variant: ``rslora`` is rank-stabilised (Kalajdzievski 2023, arXiv:2312.03732); ``dora`` also learns the length
            of each column of the weights (Liu et al. 2024, arXiv:2402.09353).
        four_bits: whether the linear layers are quantised to 4 bits (NF4, double quantisation: Dettmers et al. 2023,
            arXiv:2305.14314), layer by layer in place; their 16- or 32-bit weights are freed.
    """
    config = LoraConfig(
        r=rank,
        lora_alpha=alpha,  # type: ignore[arg-type]
        lora_dropout=dropout,
        target_modules=targets if targets == "all-linear" else targets.split(","),
        use_rslora=variant == "rslora",
        use_dora=variant == "dora",
        task_type="CAUSAL_LM",
    )
    model = merge_adapter(model)
    if four_bits:
        quantised.quantise(model.module)
    return attach(model, config)


def attach_bottleneck(
    model: LocalModel,
    *,
    width: int,
    activation: Literal["gelu", "relu"] = "gelu",
    after: Literal["both", "feed_forward"] = "both",
) -> LocalModel:
    """Return the model with bottleneck adapters in its blocks; only they take a gradient.

    Args:
        model: changed in place; an adapter is merged first.
        width: of the hidden layer.
        activation: of the hidden layer.
        after: which sublayers get one: both, or the feed-forward only.

    Raises:
        HarnessError: the blocks have no attention and feed-forward part to put an adapter behind.
    """
    model = merge_adapter(model)
    bottleneck.attach(model.module, bottleneck.BottleneckShape(width, activation, after))
    return model


def attach_virtual_tokens(model: LocalModel, tokens: int, text: str) -> LocalModel:
    """Return the model with virtual tokens before every prompt; only they take a gradient.

    Args:
        model: changed in place.
        tokens: number of virtual tokens.
        text: they begin as the embeddings of this text, repeated or cut to their number; empty: as the embeddings of
            tokens drawn from the vocabulary.
    """
    config = PromptTuningConfig(num_virtual_tokens=tokens, prompt_tuning_init="SAMPLE_VOCAB", task_type="CAUSAL_LM")
    model = attach(merge_adapter(model), config)
    if text:
        ids = model.encode(text)
        initial_ids = torch.tensor((ids * (tokens // len(ids) + 1))[:tokens], device=model.module.device)
        with torch.no_grad():
            vectors = prefix_sharing.causal_lm(model.module).get_input_embeddings()(initial_ids)
            model.module.prompt_encoder["default"].embedding.weight.copy_(vectors)
    return model


def attach(model: LocalModel, config: Any) -> LocalModel:
    """Return the model, which has no adapter, with the one that a peft configuration describes."""
    # the optimiser keeps 32-bit masters, so the adapter can have the model's own type
    module = get_peft_model(model.module, config, autocast_adapter_dtype=False)
    saved_weights.prepare_adapter(module)
    return model.with_module(module)


def merge_adapter(model: LocalModel) -> LocalModel:
    """Return the model with its adapter, if any, merged into the weights; 4-bit weights are dequantised.

    Raises:
        HarnessError: the adapter cannot be merged.
    """
    module: Any = model.module
    if bottleneck.attached_shape(module):
        raise _merge_error("adapter")
    if not isinstance(model.module, PeftModel):
        return _dequantise(model)
    kind = module.active_peft_config.peft_type.value.lower()
    inner = prefix_sharing.causal_lm(module)
    touched = {name.replace(".base_layer.", ".") for name, _ in inner.named_parameters() if ".base_layer." in name}
    if getattr(inner, "is_loaded_in_4bit", False):
        return _dequantise(model, merging=kind)
    try:
        plain = module.merge_and_unload()
    except (AttributeError, NotImplementedError, ValueError) as error:  # virtual tokens have no such method
        raise _merge_error(kind) from error
    return model.with_module(plain.requires_grad_(False), base_changed=True, changed_weights=frozenset(touched))


def unfreeze(model: LocalModel) -> LocalModel:
    """Return the model with every weight trainable; an adapter is merged first."""
    model = merge_adapter(model)
    model.module.requires_grad_(True)
    return model.with_module(model.module, base_changed=True)


def freeze_lower_blocks(model: LocalModel, layers: int | None) -> LocalModel:
    """Return the model with its upper blocks, and what stands above them, trainable.

    The embeddings and the first blocks take no gradient, so the backward pass ends at the lowest trainable block. An
    output head that shares its weights with the embeddings stays frozen.

    Args:
        model: changed in place; an adapter is merged first.
        layers: number of frozen blocks; None: two thirds of them.

    Raises:
        HarnessError: the model has fewer blocks.
    """
    model = merge_adapter(model)
    stack = blocks.decoder_blocks(model.module)
    count = len(stack) * 2 // 3 if layers is None else layers
    if count > len(stack):
        raise HarnessError(f"frozen(layers={count}): the model has {len(stack)} blocks; freeze at most so many.")
    model.module.requires_grad_(False)
    for part in (*stack[count:], *blocks.final_modules(model.module)):
        part.requires_grad_(True)
    names = frozenset(name for name, weight in model.module.named_parameters() if weight.requires_grad)
    return model.with_module(model.module, base_changed=True, changed_weights=names)


def _dequantise(model: LocalModel, merging: str = "") -> LocalModel:
    """Return the model with its 4-bit layers dequantised, and a low-rank adapter merged in full precision."""
    inner: Any = prefix_sharing.causal_lm(model.module)
    if not getattr(inner, "is_loaded_in_4bit", False):
        return model
    if merging not in ("", "lora"):
        raise _merge_error(merging)
    if merging:
        layers = [name for name, layer in inner.named_modules() if hasattr(layer, "get_delta_weight")]
        for name in layers:
            layer = inner.get_submodule(name)
            inner.set_submodule(name, quantised.dequantised_layer(layer.base_layer, layer.get_delta_weight("default")))
        inner = model.module.unload()
    quantised.dequantise(inner)
    return model.with_module(inner.requires_grad_(False), base_changed=True)


def _merge_error(kind: str) -> HarnessError:
    return HarnessError(
        f"what {kind} has trained cannot be merged into the weights, so no step that tunes can follow it: put {kind} "
        "last among those."
    )
