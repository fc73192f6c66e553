"""How a round of questions is put to a system elsewhere, whichever way it is reached."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol

from harness.endpoints.external_wire import ExternalReply
from harness.errors import HarnessError

Deliver = Callable[[str, ExternalReply], None]
"""Takes the answer to the question with an id; threads may call it at once."""


class ExternalFaultError(HarnessError):
    """A system elsewhere left a question unanswered; what it did answer was delivered."""


class Transport(Protocol):
    """A way to put questions."""

    def ask(self, questions: Sequence[Mapping[str, Any]], deliver: Deliver) -> None:
        """Put questions, and deliver each answer as it comes.

        Raises:
            ExternalFaultError: not every question has one good answer; the ids are named.
        """
        ...


def as_line(question: Mapping[str, Any]) -> bytes:
    """Return a question as a line of JSON."""
    return json.dumps(question, ensure_ascii=False).encode("utf-8", "backslashreplace") + b"\n"
