"""Any peft method by its name, with peft's defaults or with options written as text."""

from __future__ import annotations

import ast
import dataclasses
from typing import Any

from peft.mapping import PEFT_TYPE_TO_CONFIG_MAPPING
from pydantic import TypeAdapter, ValidationError

from harness.decoding.attention_masks import window_sizes
from harness.errors import HarnessError, unknown
from harness.models.local_model import LocalModel
from harness.training import adapters
from harness.training.untrainable_peft import UNSUPPORTED

_CHOOSE_LAYERS = ("beft", "ia3", "ln_tuning", "trainable_tokens", "adaption_prompt")
"""Methods that choose the layers by the kind of model; the others get all linear layers."""


def trainable_methods() -> list[str]:
    """Return the names of the methods that can be trained here."""
    return sorted(name for kind in PEFT_TYPE_TO_CONFIG_MAPPING if (name := kind.value.lower()) not in UNSUPPORTED)


def attach(model: LocalModel, method: str, options: str = "") -> LocalModel:
    """Return the model with a peft method attached; only its parameters take a gradient. An adapter is merged first.

    Args:
        model: changed in place.
        method: peft's name for it, in small letters.
        options: fields of its configuration, as in ``r=8, bias='none'``; peft's defaults for the others.

    Raises:
        HarnessError: the method or an option is unknown, or the method does not fit the model.
    """
    if method in UNSUPPORTED:
        raise HarnessError(f"peft(method={method}) cannot be trained here: {UNSUPPORTED[method]}.")
    if method not in trainable_methods():
        raise unknown("peft method", method, trainable_methods())
    config_class: Any = next(c for kind, c in PEFT_TYPE_TO_CONFIG_MAPPING.items() if kind.value.lower() == method)
    settings = parse_options(options, config_class, method)
    if method == "prefix_tuning" and (not model.supports_packing or window_sizes(model.module.config)):
        raise HarnessError("peft(method=prefix_tuning) needs a model whose layers all attend to the whole text.")
    model = adapters.merge_adapter(model)
    try:
        config = config_class(task_type="CAUSAL_LM", **_defaults(method, config_class, model) | settings)
        attached = adapters.attach(model, config)
    except (AttributeError, AssertionError, KeyError, NotImplementedError, TypeError, ValueError) as error:
        raise HarnessError(f"peft cannot attach {method} to this model: {_first_line(error)}") from error
    if not attached.trained_parameters:
        raise HarnessError(f"peft(method={method}) trains nothing as it is: set its options to say what.")
    return attached


def parse_options(options: str, config_class: Any, method: str) -> dict[str, Any]:
    """Parse a method's options: names and literal values, checked against its configuration.

    Raises:
        HarnessError: the text is no list of options, or the configuration takes no such name or value.
    """
    try:
        call = ast.parse(f"f({options})", mode="eval").body
        assert isinstance(call, ast.Call)  # noqa: S101 - the text is parsed as the arguments of a call
        if call.args or any(keyword.arg is None for keyword in call.keywords):
            raise ValueError  # noqa: TRY301 - one sentence for all of them
        settings = {str(keyword.arg): ast.literal_eval(keyword.value) for keyword in call.keywords}
    except (AssertionError, SyntaxError, ValueError) as error:
        raise HarnessError(f"peft(options={options!r}) cannot be read: write it as in 'r=8, dropout=0.1'.") from error
    fields = {field.name: field.type for field in dataclasses.fields(config_class) if field.init}
    for name in settings:
        if name not in fields:
            raise unknown("option", name, fields, where=f"peft(method={method})")
    return {name: _validate(value, fields[name], f"{method}: {name}") for name, value in settings.items()}


def _validate(value: Any, kind: Any, setting: str) -> Any:
    try:
        return TypeAdapter(kind).validate_python(value, strict=isinstance(value, str))
    except ValidationError as error:
        raise HarnessError(f"peft(method={setting}={value!r}): {error.errors()[0]['msg'].lower()}.") from error
    except Exception:  # noqa: BLE001 - an annotation imported for type checks only: peft validates then
        return value


def _defaults(method: str, config_class: Any, model: LocalModel) -> dict[str, Any]:
    """Return the fields that a method needs and peft has no default for."""
    fields = {field.name for field in dataclasses.fields(config_class)}
    defaults: dict[str, Any] = {}
    if "target_modules" in fields and method not in _CHOOSE_LAYERS:
        defaults["target_modules"] = "all-linear"
    if "num_virtual_tokens" in fields:
        defaults["num_virtual_tokens"] = 20
    if method == "adaption_prompt":
        text_config = model.module.config.get_text_config(decoder=True)
        defaults |= {"adapter_len": 10, "adapter_layers": text_config.num_hidden_layers}
    return defaults


def _first_line(error: Exception) -> str:
    return str(error).strip().split("\n")[0] or type(error).__name__
