"""The whole corpus in each prompt, and the window that takes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from harness.api import Passage, Prompt, Query, Task
from harness.prompts import layout

_LONGEST = 3
"""Questions whose tokens are counted: those with most characters. A corpus of many tokens stands before each."""


@dataclass(frozen=True)
class WholeCorpus:
    """Gives every query all passages that its user may read, in the order of the corpus.

    Attributes:
        searchers: none: nothing is looked for.
    """

    passages: tuple[Passage, ...]
    searchers: tuple[Any, ...] = ()

    @property
    def max_passages(self) -> int:
        """Number of passages in the corpus."""
        return len(self.passages)

    def find(self, queries: Sequence[Query]) -> list[tuple[Passage, ...]]:
        """Return the readable passages for each query."""
        return [tuple(passage for passage in self.passages if passage.readable_by(query.user)) for query in queries]


def needed_window(task: Task, passages: Sequence[Passage], queries: Sequence[Query], tokenizer: Any) -> int:
    """Return the tokens of the longest question behind all passages, with the longest answer.

    Args:
        task: gives the wording, and the length of an answer where it has no choices.
        passages: of the corpus.
        queries: that will be asked.
        tokenizer: of the model.

    Raises:
        HarnessError: the prompt's template cannot be filled in.
    """
    longest = sorted(queries, key=lambda query: -len(query.text))[:_LONGEST]
    prompts = [Prompt(task, query.input, passages=tuple(passages), history=query.history) for query in longest]
    choices = {choice for query in queries for choice in query.choices or task.choices}
    answers = layout.count_answer_tokens(Prompt(task, ""), sorted(choices), tokenizer)
    answer = max(answers, default=task.max_new_tokens) + 1  # the token that ends it
    return max(layout.count_tokens(prompts, tokenizer), default=0) + answer
