"""Control tokens in texts of data stay text: a passage with ``<|im_end|>`` ends no turn.

Texts of data are marked before a template is filled in, and what is marked is encoded as ordinary text.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace
from functools import lru_cache
from typing import Any

from harness.api import Prompt
from harness.errors import HarnessError

_MARKERS = re.compile("[\U000f0000\U000f0001]")
"""The private-use characters that transformers puts around a control token."""


def mark(prompt: Prompt, tokenizer: Any) -> Prompt:
    """Return a prompt whose texts have their control tokens marked; the task's template stays as it is."""

    def marked(text: str) -> str:
        return mark_text(text, tokenizer)

    return replace(
        prompt,
        task=replace(
            prompt.task,
            instruction=marked(prompt.task.instruction),
            choices=tuple(map(marked, prompt.task.choices)),
        ),
        question=marked(prompt.question),
        exemplars=tuple((marked(question), marked(answer)) for question, answer in prompt.exemplars),
        passages=tuple(replace(p, title=marked(p.title), text=marked(p.text)) for p in prompt.passages),
        reasoning=marked(prompt.reasoning),
        history=tuple((role, marked(text)) for role, text in prompt.history),
    )


def mark_text(text: str, tokenizer: Any) -> str:
    """Return a text with its control tokens marked."""
    from transformers.utils.chat_template_utils import mark_control_tokens  # noqa: PLC0415 - heavy

    return mark_control_tokens(text, _pattern(tokenizer, str(tokenizer.chat_template or "")))


def unmark(text: str) -> str:
    """Return a text without marks, as people read it."""
    return _MARKERS.sub("", text)


def encode(text: str, tokenizer: Any) -> list[int]:
    """Tokenize a text, its marked control tokens as ordinary text, without added special tokens.

    Raises:
        HarnessError: the tokenizer cannot write a marked control token as text.
    """
    if not _MARKERS.search(text):
        return tokenizer(text, add_special_tokens=False)["input_ids"]
    try:
        return tokenizer(text, add_special_tokens=False, sanitize_control_tokens=True)["input_ids"]
    except ValueError as error:
        raise HarnessError(
            f"the data hold a control token of the model, which its tokenizer cannot read as text ({error})."
        ) from error


def encode_texts(texts: Sequence[str], tokenizer: Any) -> list[list[int]]:
    """Tokenize texts as `encode` does, those without marks in one call."""
    plain = [text for text in texts if not _MARKERS.search(text)]
    encoded = iter(tokenizer(plain, add_special_tokens=False)["input_ids"] if plain else [])
    return [encode(text, tokenizer) if _MARKERS.search(text) else next(encoded) for text in texts]


@lru_cache(maxsize=16)
def _pattern(tokenizer: Any, template: str) -> re.Pattern[str]:
    """Return the pattern of a tokenizer's control tokens: special ones, and added ones that its template writes."""
    tokens = {
        token.content
        for token in tokenizer.added_tokens_decoder.values()
        if token.special or (token.content in template and not token.content.isspace())
    }
    return re.compile("|".join(map(re.escape, sorted(tokens, key=len, reverse=True))) or "(?!)")
