"""Any method of peft by its name, with peft's own defaults or with settings written as text."""

from __future__ import annotations

import ast
import dataclasses
from typing import Any

from peft.mapping import PEFT_TYPE_TO_CONFIG_MAPPING
from pydantic import TypeAdapter, ValidationError

from harness.errors import HarnessError, unknown
from harness.models.local_model import LocalModel
from harness.training import adapters

REFUSED = {
    "adalora": "it moves ranks between layers after every step, which the training loop here does not do",
    "cartridge": "it is distilled from a text instead of being trained on examples",
    "cpt": "it has a loss of its own, over tokens of the examples in its prompt",
    "lily": "it asks the whole row which of its parts to use, so prompts that share a row would change each other",
    "mixed": "it holds other adapters",
    "multitask_prompt_tuning": "it must be told of every input which task it is",
    "poly": "it must be told of every input which task it is",
    "shadow": "it runs a second network beside the model",
    "xlora": "it mixes adapters that were trained before",
}
"""What peft has and cannot be trained here, and why."""
_OWN_LAYERS = ("beft", "ia3", "ln_tuning", "trainable_tokens", "adaption_prompt")
"""Methods that say themselves which layers they change, by kind of model; the others get all linear layers."""


def known() -> list[str]:
    """Return the names of the methods that can be trained here."""
    return sorted(name for kind in PEFT_TYPE_TO_CONFIG_MAPPING if (name := kind.value.lower()) not in REFUSED)


def attach(model: LocalModel, method: str, options: str = "") -> LocalModel:
    """Return the model with what a peft method trains; only that takes a gradient. An adapter is merged first.

    Args:
        model: changed in place.
        method: peft's name for it, in small letters.
        options: fields of its configuration, as in ``r=8, bias='none'``; the others have peft's defaults.

    Raises:
        HarnessError: the method or an option is unknown, or the method does not fit the model.
    """
    if method in REFUSED:
        raise HarnessError(f"peft(method={method}) cannot be trained here: {REFUSED[method]}.")
    if method not in known():
        raise unknown("peft method", method, known())
    config_class: Any = next(c for kind, c in PEFT_TYPE_TO_CONFIG_MAPPING.items() if kind.value.lower() == method)
    given = parse(options, config_class, method)
    if method == "prefix_tuning" and not model.packs:
        raise HarnessError("peft(method=prefix_tuning) needs a model whose layers all attend to the whole text.")
    model = adapters.merged(model)
    try:
        config = config_class(task_type="CAUSAL_LM", **_defaults(method, config_class, model) | given)
        found = adapters.attach(model, config)
    except (AttributeError, AssertionError, KeyError, NotImplementedError, TypeError, ValueError) as error:
        raise HarnessError(f"peft cannot attach {method} to this model: {_first_line(error)}") from error
    if not found.trained_parameters:
        raise HarnessError(f"peft(method={method}) trains nothing as it is: set its options to say what.")
    return found


def parse(options: str, config_class: Any, method: str) -> dict[str, Any]:
    """Read a method's settings: names and literal values, checked against its configuration.

    Raises:
        HarnessError: the text is no list of settings, or a name or value is not one that the configuration takes.
    """
    try:
        call = ast.parse(f"f({options})", mode="eval").body
        assert isinstance(call, ast.Call)  # noqa: S101 - what was written around it
        if call.args or any(keyword.arg is None for keyword in call.keywords):
            raise ValueError  # noqa: TRY301 - one sentence for all of them
        given = {str(keyword.arg): ast.literal_eval(keyword.value) for keyword in call.keywords}
    except (AssertionError, SyntaxError, ValueError) as error:
        raise HarnessError(f"peft(options={options!r}) cannot be read: write it as in 'r=8, dropout=0.1'.") from error
    fields = {field.name: field.type for field in dataclasses.fields(config_class) if field.init}
    for name in given:
        if name not in fields:
            raise unknown("option", name, fields, where=f"peft(method={method})")
    return {name: _checked(value, fields[name], f"{method}: {name}") for name, value in given.items()}


def _checked(value: Any, kind: Any, where: str) -> Any:
    try:
        return TypeAdapter(kind).validate_python(value, strict=isinstance(value, str))
    except ValidationError as error:
        raise HarnessError(f"peft(method={where}={value!r}): {error.errors()[0]['msg'].lower()}.") from error
    except Exception:  # noqa: BLE001 - an annotation that names what is only imported for type checks: peft checks then
        return value


def _defaults(method: str, config_class: Any, model: LocalModel) -> dict[str, Any]:
    """Return what a method needs to be told and has no default for."""
    fields = {field.name for field in dataclasses.fields(config_class)}
    found: dict[str, Any] = {}
    if "target_modules" in fields and method not in _OWN_LAYERS:
        found["target_modules"] = "all-linear"
    if "num_virtual_tokens" in fields:
        found["num_virtual_tokens"] = 20
    if method == "adaption_prompt":
        found |= {"adapter_len": 10, "adapter_layers": model.module.config.num_hidden_layers}
    return found


def _first_line(error: Exception) -> str:
    return str(error).strip().split("\n")[0] or type(error).__name__
