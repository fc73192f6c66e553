"""Items that are longer than a model's context window, however they are asked."""

from collections.abc import Sequence
from typing import Protocol

from harness.api import Example, Prompt, Task
from harness.data.bad_rows import MOST_NAMED

GENERATED = ("qa", "generation")
"""Kinds of task whose answers are written, up to `Task.max_new_tokens`."""
OVERHEAD = 512
"""Most bytes that labels, marks of turns and the like add to a prompt."""


class TokenCounter(Protocol):
    """Counts tokens, as a model's tokenizer does."""

    @property
    def context_tokens(self) -> int | None:
        """Context window in tokens; None: unknown."""
        ...

    def count_prompts(self, prompts: Sequence[Prompt]) -> list[int]:
        """Return the number of tokens of each prompt."""
        ...

    def count_answers(self, task_prompt: Prompt, answers: Sequence[str]) -> list[int]:
        """Return the number of tokens of each answer as it follows a prompt."""
        ...


def long_items(items: Sequence[Example], task: Task, tokens: TokenCounter) -> list[Example]:
    """Return the items whose prompt, with the longest answer that may come, does not fit the window.

    Args:
        items: of one split.
        task: as they are asked, without exemplars and passages, which come on top.
        tokens: counts as the model's tokenizer does.
    """
    window, suspects = tokens.context_tokens, suspects_of(items, task, tokens.context_tokens)
    if window is None or not suspects:
        return []
    prompts = [Prompt(task, item.query.input, history=item.query.history) for item in suspects]
    answers = [_answers(item, task) for item in suspects]
    lengths = iter(tokens.count_answers(prompts[0], [text for texts in answers for text in texts]))
    longest = [max([_generated(task), *(next(lengths) for _ in texts)]) for texts in answers]
    counts = zip(suspects, tokens.count_prompts(prompts), longest, strict=True)
    return [item for item, prompt, answer in counts if prompt + answer > window]


def suspects_of(items: Sequence[Example], task: Task, window: int | None) -> list[Example]:
    """Return the items with more bytes than a window has tokens: no other is too long, as a token has a byte."""
    return [] if window is None else [item for item in items if _most_tokens(item, task) > window]


def long_note(split: str, items: Sequence[Example], model: str, window: int | None) -> str:
    """Say which items of a split are too long for a model, and what becomes of them."""
    names = ", ".join(item.query.id for item in items[:MOST_NAMED])
    others = f" and {len(items) - MOST_NAMED} more" if len(items) > MOST_NAMED else ""
    subject, verb = (f"{len(items)} {split} items", "are") if len(items) > 1 else (f"1 {split} item", "is")
    outcome = "unanswered, which counts as wrong" if split == "test" else "left out"
    return f"{subject} {verb} longer than the window of {model} ({window:,} tokens), and {outcome}: {names}{others}."


def _answers(item: Example, task: Task) -> list[str]:
    return [*(item.query.choices or task.choices), *item.references, item.rejected or ""]


def _generated(task: Task) -> int:
    return task.max_new_tokens if task.kind in GENERATED else 0


def _most_tokens(item: Example, task: Task) -> int:
    answer = max(len(text.encode()) for text in _answers(item, task))
    prompt = len(item.query.text.encode()) + len(task.instruction.encode()) + len(task.template.encode())
    return OVERHEAD + prompt + max(answer, _generated(task))
