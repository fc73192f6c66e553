"""What a record says of a model that was asked over HTTP."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

Outcome = Literal["answered", "refused", "cut", "too_long"]
"""What became of a question: answered; refused, or filtered by the provider; cut at the limit of tokens; too long for
the window. A fault of the line or the server is none of them: then there is no answer."""


class ReturnedModel(BaseModel):
    """A model as replies named it.

    Attributes:
        model: the id in the reply; fingerprint: of the server's configuration; None: the reply had none.
        replies: that named it; first, last: when, UTC.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")
    model: str | None
    fingerprint: str | None = None
    replies: int
    first: str
    last: str


class EndpointInfo(BaseModel):
    """A model behind an address: what was asked for, and what answered.

    Attributes:
        host: of the address; away: whether what was asked left this machine and the house.
        model: the alias that was asked for; returned: what replies called it.
        sent: parameters as they were sent; dropped: those that the server refused, with its reason.
        body: fields that the user's entry adds to each request.
        requests: replies paid for in this sitting; retries: requests repeated after a fault; replayed: answers read
            from the journal of an earlier sitting; estimated: replies without a count of tokens.
        cached_tokens: of the prompts, that the provider had read before.
        probes: what the server was seen to do, where that mattered: ``scores`` of echoed prompts, ``constraint`` of
            answers to choices; ``verified`` or why not.
        outcomes: questions by what became of them.
        usd: spent in this sitting by the prices of the run; None: there was no price.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")
    host: str
    away: bool
    model: str
    returned: tuple[ReturnedModel, ...] = ()
    sent: dict[str, Any] = Field(default_factory=dict[str, Any])
    dropped: dict[str, str] = Field(default_factory=dict[str, str])
    body: dict[str, Any] = Field(default_factory=dict[str, Any])
    requests: int = 0
    retries: int = 0
    replayed: int = 0
    estimated: int = 0
    cached_tokens: int = 0
    probes: dict[str, str] = Field(default_factory=dict[str, str])
    outcomes: dict[str, int] = Field(default_factory=dict[str, int])
    usd: float | None = None
