"""Checks of a model's folder before anything is loaded: its configuration, the weights' files, and the tokenizer's.

Only JSON and the headers of safetensors files are read.
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any, TypeVar

from pydantic import BaseModel, Field, TypeAdapter, ValidationError

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


class _TextConfig(BaseModel):
    vocab_size: int | None = None


class _Config(_TextConfig):
    """What is read of ``config.json``."""

    model_type: str | None = None
    architectures: list[str] | None = None
    is_encoder_decoder: bool | None = None
    text_config: _TextConfig | None = None


class _Index(BaseModel):
    weight_map: dict[str, str] = Field(default_factory=dict[str, str])


class _AdapterConfig(BaseModel):
    base_model_name_or_path: str | None = None
    revision: str | None = None


class _Token(BaseModel):
    id: int


class _TokenModel(BaseModel):
    vocab: dict[str, int] | list[Any] | None = None


class _Tokenizer(BaseModel):
    model: _TokenModel | None = None
    added_tokens: list[_Token] | None = None


class Tensor(BaseModel):
    """A tensor in the header of a safetensors file."""

    shape: list[int]
    data_offsets: tuple[int, int]


_Part = TypeVar("_Part", bound=BaseModel)
_HEADER: TypeAdapter[dict[str, Tensor]] = TypeAdapter(dict[str, Tensor])


def base_of(folder: Path) -> str | None:
    """Return the base model that an adapter's folder names, with its revision; None for a whole model.

    A relative path is one from the adapter's folder, if there is such a folder.

    Raises:
        HarnessError: the folder is an adapter's, and names none.
    """
    if not (folder / ADAPTER_CONFIG).is_file() or (folder / "config.json").is_file():
        return None
    config = _read(folder / ADAPTER_CONFIG, _AdapterConfig)
    base, revision = config.base_model_name_or_path, config.revision
    if not base:
        raise HarnessError(
            f"the adapter in {folder} names no base model: give --base MODEL, or write base_model_name_or_path into "
            f"{ADAPTER_CONFIG}."
        )
    if (folder / base).is_dir():
        return str((folder / base).resolve())
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
    config = _read(folder / "config.json", _Config)
    _check_kind(folder, config)
    if not any(any(folder.glob(pattern)) for pattern in _TOKENIZER_FILES):
        raise HarnessError(f"{folder} has no tokenizer (tokenizer.json): save the model's tokenizer there too.")
    _check_vocabulary(folder, config.vocab_size or (config.text_config or _TextConfig()).vocab_size)


def check_weights(folder: Path) -> None:
    """Refuse a folder with missing or damaged safetensors files.

    Raises:
        HarnessError: the first of them.
    """
    index = folder / _INDEX
    if index.is_file():
        names = sorted(set(_read(index, _Index).weight_map.values()))
        missing = [name for name in names if not (folder / name).is_file()]
        if missing:
            raise HarnessError(f"{folder} lacks {_listed(missing)}, which {_INDEX} names: copy the model again.")
    for file in sorted(folder.rglob("*.safetensors")):
        reason = _file_damage(file)
        if reason:
            raise HarnessError(f"{file} is damaged ({reason}): copy the model again.")


def _check_kind(folder: Path, config: _Config) -> None:
    """Refuse encoders, classifiers, reward models and encoder-decoders."""
    if config.is_encoder_decoder:
        raise HarnessError(
            f"the model in {folder} is an encoder-decoder ({config.model_type}): name a decoder that is trained"
            " to continue texts."
        )
    names = config.architectures or []
    other = [name for name in names if (match := _HEAD.search(name)) and match["head"] not in _CAUSAL_HEADS]
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
    tokenizer = _read(file, _Tokenizer)
    vocabulary = (tokenizer.model or _TokenModel()).vocab or {}
    ids = vocabulary.values() if isinstance(vocabulary, dict) else [len(vocabulary) - 1]
    largest = max([-1, *ids, *(token.id for token in tokenizer.added_tokens or ())])
    if largest >= size:
        raise vocabulary_error(folder, largest + 1, size)


def vocabulary_error(folder: Path, tokens: int, embeddings: int) -> HarnessError:
    """Return the error for a tokenizer that is larger than the embedding."""
    return HarnessError(
        f"the tokenizer in {folder} has {tokens:,} tokens and the model embeds {embeddings:,}: use the tokenizer that "
        "belongs to the model, or resize the model's embeddings and save it."
    )


def read_header(file: Path) -> dict[str, Tensor]:
    """Read the tensors of a safetensors file by name from its header: its length in 8 bytes, then JSON; empty: none.

    Raises:
        OSError: the file cannot be read.
        ValueError: it is damaged.
    """
    size = file.stat().st_size
    with file.open("rb") as stream:
        length = int.from_bytes(stream.read(8), "little")
        content = stream.read(length) if 0 < length <= size - 8 else b"{}"
    try:
        header = json.loads(content)
        tensors = _HEADER.validate_python({name: header[name] for name in header if name != "__metadata__"})
    except (ValueError, TypeError, RecursionError) as error:
        raise ValueError("its header cannot be read") from error
    expected = 8 + length + max((tensor.data_offsets[1] for tensor in tensors.values()), default=0)
    if tensors and size != expected:
        raise ValueError(f"{size:,} of {expected:,} bytes")
    return tensors


def _file_damage(file: Path) -> str:
    """Say what is wrong with a safetensors file by its header; empty: nothing."""
    try:
        return "" if read_header(file) else "it has no header"
    except OSError as error:
        return error.strerror or str(error)
    except ValueError as error:
        return str(error)


def _read(file: Path, model: type[_Part]) -> _Part:
    try:
        return model.model_validate(json.loads(file.read_text(encoding="utf-8")))
    except ValidationError as error:
        first = error.errors()[0]
        field = ".".join(str(part) for part in first["loc"][:3])
        raise HarnessError(f"{file} cannot be read ({field}: {first['msg']}): copy the model again.") from error
    except (OSError, ValueError, RecursionError) as error:
        raise HarnessError(f"{file} cannot be read ({error}): copy the model again.") from error


def _listed(names: Sequence[str]) -> str:
    return ", ".join(names[:3]) + (f" and {len(names) - 3} more" if len(names) > 3 else "")
