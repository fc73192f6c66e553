"""Small trainable parts on a frozen model, through peft."""

from __future__ import annotations

from typing import Any

from peft import LoraConfig, PeftModel, get_peft_model

from harness.models.local import LocalModel


def attach_low_rank(model: LocalModel, *, rank: int, alpha: float, dropout: float, targets: str) -> LocalModel:
    """Return the model with low-rank updates on its linear layers; only they take a gradient.

    An adapter that is already there is merged into the weights first, so that chained steps add up.

    Args:
        model: stays usable only through what is returned: its module is changed in place.
        rank: columns of the update matrices.
        alpha: the update is scaled by alpha / rank.
        dropout: on the adapter's input, 0 to 1.
        targets: ``all-linear``, or names of layers separated by commas.
    """
    model = merged(model)
    config = LoraConfig(
        r=rank,
        lora_alpha=alpha,  # type: ignore[arg-type]
        lora_dropout=dropout,
        target_modules=targets if targets == "all-linear" else targets.split(","),
        task_type="CAUSAL_LM",
    )
    # the optimiser keeps 32-bit masters, so the adapter can have the model's own type
    return model.adapted(get_peft_model(model.module, config, autocast_adapter_dtype=False))


def merged(model: LocalModel) -> LocalModel:
    """Return the model with its adapter, if it has one, merged into the weights."""
    if not isinstance(model.module, PeftModel):
        return model
    module: Any = model.module
    return model.adapted(module.merge_and_unload().requires_grad_(False), base_changed=True)


def unfrozen(model: LocalModel) -> LocalModel:
    """Return the model with every weight trainable, an adapter merged first."""
    model = merged(model)
    model.module.requires_grad_(True)
    return model.adapted(model.module, base_changed=True)
