"""Answers that a server lets be nothing but one of some choices, by whichever way of asking is seen to work.

A server may ignore a constraint that it does not know and answer 200, so each way is tried on questions whose natural
answer is none of the choices: only one that brings back a choice, of two sets, is believed.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from string import ascii_uppercase
from typing import Any

from harness.api import Prompt
from harness.endpoints.turns import EndpointQuestion
from harness.endpoints.wire import FatalFault, Fault
from harness.metrics.parsing import lettered

FIELD = "answer"
"""Of the JSON object that holds the choice, where the constraint is a schema."""
_ASKED = "What is the capital of France? Answer with the name of the city alone."
_CHOICES = (("zebra", "quartz"), ("walnut", "copper"))
_TOKENS = 16


def _schema(choices: Sequence[str]) -> dict[str, Any]:
    properties = {FIELD: {"type": "string", "enum": list(choices)}}
    schema = {"type": "object", "properties": properties, "required": [FIELD], "additionalProperties": False}
    return {
        "response_format": {"type": "json_schema", "json_schema": {"name": FIELD, "strict": True, "schema": schema}}
    }


WAYS: Mapping[str, Callable[[Sequence[str]], dict[str, Any]]] = {
    "structured_outputs": lambda choices: {"structured_outputs": {"choice": list(choices)}},
    "response_format": _schema,
    "guided_choice": lambda choices: {"guided_choice": list(choices)},
}
"""Fields of a request by the name of the way: vLLM from 0.12 on; OpenAI, llama.cpp and others; vLLM before."""


def constrain(way: str, prompt: Prompt) -> dict[str, Any]:
    """Return the fields that keep an answer to a prompt's options; a schema's choice has room for its JSON."""
    letters = lettered(prompt.task.kind, prompt.options)
    return WAYS[way](list(ascii_uppercase[: len(prompt.options)]) if letters else prompt.options)


def read_choice(way: str, text: str) -> str:
    """Return the choice in a constrained answer; a text that is no such object as it is."""
    if way != "response_format":
        return text
    try:
        answer: Any = json.loads(text)
    except ValueError:
        return text
    choice = answer.get(FIELD) if isinstance(answer, dict) else None
    return choice if isinstance(choice, str) else text


def room(way: str, choices: Sequence[str]) -> int:
    """Return the tokens that a constrained answer needs at most: one a byte, and those of the JSON around it."""
    return max(len(choice.encode()) for choice in choices) + (_TOKENS if way == "response_format" else 1)


def verified_way(ask: Callable[[EndpointQuestion], str]) -> tuple[str | None, str]:
    """Return the first way that works, None if there is none; and what each did.

    Args:
        ask: returns the text of an answer, or raises a fault.
    """
    accounts: list[str] = []
    for way, fields in WAYS.items():
        account = ""
        for choices in _CHOICES:
            question = EndpointQuestion((("user", _ASKED),), "", room(way, choices), required=fields(choices))
            try:
                text = ask(question)
            except (FatalFault, Fault) as fault:
                account = f"refused ({fault})"
                break
            if read_choice(way, text).strip() not in choices:
                account = "ignored"
                break
        if not account:
            return way, "; ".join([*accounts, f"{way}: verified"])
        accounts.append(f"{way}: {account}")
    return None, "; ".join(accounts)
