"""Whether a model's branches may share a row, remembered by the model: it is tried once, not before each trial."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import torch
import transformers

from harness.data.cache import recall, remember
from harness.decoding import packing_probe


def supports_packing(module: Any, weights_hash: str, cache: Path) -> bool:
    """Tell what `packing_probe.supports_packing` told of this model, or try it; either way the first passes are made.

    Args:
        module: a transformers model with a language-modelling head, in eval mode.
        weights_hash: sha256 of its weights' files.
        cache: its subfolder `packing` holds the outcomes, by weights, configuration, number format, device, and
            versions of the libraries.

    Raises:
        HarnessError: the model is refused; that is not remembered.
    """
    file = cache / "packing" / f"{_key(module, weights_hash)}.json"
    try:
        packs = json.loads(recall(file) or "")["packs"] is True
    except (ValueError, KeyError, TypeError):
        packs = packing_probe.supports_packing(module)
        remember(file, json.dumps({"packs": packs}))
        return packs
    packing_probe.warm_up(module, packs=packs)
    return packs


def _key(module: Any, weights_hash: str) -> str:
    config = {name: str(setting) for name, setting in module.config.to_dict().items() if name != "_name_or_path"}
    device = torch.cuda.get_device_name() if module.device.type == "cuda" else module.device.type
    parts = [
        packing_probe.VERSION,
        weights_hash,
        config,
        str(module.dtype),
        device,
        torch.__version__,
        transformers.__version__,
    ]
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()[:32]
