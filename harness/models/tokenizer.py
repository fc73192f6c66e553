"""A model's tokenizer and context window without its weights, to count tokens of prompts and answers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from transformers import AutoConfig, AutoTokenizer

from harness.api import Prompt
from harness.errors import HarnessError, first_line
from harness.models import gguf_conversion
from harness.prompts import layout


@dataclass(frozen=True)
class ModelTokenizer:
    """Counts the tokens of prompts and answers as they are sent to a model.

    Attributes:
        name: of the model.
        context_tokens: context window, tokens; None: unlimited, or unknown.
    """

    name: str
    context_tokens: int | None
    tokenizer: Any

    def count_prompts(self, prompts: Sequence[Prompt]) -> list[int]:
        """Return the number of tokens of each prompt."""
        return layout.count_tokens(prompts, self.tokenizer)

    def count_answers(self, task_prompt: Prompt, answers: Sequence[str]) -> list[int]:
        """Return the number of tokens of each answer as it follows a prompt, the end of the turn included."""
        return [length + 1 for length in layout.count_answer_tokens(task_prompt, answers, self.tokenizer)]


def open_tokenizer(folder: Path, name: str, cache: Path) -> ModelTokenizer:
    """Load a model's tokenizer and config; no weights are read, and a GGUF is not converted.

    Args:
        folder: of the model, as for `loading.open_model`.
        name: of the model.
        cache: may hold the converted model, whose tokenizer loads much faster.

    Raises:
        HarnessError: transformers cannot read the folder.
    """
    weights = gguf_conversion.weights_folder(folder, cache)
    options: dict[str, Any] = {}
    if not weights.is_dir():
        file = gguf_conversion.gguf_file(folder)
        weights, options = (file.parent, {"gguf_file": file.name}) if file else (folder, {})
    try:
        tokenizer = AutoTokenizer.from_pretrained(weights, **options)
        config = AutoConfig.from_pretrained(weights, **options)
    except Exception as error:  # the tokenizers library raises no narrower class for a damaged file
        raise HarnessError(f"the tokenizer in {weights} cannot be loaded: {first_line(error)}") from error
    return ModelTokenizer(name, context_window(config, tokenizer), tokenizer)


def context_window(config: Any, tokenizer: Any) -> int | None:
    """Return the context window in tokens, the smaller one of model and tokenizer; None: unlimited, or unknown."""
    limits = [
        getattr(config.get_text_config(decoder=True), "max_position_embeddings", None),
        tokenizer.model_max_length,
    ]
    return min((int(n) for n in limits if n and n < 10**9), default=None)
