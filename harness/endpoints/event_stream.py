"""A reply that comes in pieces (server-sent events), put together as the reply that it would be as a whole."""

from __future__ import annotations

import json
from collections.abc import Iterable
from time import perf_counter
from typing import Any

from harness.endpoints.wire import TransientFault

_DATA = "data:"


def read_stream(lines: Iterable[str]) -> tuple[str, float | None]:
    """Read the lines of a stream until it ends.

    Returns:
        The whole reply as JSON; and when the first token came, a thought's too, by `time.perf_counter`.

    Raises:
        TransientFault: it ended before the model did.
    """
    reply: dict[str, Any] = {}
    parts: dict[str, str] = {}
    finish, first_at, chat = None, None, True
    for line in lines:
        if not line.startswith(_DATA) or not (content := line.removeprefix(_DATA).strip()) or content == "[DONE]":
            continue
        try:
            event: Any = json.loads(content)
        except ValueError:
            raise TransientFault("the stream holds no JSON", billed=True) from None
        if not isinstance(event, dict):
            raise TransientFault("the stream holds no JSON object", billed=True)
        if event.get("error"):
            return content, first_at
        reply |= {name: event[name] for name in ("model", "system_fingerprint", "usage") if event.get(name)}
        choices = event.get("choices")
        choice = choices[0] if isinstance(choices, list) and choices else {}
        if not isinstance(choice, dict):
            continue
        chat = "delta" in choice or (chat and "text" not in choice)
        delta = choice.get("delta") or {"text": choice.get("text")}
        for name in ("content", "text", "refusal", "reasoning_content", "reasoning"):
            if isinstance(piece := delta.get(name), str) and piece:
                first_at = first_at or perf_counter()
                parts[name] = parts.get(name, "") + piece
        finish = choice.get("finish_reason") or finish
    if finish is None:
        raise TransientFault("the stream ended before the answer did", billed=True)
    whole = {"message": {"role": "assistant", **parts}} if chat else {"text": parts.get("text", "")}
    return json.dumps({**reply, "choices": [{"finish_reason": finish, **whole}]}), first_at
