"""Conversations in a cell: a list of turns, as OpenAI writes them (`messages`) or ShareGPT (`conversations`)."""

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

from harness.api import Example, Turn, turns_text
from harness.data.cells import whole_text

ROLES = {
    **dict.fromkeys(("system", "developer"), "system"),
    **dict.fromkeys(("user", "human"), "user"),
    **dict.fromkeys(("assistant", "gpt", "chatgpt", "model", "bot"), "assistant"),
}
"""Role in a file → role in a chat template."""
_KEYS = (("role", "content"), ("from", "value"))


@dataclass(frozen=True)
class Conversation:
    """What is asked last, and what was said before.

    Attributes:
        history: the turns before the question.
        question: the user's last turn before the answer.
        answer: the assistant's last turn; empty without one.
    """

    history: tuple[Turn, ...]
    question: str
    answer: str


def turns_of(cell: object) -> list[dict[str, Any]] | None:
    """Return the turns of a cell that holds a conversation, as a list or as JSON; None: it holds none."""
    if isinstance(cell, str) and cell.lstrip().startswith("[") and any(f'"{role}"' in cell for role, _ in _KEYS):
        try:
            cell = json.loads(cell)
        except (ValueError, RecursionError):
            return None
    if not isinstance(cell, list) or not cell:
        return None
    are_turns = all(isinstance(turn, dict) and any(role in turn for role, _ in _KEYS) for turn in cell)
    return cell if are_turns else None


def read_turns(cell: Sequence[dict[str, Any]], system: str = "") -> tuple[Turn, ...]:
    """Return (role, text) of each turn; turns of one role in a row are one.

    Args:
        cell: from `turns_of`.
        system: the system turn of a file that has it in a column of its own; used where the turns have none.

    Raises:
        ValueError: a turn has no text, or is of a role that no chat template shows.
    """
    turns: list[Turn] = []
    for number, turn in enumerate(cell, 1):
        role_key, text_key = next(keys for keys in _KEYS if keys[0] in turn)
        name = str(turn[role_key])
        role = ROLES.get(name.casefold())
        if role is None:
            raise ValueError(f"turn {number} is of the role {name!r}, and only {', '.join(ROLES)} can be asked")
        text = _text(turn.get(text_key))
        if text is None or turn.get("tool_calls"):
            raise ValueError(f"turn {number} ({name}) holds something other than a text")
        if turns and turns[-1][0] == role:
            text = "\n\n".join(filter(None, [turns.pop()[1], text]))
        turns.append((role, text))
    has_system = any(role == "system" for role, _ in turns)
    return tuple(turns) if has_system or not system else (("system", system), *turns)


def divide(turns: Sequence[Turn], *, scored: bool) -> Conversation:
    """Divide a conversation at the user's last turn; what follows is the answer.

    Args:
        turns: from `read_turns`.
        scored: whether the assistant's last turn is the reference: then what comes behind it is left out.

    Raises:
        ValueError: there is no such turn.
    """
    roles = [role for role, _ in turns]
    if scored and "assistant" not in roles:
        raise ValueError("no turn of the assistant, which would be the reference")
    end = len(roles) - roles[::-1].index("assistant") - 1 if scored else len(roles)
    asking = [index for index in range(end) if roles[index] == "user"]
    if not asking:
        raise ValueError("no turn of the user before the assistant's last" if scored else "no turn of the user")
    last = asking[-1]
    return Conversation(tuple(turns[:last]), turns[last][1], turns[end][1] if scored else "")


def last_answer(cell: Sequence[dict[str, Any]]) -> str:
    """Return the assistant's last turn, empty without one.

    Raises:
        ValueError: a turn cannot be read.
    """
    return next((text for role, text in reversed(read_turns(cell)) if role == "assistant"), "")


def as_text(turns: Sequence[Turn]) -> str:
    """Return a conversation as labelled lines."""
    return turns_text(turns)


def learned_turns(examples: Sequence[Example]) -> tuple[Example, ...]:
    """Return an example for each turn of an assistant: those before the last one are learned like it.

    The turns of one conversation share its cluster.
    """
    return tuple(turn for example in examples for turn in _turns_of(example))


def _turns_of(example: Example) -> Iterator[Example]:
    history = example.query.history
    answered = [n for n, (role, _) in enumerate(history) if role == "assistant" and n and history[n - 1][0] == "user"]
    if not answered:
        yield example
        return
    cluster = example.cluster or example.query.id
    for n in answered:
        query = replace(
            example.query, id=f"{example.query.id}#turn{n + 1}", input=history[n - 1][1], history=history[: n - 1]
        )
        yield replace(example, query=query, references=(history[n][1],), cluster=cluster, evidence=(), rejected=None)
    yield replace(example, cluster=cluster)


def _text(content: object) -> str | None:
    """Return a turn's text, its parts put together; None: a part is no text."""
    if isinstance(content, str):
        return whole_text(content).strip()
    if not isinstance(content, list):
        return None
    parts = [part.get("text") if isinstance(part, dict) else part for part in content]
    return (
        "\n\n".join(whole_text(part).strip() for part in parts if isinstance(part, str))
        if all(map(_is_text, parts))
        else None
    )


def _is_text(part: object) -> bool:
    return isinstance(part, str)
