"""A prompt as an endpoint is sent it: turns, whose chat template is the server's to apply, or one plain text."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from harness.api import Prompt, Sampling
from harness.prompts.layout import messages, plain_text

FINAL = "Give only the final answer."
"""Asks for the answer behind a reasoning: few servers go on with a turn that was begun for the assistant."""


@dataclass(frozen=True)
class EndpointQuestion:
    """What is asked, whichever parameters the server takes.

    Attributes:
        turns: roles and contents; empty where the prompt is one text.
        plain: that text.
        max_new_tokens: of the answer.
        required: fields of the request without which the answer would be another one, such as a constraint.
    """

    turns: tuple[tuple[str, str], ...]
    plain: str
    max_new_tokens: int
    sampling: Sampling | None = None
    required: Mapping[str, Any] = field(default_factory=dict[str, Any])

    @property
    def text(self) -> str:
        """All that is sent, as it is recorded."""
        return "\n\n".join(f"{role}: {content}" for role, content in self.turns) if self.turns else self.plain

    @property
    def key_parts(self) -> list[Any]:
        """All that decides the answer, as JSON."""
        sampling = self.sampling
        drawn = None if sampling is None else [sampling.temperature, sampling.top_p, sampling.seed]
        parts = [[list(turn) for turn in self.turns], self.plain, self.max_new_tokens, drawn]
        return [*parts, dict(self.required)] if self.required else parts


def make_question(
    prompt: Prompt, max_new_tokens: int, sampling: Sampling | None, required: Mapping[str, Any] | None = None
) -> EndpointQuestion:
    """Lay a prompt out: as turns, unless its form is plain or bare."""
    if prompt.task.form in ("plain", "bare"):
        return EndpointQuestion((), plain_text(prompt), max_new_tokens, sampling, required or {})
    turns = [(turn["role"], turn["content"]) for turn in messages(prompt)]
    if prompt.thinking:
        role, content = turns[-1]
        turns[-1] = (role, f"{content}\n\n{prompt.reasoning}")
    elif prompt.reasoning:
        turns += [("assistant", prompt.reasoning), ("user", FINAL)]
    return EndpointQuestion(tuple(turns), "", max_new_tokens, sampling, required or {})
