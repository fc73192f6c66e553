"""The protocol: a request's body, and what a reply means. Nothing is assumed of a model because of its name.

A reply is an answer only if it holds one. Everything else is a `Fault`: of the line or the server (asked again), of one
parameter (left out from then on), or one that no repetition mends.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from pydantic import BaseModel, ConfigDict

from harness.api import Outcome
from harness.endpoints.keys import without_keys
from harness.errors import HarnessError

CHAT, COMPLETIONS = "/chat/completions", "/completions"
LIMIT_FIELDS = ("max_tokens", "max_completion_tokens")
"""The limit of written tokens; the second is sent once the first is refused: a refusal shows, neglect does not."""

_TRANSIENT = frozenset({408, 409, 425, 429, 500, 502, 503, 504, 529})
_NO_MONEY = re.compile(r"insufficient_quota|billing_hard_limit|insufficient (?:funds|credit|balance)", re.IGNORECASE)
_TOO_LONG = re.compile(
    r"context_length_exceeded|exceed_context_size|maximum context length|context (?:window|length|size)|"
    r"prompt is too long|input is too long",
    re.IGNORECASE,
)
_FILTERED = re.compile(r"content[_ ]filter|content_policy|responsible ?ai", re.IGNORECASE)
_RESETS = ("x-ratelimit-reset-requests", "x-ratelimit-reset-tokens")
_DURATION = re.compile(r"(?:(\d+(?:\.\d+)?)h)?(?:(\d+(?:\.\d+)?)m(?!s))?(?:(\d+(?:\.\d+)?)s)?(?:(\d+(?:\.\d+)?)ms)?")
_MOST_REASON = 300
_LOADING_S = 10.0
"""Wait for a server that is loading its model."""
BYTES_PER_TOKEN = 3
"""Fewer than English has, so that an estimate is rather too high."""


class Reply(BaseModel):
    """One question's reply.

    Attributes:
        prompt_tokens, output_tokens: as the server bills them, reasoning included; reasoning_tokens: of the output.
        reasoned: whether the model thought before it wrote.
        estimated: whether the reply held no counts.
        cached_tokens: of the prompt, that the provider had read before.
        model, fingerprint: what the reply calls the model, and its configuration.
        at: when it came, UTC.
        tokens, logprobs: of the text, nats, where they were wanted: the prompt's own and those written; None: the first
            has none. alternatives: the likeliest tokens in the place of each.
        first_token_at: when the first token came, by `time.perf_counter`; None: the reply came as a whole.
        service_s: from sending the last try to its end; tries: requests until there was a reply.
    """

    model_config = ConfigDict(frozen=True)
    text: str
    outcome: Outcome
    prompt_tokens: int = 0
    output_tokens: int = 0
    reasoning_tokens: int = 0
    reasoned: bool = False
    cached_tokens: int = 0
    estimated: bool = False
    model: str | None = None
    fingerprint: str | None = None
    at: str = ""
    tokens: tuple[str, ...] = ()
    logprobs: tuple[float | None, ...] = ()
    alternatives: tuple[dict[str, float], ...] = ()
    first_token_at: float | None = None
    service_s: float | None = None
    tries: int = 1


class Fault(Exception):  # noqa: N818 - a reply without an answer, which is not always an error
    """A reply that holds no answer; its text is the server's, without keys."""


class TransientFault(Fault):
    """A fault of the line or the server, which a repetition may mend.

    Attributes:
        wait_s: how long the server asks to wait; None: it does not say.
        throttled: whether the server has too many requests, so that fewer are to be sent.
        once: whether it is repeated once at most.
        billed: whether the request may cost money though no answer came.
    """

    def __init__(
        self,
        text: str,
        wait_s: float | None = None,
        *,
        throttled: bool = False,
        once: bool = False,
        billed: bool = False,
    ) -> None:
        super().__init__(text)
        self.wait_s, self.throttled, self.once, self.billed = wait_s, throttled, once, billed


class ParameterFault(Fault):
    """The server refuses one parameter."""

    def __init__(self, text: str, parameter: str) -> None:
        super().__init__(text)
        self.parameter = parameter


