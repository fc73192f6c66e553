"""From a `Prompt` to the exact text that is sent, and to tokens that fit the context window.

A model with a chat template gets turns: the instruction as the system's, exemplars as earlier turns, the question
as the user's last. A base model gets the same parts as plain text.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

from harness.api import Form, Prompt
from harness.errors import HarnessError


@dataclass(frozen=True)
class LaidOut:
    """A prompt as it is sent.

    Attributes:
        dropped_passages: passages left out to fit the window, worst first.
    """

    text: str
    tokens: list[int]
    dropped_passages: int = 0


def lay_out(prompt: Prompt, tokenizer: Any, *, room: int | None) -> LaidOut:
    """Render a prompt, leaving out its last passages until it fits into `room` tokens.

    Raises:
        HarnessError: it does not fit even without passages; the question is never cut.
    """
    dropped = 0
    while True:
        text = render(prompt, tokenizer)
        tokens: list[int] = tokenizer(text, add_special_tokens=False)["input_ids"]
        if room is None or len(tokens) <= room:
            return LaidOut(text, tokens, dropped)
        if not prompt.passages:
            raise HarnessError(
                f"the prompt for {prompt.question[:60]!r} has {len(tokens)} tokens, and the context window leaves room"
                f" for {room}: use fewer exemplars, a shorter input or a model with a longer window."
            )
        prompt = replace(prompt, passages=prompt.passages[:-1])
        dropped += 1


def render(prompt: Prompt, tokenizer: Any) -> str:
    """Return the text of a prompt, up to the place where the answer begins."""
    if prompt.task.form == "bare":
        return beginning(tokenizer) + bare(prompt) or tokenizer.bos_token or tokenizer.eos_token
    if is_plain(prompt.task.form, tokenizer):
        return beginning(tokenizer) + plain(prompt)
    turns: list[dict[str, str]] = []
    for question, answer in prompt.exemplars:
        turns += [{"role": "user", "content": question}, {"role": "assistant", "content": answer}]
    turns.append({"role": "user", "content": question_with_passages(prompt)})
    if prompt.task.instruction:
        turns = with_instruction(turns, prompt.task.instruction, tokenizer.chat_template)
    return tokenizer.apply_chat_template(turns, add_generation_prompt=True, tokenize=False)


def beginning(tokenizer: Any) -> str:
    """Return the token that a model's texts begin with, where its tokenizer puts one there; a template has its own."""
    first = tokenizer("")["input_ids"][:1]
    return tokenizer.bos_token if first and first[0] == tokenizer.bos_token_id else ""


def is_plain(form: Form, tokenizer: Any) -> bool:
    """Say whether a prompt is sent as labelled lines of text.

    Raises:
        HarnessError: a chat form was asked for, and the tokenizer has no template.
    """
    if form == "chat" and not tokenizer.chat_template:
        raise HarnessError(
            "the task asks for form = 'chat', and the model has no chat template: use 'plain' or 'auto'."
        )
    return form in ("plain", "bare") or not tokenizer.chat_template


def answer_text(answer: str, *, plain_form: bool) -> str:
    """Return an answer as it follows the prompt: behind a space, where the prompt ends in a colon."""
    return f" {answer}" if plain_form else answer


def with_instruction(turns: list[dict[str, str]], instruction: str, template: str) -> list[dict[str, str]]:
    """Put the instruction into the system's turn, or into the first question where the template has none."""
    if "system" in template and "System role not supported" not in template:
        return [{"role": "system", "content": instruction}, *turns]
    return [{"role": "user", "content": f"{instruction}\n\n{turns[0]['content']}"}, *turns[1:]]


def plain(prompt: Prompt) -> str:
    """Return the plain form: blocks of labelled lines; passages stand right before what they are for."""
    task = prompt.task
    asked, answered = task.question_label, task.answer_label
    last = f"{asked}: {prompt.question}\n{answered}:"
    shown = [f"{asked}: {question}\n{answered}: {answer}" for question, answer in prompt.exemplars]
    passages = passage_blocks(prompt)
    if shown:
        return "\n\n".join([*filter(None, [task.instruction]), *shown, *passages, last])
    return "\n\n".join([*passages, "\n".join([*filter(None, [task.instruction]), last])])


def bare(prompt: Prompt) -> str:
    """Return the texts themselves: passages, exemplars and what is asked, with an empty line between."""
    shown = [f"{question} {answer}".strip() for question, answer in prompt.exemplars]
    return "\n\n".join(filter(None, [prompt.task.instruction, *passage_blocks(prompt), *shown, prompt.question]))


def question_with_passages(prompt: Prompt) -> str:
    """Return the user's last turn."""
    if not prompt.passages:
        return prompt.question
    return "\n\n".join([*passage_blocks(prompt), f"{prompt.task.question_label}: {prompt.question}"])


def passage_blocks(prompt: Prompt) -> list[str]:
    """Return the passages as they stand before the question, best first."""
    return [f"{p.title}: {p.text}" if p.title else p.text for p in prompt.passages]
