"""Render a `Prompt` to the exact text that is sent, and to tokens that fit the context window.

A model with a chat template gets turns: the instruction as system turn, exemplars as earlier turns, the question as the
last user turn. A base model gets the same parts as plain text, rendered by a template that a task can replace; in the
chat form, a task's own template makes a single user turn. Reasoning begins the assistant's turn.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from itertools import takewhile
from string import ascii_uppercase
from typing import Any, NamedTuple

from harness.api import Form, Prompt
from harness.errors import HarnessError, PromptsTooLongError
from harness.metrics.parsing import lettered
from harness.prompts import chat_template, control_tokens, template

_TAIL = 4
"""Characters at the end of a prompt, at least, that decide how an answer behind it is tokenized."""


@dataclass(frozen=True)
class RenderedPrompt:
    """A prompt as it is sent.

    Attributes:
        tokens: of the text as it stands before an answer, without those that merge with one of `answers`.
        dropped_passages: passages left out to fit the window, worst first.
        answers: tokens of each answer as it follows `tokens`.
    """

    text: str
    tokens: list[int]
    dropped_passages: int = 0
    answers: tuple[list[int], ...] = ()


def render_prompt(
    prompt: Prompt, tokenizer: Any, *, max_tokens: int | None, answers: Sequence[str] = ()
) -> RenderedPrompt:
    """Render a prompt, dropping its last passages until it has, with its longest answer, at most `max_tokens` tokens.

    Prompt and answer are tokenized together, as a tokenizer may put a space before every text.

    Raises:
        PromptsTooLongError: it does not fit even without passages; the question is never cut.
    """
    dropped = 0
    while True:
        marked = _render_marked(prompt, tokenizer)
        answer_texts = [
            control_tokens.mark_text(answer_text(prompt, answer, tokenizer), tokenizer) for answer in answers
        ]
        tokens, answer_tokens = _tokenize(marked, answer_texts, tokenizer)
        reserve = max(map(len, answer_tokens), default=0)
        if max_tokens is None or len(tokens) + reserve <= max_tokens:
            return RenderedPrompt(control_tokens.unmark(marked), tokens, dropped, answer_tokens)
        if not prompt.passages:
            raise PromptsTooLongError(
                f"the prompt for {prompt.question[:60]!r} has {len(tokens)} tokens, and the context window leaves room"
                f" for {max_tokens - reserve}: use fewer exemplars, a shorter input or a model with a longer window."
            )
        prompt = replace(prompt, passages=prompt.passages[:-1])
        dropped += 1


def render_text(prompt: Prompt, tokenizer: Any) -> str:
    """Return the text of a prompt, up to where the answer begins.

    Raises:
        HarnessError: the task's template or the model's chat template cannot be filled in.
    """
    return control_tokens.unmark(_render_marked(prompt, tokenizer))


def count_tokens(prompts: Sequence[Prompt], tokenizer: Any) -> list[int]:
    """Return the number of tokens of each prompt."""
    marked = [_render_marked(prompt, tokenizer) for prompt in prompts]
    return [len(tokens) for tokens in control_tokens.encode_texts(marked, tokenizer)]


def count_answer_tokens(prompt: Prompt, answers: Sequence[str], tokenizer: Any) -> list[int]:
    """Return the number of tokens of each answer as it follows a prompt, without the end of the turn."""
    return [len(tokens) for tokens in render_prompt(prompt, tokenizer, max_tokens=None, answers=answers).answers]


def _render_marked(prompt: Prompt, tokenizer: Any) -> str:
    """Return the text of a prompt with the control tokens of its data marked."""
    prompt = control_tokens.mark(prompt, tokenizer)
    if is_plain(prompt.task.form, tokenizer):
        text = bos_text(tokenizer) + plain_text(prompt) or tokenizer.bos_token or tokenizer.eos_token
        if not text:
            raise HarnessError("a prompt is empty, and the model has no token that begins a text: use form = 'plain'.")
        return text
    turns = messages(prompt, system_turn=chat_template.chat_format(tokenizer).system_turn)
    text = chat_template.render(turns, tokenizer)
    if not prompt.reasoning:
        return text
    return text + prompt.reasoning + ("" if prompt.thinking else f"\n\n{prompt.task.answer_label}:")


def _tokenize(marked: str, answers: Sequence[str], tokenizer: Any) -> tuple[list[int], tuple[list[int], ...]]:
    """Return the tokens of a prompt as they stand before an answer, and the tokens of each answer behind them."""
    tokens = control_tokens.encode(marked, tokenizer)
    start = max(marked.rfind(space, 0, max(len(marked) - _TAIL, 0)) for space in " \n")
    end = _tokenize_end(tokenizer, marked[max(start, 0) :], tuple(answers))
    if tokens[len(tokens) - len(end.alone) :] != end.alone:  # the cut has changed the end
        end = _tokenize_end(tokenizer, marked, tuple(answers))
    return tokens[: len(tokens) - len(end.alone)] + end.before_answers, end.answers


class _End(NamedTuple):
    """Tokens at the end of a text that depend on what follows, from the first one that does.

    Attributes:
        alone: where nothing follows.
        before_answers: where an answer follows; without those that merge with one.
        answers: each answer, with what merges with it.
    """

    alone: list[int]
    before_answers: list[int]
    answers: tuple[list[int], ...]


@lru_cache(maxsize=4096)
def _tokenize_end(tokenizer: Any, text: str, answers: tuple[str, ...]) -> _End:
    """Tokenize the end of a prompt alone and with answers.

    Spaces at its end are the answers', and line breaks are read as they are before a word: GPT-2's pattern, for
    example, has one token for two line breaks at the end of a text, and two before a word.
    """
    stripped = text.rstrip(" ") or text
    word = "x" if stripped[-1:].isspace() else ""
    texts = [text, stripped + word, *(text + answer for answer in answers)]
    alone, before_word, *together = control_tokens.encode_texts(texts, tokenizer)
    before_answers = _common_prefix(before_word[: len(before_word) - len(word)], *together)
    same = len(_common_prefix(alone, before_answers))
    return _End(alone[same:], before_answers[same:], tuple(tokens[len(before_answers) :] for tokens in together))


def _common_prefix(first: list[int], *others: list[int]) -> list[int]:
    """Return the longest beginning that all token sequences share."""
    same = takewhile(lambda column: len(set(column)) == 1, zip(first, *others, strict=False))
    return [token for token, *_ in same]


def messages(prompt: Prompt, *, system_turn: bool = True) -> list[dict[str, str]]:
    """Return a prompt as chat messages, up to the turn that the model answers in; needs no tokenizer.

    Args:
        prompt: its reasoning is left out.
        system_turn: whether the instruction is a system turn; else it is put before the first question.
    """
    prompt = _list_options(prompt)
    if prompt.task.template:
        content = template.fill_in(prompt.task.template, replace(fold_history(prompt), reasoning="", thinking=False))
        return [{"role": "user", "content": content}]
    turns: list[dict[str, str]] = []
    for question, answer in prompt.exemplars:
        turns += [{"role": "user", "content": question}, {"role": "assistant", "content": answer}]
    turns += [{"role": role, "content": text} for role, text in prompt.history if role != "system"]
    turns.append({"role": "user", "content": question_with_passages(prompt)})
    instruction = _instruction(prompt)
    if not instruction:
        return turns
    if system_turn:
        return [{"role": "system", "content": instruction}, *turns]
    first = next(index for index, turn in enumerate(turns) if turn["role"] == "user")
    asked = {"role": "user", "content": f"{instruction}\n\n{turns[first]['content']}"}
    return [*turns[:first], asked, *turns[first + 1 :]]


def fold_history(prompt: Prompt) -> Prompt:
    """Return a prompt whose earlier turns stand before its question as labelled lines, for a text without turns.

    The first label is left out, as the form writes it; a system turn is added to the instruction.
    """
    if not prompt.history:
        return prompt
    task = prompt.task
    labels = {"user": task.question_label, "assistant": task.answer_label}
    turns = [*(turn for turn in prompt.history if turn[0] != "system"), ("user", prompt.question)]
    lines = [f"{labels[role]}: {text}" for role, text in turns]
    lines[0] = turns[0][1] if turns[0][0] == "user" else f"\n{lines[0]}"
    return replace(prompt, task=replace(task, instruction=_instruction(prompt)), question="\n".join(lines), history=())


def _list_options(prompt: Prompt) -> Prompt:
    """Return a prompt whose options stand behind its question, with what is to be written of them."""
    if not prompt.options:
        return prompt
    if lettered(prompt.task.kind, prompt.options):
        lines = [f"{letter}. {option}" for letter, option in zip(ascii_uppercase, prompt.options, strict=False)]
        listing = "\n".join([*lines, "Answer with the letter alone."])
    else:
        listing = f"Answer with one of: {', '.join(prompt.options)}."
    return replace(prompt, question=f"{prompt.question}\n\n{listing}", options=())


def _instruction(prompt: Prompt) -> str:
    """Return the task's instruction and the system turns of a conversation."""
    system = [text for role, text in prompt.history if role == "system"]
    return "\n\n".join(filter(None, [prompt.task.instruction, *system]))


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
    """Return an answer as it follows its prompt: after a space, unless it begins a text, a line or, mostly, a turn."""
    if not is_plain(prompt.task.form, tokenizer):
        return f" {answer}" if prompt.reasoning else chat_template.chat_format(tokenizer).answer_space + answer
    ends_in_colon = not prompt.task.template and prompt.task.form != "bare"
    return answer if not ends_in_colon and not plain_text(prompt)[-1:].strip() else f" {answer}"


def plain_text(prompt: Prompt) -> str:
    """Return the prompt as one text: by the task's template, bare, or in the built-in plain form."""
    prompt = fold_history(_list_options(prompt))
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
