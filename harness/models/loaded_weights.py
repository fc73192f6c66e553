"""Checks of a loaded model: weights that were not in its files are random."""

from __future__ import annotations

import re
from collections.abc import Generator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from transformers import PreTrainedModel

from harness.errors import HarnessError, first_line, out_of_memory
from harness.models.folder_check import vocabulary_error

_BLOCK = re.compile(r"^(?P<blocks>.*?\.)\d+\.")
_OTHER_HEADS = ("score", "classifier", "classification_head", "qa_outputs", "reward_head")


def check_loading(subject: str, module: Any, loading: Mapping[str, Any], unused: Sequence[str] = ()) -> None:
    """Refuse a model with random weights, or whose files hold parts of it that its configuration leaves out.

    Args:
        subject: for the message, e.g. ``the model in FOLDER``.
        module: a transformers model.
        loading: what ``from_pretrained`` reports with ``output_loading_info``; tied weights are not missing there.
        unused: prefixes of weights that are never used.

    Raises:
        HarnessError: the names of the weights.
    """
    mismatched = sorted(str(key[0] if isinstance(key, tuple) else key) for key in loading["mismatched_keys"])
    if mismatched:
        raise HarnessError(
            f"{subject} has weights of another size than its config.json says ({_listed(mismatched)}): take the "
            "config.json that belongs to them."
        )
    missing = sorted(key for key in loading["missing_keys"] if not key.startswith(tuple(unused)))
    if missing:
        raise HarnessError(
            f"{subject} lacks weights, which would be random ({_listed(missing)}): give a whole causal language model, "
            "or the config.json that belongs to these weights."
        )
    ignored = sorted(key for key in loading["unexpected_keys"] if _matters(key, module))
    if ignored:
        raise HarnessError(
            f"{subject} has weights that its config.json leaves out ({_listed(ignored)}): take the config.json that "
            "belongs to them, or another model."
        )


def check_files(subject: str, model: Any) -> None:
    """Refuse an embedder or a cross-encoder with random weights; the libraries that load them do not tell.

    Its files are compared with it once more, without their contents. A pooler is left out: sentence embeddings are
    pooled from the last hidden states.

    Args:
        subject: for the message.
        model: a module of sentence-transformers.

    Raises:
        HarnessError: the names of the weights.
    """
    parts = {name: module for name, module in model.named_modules() if isinstance(module, PreTrainedModel)}
    for name, module in parts.items():
        if not any(name.startswith(f"{outer}.") for outer in parts):  # a classifier has its encoder inside
            loaded: Any = type(module).from_pretrained(
                module.name_or_path, output_loading_info=True, ignore_mismatched_sizes=True, device_map="meta"
            )
            head = "Sequence" in type(module).__name__
            check_loading(subject, module, loaded[1], unused=() if head else ("pooler.",))


@contextmanager
def one_line_errors(subject: str) -> Generator[None]:
    """Turn what libraries raise for a model that they cannot load into one line.

    Raises:
        HarnessError: anything went wrong but memory.
    """
    try:
        yield
    except HarnessError:
        raise
    except Exception as error:
        memory = out_of_memory(error)
        if memory is not None:
            raise memory from error
        raise HarnessError(f"{subject} cannot be loaded: {first_line(error)}") from error


def check_embedding(folder: Path, module: Any, tokenizer: Any) -> None:
    """Refuse a tokenizer with ids that have no embedding.

    Raises:
        HarnessError: how many tokens and embeddings there are.
    """
    tokens = max(tokenizer.get_vocab().values(), default=-1) + 1
    embeddings = module.get_input_embeddings().num_embeddings
    if tokens > embeddings:
        raise vocabulary_error(folder, tokens, embeddings)


def _matters(key: str, module: Any) -> bool:
    """Tell whether a weight without a place belongs to a decoder block, or is the head of another kind of model."""
    block = _BLOCK.match(key)
    if block is None:
        return key.partition(".")[0] in _OTHER_HEADS
    return any(name.startswith(block["blocks"]) for name in module.state_dict())


def _listed(names: Sequence[str]) -> str:
    return ", ".join(names[:3]) + (f" and {len(names) - 3} more" if len(names) > 3 else "")
