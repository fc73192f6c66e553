"""Chat templates: what a tokenizer's template can do, read off a few probes, and turns rendered by it.

Thinking is switched off where the template has a switch, and a thought that the template opens is closed empty (Ma et
al. 2025, arXiv:2504.09858), so that answers are written, scored and trained behind the thought and not inside it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import lru_cache
from importlib import import_module
from typing import Any

from jinja2 import TemplateError

from harness.errors import HarnessError
from harness.measure.template_limits import LimitedSandbox, template_limits

Turns = Sequence[Mapping[str, str]]

DATE = datetime(2025, 1, 1)  # noqa: DTZ001 - a template sees no time zone
"""Today, as far as a chat template can tell: two runs of one trial send the same prompt."""

_SYSTEM, _QUESTION, _ANSWER, _NEXT = (
    "Reply in kind.",
    "Where is the harbour?",
    "By the old mill.",
    "And the lighthouse?",
)
_OPEN, _CLOSE = "<think>", "</think>"
_SWITCHES = ("enable_thinking", "thinking")


@dataclass(frozen=True)
class ChatFormat:
    """What a chat template can do.

    Attributes:
        system_turn: whether it shows a system turn; else the instruction goes into the first user turn.
        earlier_turns: whether it shows questions and answers before the last question.
        content_parts: whether the content of a turn is a list of parts instead of a text.
        options: variables that switch thinking off; empty: it has no switch.
        thought_end: text that closes the thought that it opens; empty: it opens none.
        thinks: whether the model may open a thought by itself.
        answer_space: white space between the prompt and an answer.
        end_of_turn: text between an answer and the next turn.
        dated: whether it shows today's date.
    """

    system_turn: bool = True
    earlier_turns: bool = True
    content_parts: bool = False
    options: Mapping[str, bool] = field(default_factory=dict[str, bool])
    thought_end: str = ""
    thinks: bool = False
    answer_space: str = ""
    end_of_turn: str = ""
    dated: bool = False


def chat_format(tokenizer: Any) -> ChatFormat:
    """Return what a tokenizer's chat template can do; without a template, the format of none.

    Raises:
        HarnessError: the template cannot be rendered, or leaves the question out.
    """
    return _probe(tokenizer, str(tokenizer.chat_template)) if tokenizer.chat_template else ChatFormat()


def render(turns: Turns, tokenizer: Any) -> str:
    """Render turns up to where the answer begins, behind the thought if there is one.

    Raises:
        HarnessError: the template refuses them.
    """
    chat = chat_format(tokenizer)
    if len(turns) > 2 and not chat.earlier_turns:  # more than instruction and question
        raise HarnessError(
            "the model's chat template shows no earlier turns, so it shows no exemplars and no conversations: use "
            "form = 'plain'."
        )
    return _render(turns, tokenizer, chat.options, content_parts=chat.content_parts) + chat.thought_end


def notes(tokenizer: Any) -> list[str]:
    """Return what a reader of a record must know of prompts in chat turns; nothing where none can be rendered."""
    try:
        chat = chat_format(tokenizer)
    except HarnessError:  # each trial in chat turns fails with it
        return []
    switch = next(iter(chat.options), "")
    sentences = {
        f"in chat turns, thinking is switched off ({switch}=False)": bool(switch),
        "in chat turns, the thought that the template opens is closed empty": bool(chat.thought_end),
        "in chat turns, the model may think first, and its answer is read behind </think>": chat.thinks,
        f"the chat template's date is fixed at {DATE:%Y-%m-%d}": chat.dated,
    }
    return [sentence for sentence, applies in sentences.items() if applies]


def end_of_turn_id(tokenizer: Any) -> int | None:
    """Return the control token behind an answer in chat turns; None: there is none, or no rendering."""
    try:
        end = chat_format(tokenizer).end_of_turn.lstrip()
    except HarnessError:  # of no matter where prompts are plain
        return None
    behind = tokenizer(end, add_special_tokens=False)["input_ids"] if end else []
    return behind[0] if behind and behind[0] in tokenizer.added_tokens_decoder else None


@lru_cache(maxsize=16)
def _probe(tokenizer: Any, template: str) -> ChatFormat:
    """Render probes; `template` is the text that the cache goes by."""
    question = {"role": "user", "content": _QUESTION}
    prompt, parts = _render([question], tokenizer), False
    if _QUESTION not in prompt:
        prompt, parts = _try([question], tokenizer, content_parts=True), True
    if _QUESTION not in prompt:
        raise HarnessError("the model's chat template leaves the question out: use form = 'plain'.")
    options = next(
        ({name: False} for name in _SWITCHES if _try([question], tokenizer, {name: False}, parts) not in ("", prompt)),
        dict[str, bool](),
    )
    prompt = _render([question], tokenizer, options, content_parts=parts)
    answered = [question, {"role": "assistant", "content": _ANSWER}]
    with_system = _try([{"role": "system", "content": _SYSTEM}, question], tokenizer, options, parts)
    with_next = _try([*answered, {"role": "user", "content": _NEXT}], tokenizer, options, parts)
    before, _, after = _try(answered, tokenizer, options, parts, add_generation_prompt=False).rpartition(_ANSWER)
    space = before.removeprefix(prompt) if before.startswith(prompt) else ""
    opened = _OPEN in prompt and _CLOSE not in prompt[prompt.rindex(_OPEN) :]
    return ChatFormat(
        system_turn=_SYSTEM in with_system and _QUESTION in with_system,
        earlier_turns=all(text in with_next for text in (_QUESTION, _ANSWER, _NEXT)),
        content_parts=parts,
        options=options,
        thought_end=("" if prompt.endswith("\n") else "\n") + f"\n{_CLOSE}\n\n" if opened else "",
        thinks=_CLOSE in template and not options and not opened,
        answer_space="" if space.strip() else space,
        end_of_turn=after,
        dated="strftime_now" in template and DATE.strftime("%Y") in prompt + with_system,
    )


def _try(
    turns: Turns,
    tokenizer: Any,
    options: Mapping[str, bool] | None = None,
    content_parts: bool = False,
    *,
    add_generation_prompt: bool = True,
) -> str:
    """Render turns; empty where the template refuses them."""
    try:
        return _render(
            turns, tokenizer, options, content_parts=content_parts, add_generation_prompt=add_generation_prompt
        )
    except HarnessError:
        return ""


def _render(
    turns: Turns,
    tokenizer: Any,
    options: Mapping[str, bool] | None = None,
    *,
    content_parts: bool = False,
    add_generation_prompt: bool = True,
) -> str:
    conversation = [
        {**turn, "content": [{"type": "text", "text": turn["content"]}]} if content_parts else dict(turn)
        for turn in turns
    ]
    try:
        with template_limits("the model's chat template"):
            _compile(tokenizer.get_chat_template())
            return tokenizer.apply_chat_template(
                conversation, add_generation_prompt=add_generation_prompt, tokenize=False, **(options or {})
            )
    except (
        TemplateError,
        ArithmeticError,
        AttributeError,
        LookupError,
        RecursionError,
        TypeError,
        ValueError,
    ) as error:
        reason = " ".join(str(error).split()) or type(error).__name__
        raise HarnessError(
            f"the model's chat template cannot be rendered ({reason}): use form = 'plain', or mend the template."
        ) from error


def _compile(template: str) -> None:
    """Compile a template, for transformers to find, in a limited sandbox and with `DATE` as today.

    transformers lets no caller pass a function or an environment.
    """
    utils: Any = import_module("transformers.utils.chat_template_utils")
    utils.ImmutableSandboxedEnvironment = LimitedSandbox
    compiled = utils._compile_jinja_template(template)  # noqa: SLF001 - see above
    compiled.environment.globals["strftime_now"] = DATE.strftime
