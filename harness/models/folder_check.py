"""Checks of a model's folder before anything is loaded: its configuration, the weights' files, and the tokenizer's.

Only JSON and the headers of safetensors files are read.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from harness.data.locate import no_safetensors
from harness.errors import HarnessError

ADAPTER_CONFIG = "adapter_config.json"
_HEAD = re.compile(r"For(?P<head>[A-Z]\w*)$")
_CAUSAL_HEADS = ("CausalLM", "ConditionalGeneration")
_TOKENIZER_FILES = (
    *("tokenizer.json", "tokenizer_config.json", "vocab.json", "vocab.txt", "tekken.json"),
    *("*.model", "*.tiktoken"),
)
_INDEX = "model.safetensors.index.json"


def base_of(folder: Path) -> str | None:
    """Return the base model that an adapter's folder names, with its revision; None for a whole model.

    Raises:
        HarnessError: the folder is an adapter's, and names none.
    """
    if not (folder / ADAPTER_CONFIG).is_file() or (folder / "config.json").is_file():
        return None
    config = _read_json(folder / ADAPTER_CONFIG)
    base, revision = config.get("base_model_name_or_path"), config.get("revision")
    if not base:
        raise HarnessError(
            f"the adapter in {folder} names no base model: write base_model_name_or_path into {ADAPTER_CONFIG}."
        )
    return f"{base}@{revision}" if revision and not Path(base).expanduser().is_dir() else str(base)


def check(folder: Path) -> None:
    """Refuse a folder that no causal language model can be loaded from.

    Raises:
        HarnessError: what is missing, damaged or of another kind, and what to do.
    """
    if not any(folder.glob("*.safetensors")):
        raise no_safetensors(f"the folder {folder}")
    check_weights(folder)
    if base_of(folder) is not None:
        return
    if not (folder / "config.json").is_file():
        raise HarnessError(f"{folder} has no config.json: copy it there from the model's publisher.")
    config = _read_json(folder / "config.json")
    _check_kind(folder, config)
    if not any(any(folder.glob(pattern)) for pattern in _TOKENIZER_FILES):
        raise HarnessError(f"{folder} has no tokenizer (tokenizer.json): save the model's tokenizer there too.")
    text_config = config.get("text_config") or {}
    _check_vocabulary(folder, config.get("vocab_size") or text_config.get("vocab_size"))


def check_weights(folder: Path) -> None:
    """Refuse a folder with missing or damaged safetensors files.

    Raises:
        HarnessError: the first of them.
    """
    index = folder / _INDEX
    if index.is_file():
        names = sorted(set(_read_json(index).get("weight_map", {}).values()))
        missing = [name for name in names if not (folder / name).is_file()]
        if missing:
            raise HarnessError(f"{folder} lacks {_listed(missing)}, which {_INDEX} names: copy the model again.")
    for file in sorted(folder.rglob("*.safetensors")):
        reason = _file_damage(file)
        if reason:
            raise HarnessError(f"{file} is damaged ({reason}): copy the model again.")


def _check_kind(folder: Path, config: Mapping[str, Any]) -> None:
    """Refuse encoders, classifiers, reward models and encoder-decoders."""
    architectures: Sequence[str] = config.get("architectures") or ()
    if config.get("is_encoder_decoder"):
        raise HarnessError(
            f"the model in {folder} is an encoder-decoder ({config.get('model_type')}): name a decoder that is trained"
            " to continue texts."
        )
    other = [name for name in architectures if (match := _HEAD.search(name)) and match["head"] not in _CAUSAL_HEADS]
    if other:
        raise HarnessError(
            f"the model in {folder} is no causal language model but a {other[0]}: name a decoder that is trained to "
            "continue texts (...ForCausalLM)."
        )


def _check_vocabulary(folder: Path, size: int | None) -> None:
    """Refuse a tokenizer with ids that have no embedding."""
    file = folder / "tokenizer.json"
    if not size or not file.is_file():
        return
    content = _read_json(file)
    vocabulary = (content.get("model") or {}).get("vocab") or {}
    ids = vocabulary.values() if isinstance(vocabulary, dict) else [len(vocabulary) - 1]
    largest = max([-1, *ids, *(token["id"] for token in content.get("added_tokens") or ())])
    if largest >= size:
        raise vocabulary_error(folder, largest + 1, size)


def vocabulary_error(folder: Path, tokens: int, embeddings: int) -> HarnessError:
    """Return the error for a tokenizer that is larger than the embedding."""
    return HarnessError(
        f"the tokenizer in {folder} has {tokens:,} tokens and the model embeds {embeddings:,}: use the tokenizer that "
        "belongs to the model, or resize the model's embeddings and save it."
    )


def _file_damage(file: Path) -> str:
    """Compare a safetensors file's size with its header; empty: they agree."""
    size = file.stat().st_size
    try:
        with file.open("rb") as stream:
            length = int.from_bytes(stream.read(8), "little")
            header: dict[str, Any] = json.loads(stream.read(length)) if 0 < length <= size - 8 else {}
        ends = [tensor["data_offsets"][1] for name, tensor in header.items() if name != "__metadata__"]
    except (ValueError, KeyError, TypeError, IndexError, AttributeError):
        return "its header cannot be read"
    if not header:
        return "it has no header"
    expected = 8 + length + max(ends, default=0)
    return "" if size == expected else f"{size:,} of {expected:,} bytes"


def _read_json(file: Path) -> dict[str, Any]:
    try:
        content = json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise HarnessError(f"{file} cannot be read ({error}): copy the model again.") from error
    if not isinstance(content, dict):
        raise HarnessError(f"{file} holds no JSON object: copy the model again.")
    return content


def _listed(names: Sequence[str]) -> str:
    return ", ".join(names[:3]) + (f" and {len(names) - 3} more" if len(names) > 3 else "")