class TooLongFault(Fault):
    """The prompt does not fit the model's window."""


class RefusedFault(Fault):
    """The provider's filter refuses the question."""


class FatalFault(Fault, HarnessError):  # noqa: N818 - as above
    """No repetition mends it: the trial ends."""


def check_status(status: int, headers: Mapping[str, str], text: str, sent: Mapping[str, Any]) -> None:
    """Raise the fault that a status of 300 or more means.

    Args:
        status: HTTP status.
        headers: of the reply, whatever the case of their names.
        text: of the reply.
        sent: body of the request, whose optional parameters may be at fault.
    """
    if status < 300:
        return
    reason = f"HTTP {status}: {_reason(text)}"
    if status < 400:
        raise FatalFault(f"HTTP {status}: the server sends its callers elsewhere, and a key follows nobody.")
    if status in (401, 402, 403, 404, 405) or (status == 429 and _NO_MONEY.search(text)):
        raise FatalFault(reason)
    if status in _TRANSIENT or status >= 500:
        loads = status == 503 and "loading" in text.lower()
        raise TransientFault(reason, wait_hint(headers) or (_LOADING_S if loads else None), throttled=status == 429)
    if _FILTERED.search(text):
        raise RefusedFault(reason)
    if _TOO_LONG.search(text):
        raise TooLongFault(reason)
    if parameter := _parameter(text, sent):
        raise ParameterFault(reason, parameter)
    raise FatalFault(reason)


def read_reply(text: str, asked: str) -> Reply:
    """Read a reply of status 200.

    Args:
        text: of the reply.
        asked: the prompt, from whose length tokens are estimated where the reply counts none.

    Raises:
        Fault: it holds no answer.
    """
    try:
        content: Any = json.loads(text)
    except ValueError:
        raise TransientFault("the reply is cut off or no JSON", billed=True) from None
    if not isinstance(content, dict):
        raise TransientFault("the reply is no JSON object", billed=True)
    if error := content.get("error"):
        code = error.get("code") if isinstance(error, dict) else None
        check_status(code if isinstance(code, int) and code >= 400 else 503, {}, json.dumps(error), {})
    choices = content.get("choices")
    choice = choices[0] if isinstance(choices, list) and choices else None
    if not isinstance(choice, dict):
        raise TransientFault("the reply has no choices", billed=True)
    answer, refusal = _text_of(choice)
    answer = without_keys(answer)
    finish = choice.get("finish_reason")
    outcome: Outcome = "answered"
    if finish == "content_filter" or (refusal and not answer):
        outcome = "refused"
    elif finish == "length":
        outcome = "cut"
    usage = _usage(content.get("usage"), asked, answer)
    return Reply(
        text="" if outcome == "refused" else answer,
        outcome=outcome,
        reasoned=usage.get("reasoning_tokens", 0) > 0 or _has_thought(choice),
        **usage,
        **_token_scores(choice.get("logprobs")),
        model=_text_or_none(content.get("model")),
        fingerprint=_text_or_none(content.get("system_fingerprint")),
        at=datetime.now(UTC).isoformat(timespec="seconds"),
    )


def wait_hint(headers: Mapping[str, str]) -> float | None:
    """Return how long a server asks to wait, seconds; None: it does not say, or says it as a date."""
    lower = {name.lower(): text for name, text in headers.items()}
    if (milliseconds := _number(lower.get("retry-after-ms"))) is not None:
        return milliseconds / 1000
    if (seconds := _number(lower.get("retry-after"))) is not None:
        return seconds
    resets = [_duration(lower[name]) for name in _RESETS if name in lower]
    return max((reset for reset in resets if reset is not None), default=None)


