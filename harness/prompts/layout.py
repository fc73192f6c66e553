"""Render a `Prompt` to the exact text that is sent, and to tokens that fit the context window.

A model with a chat template gets turns: the instruction as system turn, exemplars as earlier turns, the question as the
last user turn. A base model gets the same parts as plain text, rendered by a template that a task can replace; in the
chat form, a task's own template makes a single user turn. Reasoning begins the assistant's turn.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

from harness.api import Form, Prompt
from harness.errors import HarnessError
from harness.prompts import template


@dataclass(frozen=True)
class RenderedPrompt:
    """A prompt as it is sent.

    Attributes:
        dropped_passages: passages left out to fit the window, worst first.
    """

    text: str
    tokens: list[int]
    dropped_passages: int = 0


def render_prompt(prompt: Prompt, tokenizer: Any, *, max_tokens: int | None) -> RenderedPrompt:
    """Render a prompt, dropping its last passages until it has at most `max_tokens` tokens.

    Raises:
        HarnessError: it does not fit even without passages; the question is never cut.
    """
    dropped = 0
    while True:
        text = render_text(prompt, tokenizer)
        tokens: list[int] = tokenizer(text, add_special_tokens=False)["input_ids"]
        if max_tokens is None or len(tokens) <= max_tokens:
            return RenderedPrompt(text, tokens, dropped)
        if not prompt.passages:
            raise HarnessError(
                f"the prompt for {prompt.question[:60]!r} has {len(tokens)} tokens, and the context window leaves room"
                f" for {max_tokens}: use fewer exemplars, a shorter input or a model with a longer window."
            )
        prompt = replace(prompt, passages=prompt.passages[:-1])
        dropped += 1


def render_text(prompt: Prompt, tokenizer: Any) -> str:
    """Return the text of a prompt, up to where the answer begins."""
    if is_plain(prompt.task.form, tokenizer):
        return bos_text(tokenizer) + plain_text(prompt) or tokenizer.bos_token or tokenizer.eos_token
    turns = messages(prompt, system_turn=has_system_turn(tokenizer.chat_template))
    text = tokenizer.apply_chat_template(turns, add_generation_prompt=True, tokenize=False)
    if not prompt.reasoning:
        return text
    return text + prompt.reasoning + ("" if prompt.thinking else f"\n\n{prompt.task.answer_label}:")


def messages(prompt: Prompt, *, system_turn: bool = True) -> list[dict[str, str]]:
    """Return a prompt as chat messages, up to the turn that the model answers in; needs no tokenizer.

    Args:
        prompt: its reasoning is left out.
        system_turn: whether the instruction is a system turn; else it is put before the first question.
    """
    if prompt.task.template:
        content = template.fill_in(prompt.task.template, replace(prompt, reasoning="", thinking=False))
        return [{"role": "user", "content": content}]
    turns: list[dict[str, str]] = []
    for question, answer in prompt.exemplars:
        turns += [{"role": "user", "content": question}, {"role": "assistant", "content": answer}]
    turns.append({"role": "user", "content": question_with_passages(prompt)})
    instruction = prompt.task.instruction
    if not instruction:
        return turns
    if system_turn:
        return [{"role": "system", "content": instruction}, *turns]
    return [{"role": "user", "content": f"{instruction}\n\n{turns[0]['content']}"}, *turns[1:]]


def has_system_turn(chat_template: str) -> bool:
    """Tell whether a chat template takes a system turn."""
    return "system" in chat_template and "System role not supported" not in chat_template


def bos_text(tokenizer: Any) -> str:
    """Return the beginning-of-sequence token if the tokenizer adds one; chat templates bring their own."""
    first_ids = tokenizer("")["input_ids"][:1]
    return tokenizer.bos_token if first_ids and first_ids[0] == tokenizer.bos_token_id else ""


def is_plain(form: Form, tokenizer: Any) -> bool:
    """Tell whether a prompt is sent as plain text instead of chat turns.

    Raises:
        HarnessError: the form is ``chat``, and the tokenizer has no chat template.
    """
    if form == "chat" and not tokenizer.chat_template:
        raise HarnessError(
            "the task asks for form = 'chat', and the model has no chat template: use 'plain' or 'auto'."
        )
    return form in ("plain", "bare") or not tokenizer.chat_template


def answer_text(prompt: Prompt, answer: str, tokenizer: Any) -> str:
    """Return an answer as it follows its prompt: after a space, unless it begins a text, a turn or a line."""
    if not is_plain(prompt.task.form, tokenizer):
        starts_text = not prompt.reasoning
    elif prompt.task.template or prompt.task.form == "bare":
        starts_text = plain_text(prompt)[-1:].strip() == ""
    else:  # the plain form ends in a colon: no need to look
        starts_text = False
    return answer if starts_text else f" {answer}"


def plain_text(prompt: Prompt) -> str:
    """Return the prompt as one text: by the task's template, bare, or in the built-in plain form."""
    if prompt.task.form == "bare" and not prompt.task.template:
        return bare_text(prompt)
    return template.fill_in(prompt.task.template, prompt)


def bare_text(prompt: Prompt) -> str:
    """Return the texts without labels: instruction, passages, exemplars and question, with an empty line between."""
    exemplars = [f"{question} {answer}".strip() for question, answer in prompt.exemplars]
    parts = [prompt.task.instruction, *passage_blocks(prompt), *exemplars, prompt.question, prompt.reasoning]
    return "\n\n".join(filter(None, parts))


def question_with_passages(prompt: Prompt) -> str:
    """Return the content of the last user turn."""
    if not prompt.passages:
        return prompt.question
    return "\n\n".join([*passage_blocks(prompt), f"{prompt.task.question_label}: {prompt.question}"])


def passage_blocks(prompt: Prompt) -> list[str]:
    """Return each passage with its title, best first."""
    return [f"{p.title}: {p.text}" if p.title else p.text for p in prompt.passages]
