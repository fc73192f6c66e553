"""What a system elsewhere is asked and what it answers: one JSON object each, checked before it counts as an answer."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError

from harness.api import Outcome, Query

EXTERNAL = "external"
"""Name of a whole system elsewhere, in the place of a model's."""
_MOST_NAMED = 5
_MOST_SHOWN = 80
_Id = Annotated[str, Field(strict=True)] | Annotated[int, Field(strict=True)]
_Count = Annotated[int, Field(strict=True, ge=0)]


class ExternalPassage(BaseModel):
    """A passage that the system has used; an id of the suite's corpus alone says which."""

    model_config = ConfigDict(frozen=True)
    id: _Id
    text: str = ""
    title: str = ""


class ExternalTokens(BaseModel):
    """Tokens read and written for one answer."""

    model_config = ConfigDict(frozen=True, populate_by_name=True)
    read: _Count = Field(alias="in")
    written: _Count = Field(alias="out")


class ExternalAnswer(BaseModel):
    """One answer as it comes; further fields are ignored.

    Attributes:
        passages: used, best first; None: the system does not tell, or has none.
        tokens: None: unknown.
        cost: US dollars; None: unknown.
    """

    model_config = ConfigDict(frozen=True)
    id: _Id | None = None
    answer: Annotated[str, Field(strict=True)]
    passages: tuple[ExternalPassage | _Id, ...] | None = None
    tokens: ExternalTokens | None = None
    cost: Annotated[float, Field(ge=0, allow_inf_nan=False)] | None = None


class ExternalReply(BaseModel):
    """One answer as the journal keeps it.

    Attributes:
        outcome: always ``answered``: what holds no answer is a fault.
        service_s: of the request, without waiting and earlier tries; tries: requests for it; None: not asked over HTTP.
    """

    model_config = ConfigDict(frozen=True)
    text: str
    outcome: Outcome = "answered"
    passages: tuple[ExternalPassage, ...] = ()
    tokens_in: int | None = None
    tokens_out: int | None = None
    usd: float | None = None
    service_s: float | None = None
    tries: int | None = None


class MalformedAnswerError(ValueError):
    """What came is no answer; the message says why."""


_OBJECT: TypeAdapter[dict[str, Any]] = TypeAdapter(dict[str, Any])


def question_of(query: Query, choices: Sequence[str], name: str) -> dict[str, Any]:
    """Return what is sent for one query.

    Args:
        query: of the task.
        choices: of which the answer is to be one; empty: any text.
        name: its id on the wire.
    """
    question: dict[str, Any] = {"id": name, "input": query.input, "choices": list(choices), "user": query.user}
    return question | ({"history": [list(turn) for turn in query.history]} if query.history else {})


def read_object(line: str | bytes) -> dict[str, Any]:
    """Read one JSON object.

    Raises:
        MalformedAnswerError: it is none.
    """
    try:
        return _OBJECT.validate_json(line)
    except (ValidationError, RecursionError):
        text = line.decode(errors="replace") if isinstance(line, bytes) else line
        shown = " ".join(text.split())
        raise MalformedAnswerError(f"no JSON object: {shown[:_MOST_SHOWN]!r}") from None


def read_answer(content: Mapping[str, Any]) -> ExternalReply:
    """Check one answer.

    Raises:
        MalformedAnswerError: a field is missing or of another kind.
    """
    try:
        answer = ExternalAnswer.model_validate(content)
    except ValidationError as error:
        first = error.errors(include_input=False)[0]
        place = ".".join(str(part) for part in first["loc"][:2])
        raise MalformedAnswerError(f"{place}: {first['msg']}") from None
    tokens = answer.tokens
    return ExternalReply(
        text=answer.answer,
        passages=tuple(
            passage if isinstance(passage, ExternalPassage) else ExternalPassage(id=passage)
            for passage in answer.passages or ()
        ),
        tokens_in=tokens.read if tokens else None,
        tokens_out=tokens.written if tokens else None,
        usd=answer.cost,
    )


def id_of(content: Mapping[str, Any]) -> str | None:
    """Return the id of an answer as text; None: it has none that could be one."""
    name = content.get("id")
    return str(name) if isinstance(name, str | int) and not isinstance(name, bool) else None


@dataclass
class AnswerFaults:
    """What is wrong with the answers of one round, by kind; empty: nothing.

    Attributes:
        malformed: ids, or places, with the reason.
        duplicate: ids that were answered twice; extra: that were not asked; missing: that were not answered.
    """

    malformed: list[str] = field(default_factory=list[str])
    duplicate: list[str] = field(default_factory=list[str])
    extra: list[str] = field(default_factory=list[str])
    missing: list[str] = field(default_factory=list[str])

    def __bool__(self) -> bool:
        """Whether anything is wrong."""
        return bool(self.malformed or self.duplicate or self.extra or self.missing)

    def __str__(self) -> str:
        """Name the ids of each kind."""
        return "; ".join(self._sentences())

    def _sentences(self) -> Iterator[str]:
        for text, names in (
            ("malformed", self.malformed),
            ("answered twice", self.duplicate),
            ("never asked", self.extra),
            ("without an answer", self.missing),
        ):
            if names:
                more = f" and {len(names) - _MOST_NAMED} more" if len(names) > _MOST_NAMED else ""
                yield f"{len(names)} {text}: {', '.join(names[:_MOST_NAMED])}{more}"