def estimated_tokens(text: str) -> int:
    """Return about how many tokens a text has, rather too many."""
    return -(-len(text.encode()) // BYTES_PER_TOKEN)


def _text_of(choice: Mapping[str, Any]) -> tuple[str, str]:
    """Return what was written, and a refusal."""
    message = choice.get("message")
    if not isinstance(message, dict):
        return _text_or_none(choice.get("text")) or "", ""
    return _text_or_none(message.get("content")) or "", _text_or_none(message.get("refusal")) or ""


def _has_thought(choice: Mapping[str, Any]) -> bool:
    message = choice.get("message")
    return isinstance(message, dict) and any(message.get(name) for name in ("reasoning_content", "reasoning"))


def _token_scores(scores: Any) -> dict[str, Any]:
    """Read the log-probabilities of ``/completions``; empty where there are none, or not in its layout."""
    columns = scores if isinstance(scores, dict) else {}
    tokens, logprobs, tops = (columns.get(name) for name in ("tokens", "token_logprobs", "top_logprobs"))
    if not (isinstance(tokens, list) and isinstance(logprobs, list) and all(isinstance(text, str) for text in tokens)):
        return {}
    if not all(number is None or isinstance(number, int | float) for number in logprobs):
        return {}
    alternatives = [top if isinstance(top, dict) else {} for top in tops] if isinstance(tops, list) else []
    return {"tokens": tuple(tokens), "logprobs": tuple(logprobs), "alternatives": tuple(alternatives)}


def _usage(usage: Any, asked: str, answer: str) -> dict[str, Any]:
    """Return the tokens that are billed: some servers count reasoning outside the completion."""
    counts = usage if isinstance(usage, dict) else {}
    prompt, completion = _count(counts.get("prompt_tokens")), _count(counts.get("completion_tokens"))
    if prompt is None or completion is None:
        return {
            "prompt_tokens": estimated_tokens(asked),
            "output_tokens": estimated_tokens(answer),
            "estimated": True,
        }
    details = counts.get("completion_tokens_details")
    reasoning = _count(details.get("reasoning_tokens")) if isinstance(details, dict) else None
    details = counts.get("prompt_tokens_details")
    cached = _count(details.get("cached_tokens")) if isinstance(details, dict) else None
    total = _count(counts.get("total_tokens")) or 0
    return {
        "prompt_tokens": prompt,
        "output_tokens": max(completion, total - prompt),
        "reasoning_tokens": reasoning or 0,
        "cached_tokens": min(cached or 0, prompt),
    }


def _parameter(text: str, sent: Mapping[str, Any]) -> str | None:
    """Return the optional parameter that an error names, by its field ``param`` or else the first in its text."""
    optional = [name for name in sent if name not in ("model", "messages", "prompt")]
    try:
        error: Any = json.loads(text)
        error = error.get("error", error) if isinstance(error, dict) else {}
        param = error.get("param") if isinstance(error, dict) else None
    except ValueError:
        param = None
    if param in optional:
        return param
    places = {name: match.start() for name in optional if (match := re.search(rf"\b{re.escape(name)}\b", text))}
    return min(places, key=lambda name: places[name]) if places else None


def _reason(text: str) -> str:
    """Return the sentence of an error's body in one line, without keys."""
    try:
        content: Any = json.loads(text)
    except ValueError:
        content = text
    while isinstance(content, dict):
        content = content.get("error") or content.get("message") or content.get("detail") or json.dumps(content)
    return " ".join(without_keys(str(content)).split())[:_MOST_REASON]


def _duration(text: str) -> float | None:
    """Read ``1.5s``, ``6m0s`` or ``20ms``; a number alone is seconds."""
    if (seconds := _number(text)) is not None:
        return seconds
    match = _DURATION.fullmatch(text.strip())
    if not match or not any(match.groups()):
        return None
    hours, minutes, seconds, milliseconds = (float(part or 0) for part in match.groups())
    return 3600 * hours + 60 * minutes + seconds + milliseconds / 1000


def _number(text: str | None) -> float | None:
    return float(text) if text and re.fullmatch(r"\d+(?:\.\d+)?", text.strip()) else None


def _count(number: Any) -> int | None:
    return number if isinstance(number, int) and not isinstance(number, bool) and number >= 0 else None


def _text_or_none(text: Any) -> str | None:
    return text if isinstance(text, str) and text else None
