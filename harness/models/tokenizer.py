"""A model's tokenizer and the length of its window, without its weights: enough to say how long prompts are."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from transformers import AutoConfig, AutoTokenizer

from harness.api import Prompt
from harness.errors import HarnessError
from harness.models import gguf_conversion
from harness.prompts import layout


@dataclass(frozen=True)
class TokenCounter:
    """Counts tokens of prompts as a model would be sent them.

    Attributes:
        name: of the model.
        window: how many tokens it reads and writes at most; None: unlimited, or unknown.
    """

    name: str
    context_tokens: int | None
    tokenizer: Any

    def count_prompts(self, prompts: Sequence[Prompt]) -> list[int]:
        """Give the length of each prompt, tokens."""
        return self._count([layout.render_text(prompt, self.tokenizer) for prompt in prompts])

    def count_answers(self, task_prompt: Prompt, answers: Sequence[str]) -> list[int]:
        """Give the length of answers as they follow a prompt, the end of the turn included, tokens."""
        texts = [layout.answer_text(task_prompt, answer, self.tokenizer) for answer in answers]
        return [length + 1 for length in self._count(texts)]

    def _count(self, texts: Sequence[str]) -> list[int]:
        if not texts:
            return []
        return [len(ids) for ids in self.tokenizer(list(texts), add_special_tokens=False)["input_ids"]]


def open_tokenizer(folder: Path, name: str, cache: Path) -> TokenCounter:
    """Load a model's tokenizer and settings; no weights are read, and a GGUF is not converted.

    Args:
        folder: a model's folder, as for `loading.open_model`.
        name: what the model is called.
        cache: where a converted model may be, whose tokenizer is read much faster.

    Raises:
        HarnessError: transformers cannot read it.
    """
    weights = gguf_conversion.weights_folder(folder, cache)
    options: dict[str, Any] = {}
    if not weights.is_dir():
        weights, options = folder, {"gguf_file": next(folder.glob("*.gguf")).name}
    try:
        tokenizer = AutoTokenizer.from_pretrained(weights, **options)
        config = AutoConfig.from_pretrained(weights, **options)
    except (OSError, ValueError, ImportError) as error:
        raise HarnessError(f"the tokenizer in {weights} cannot be loaded: {str(error).splitlines()[0]}") from error
    return TokenCounter(name, context_window(config, tokenizer), tokenizer)


def context_window(config: Any, tokenizer: Any) -> int | None:
    """Return the length of the context window: the model's, or the tokenizer's where that is shorter."""
    limits = [getattr(config, "max_position_embeddings", None), tokenizer.model_max_length]
    return min((int(n) for n in limits if n and n < 10**9), default=None)
