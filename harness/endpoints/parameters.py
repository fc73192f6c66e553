"""Parameters of requests to one endpoint, learned from its refusals and never from a model's name."""

from __future__ import annotations

from threading import Lock
from typing import Any

from harness.endpoints.providers import Destination
from harness.endpoints.turns import EndpointQuestion
from harness.endpoints.wire import LIMIT_FIELDS, FatalFault, ParameterFault

ROOM_TOKENS = 2048
"""Added to the limit of an answer once a model was cut in the middle of its thought."""
STREAMING = ("stream", "stream_options")
"""Parameters of a timed question only."""


class Parameters:
    """What the endpoint takes; shared by the threads that ask it.

    Attributes:
        sent: parameters of the latest request, without the prompt.
        dropped: refused parameters with the server's reason.
    """

    def __init__(self, destination: Destination) -> None:
        """Begin with all parameters."""
        self.sent: dict[str, Any] = {}
        self.dropped: dict[str, str] = {}
        self._destination = destination
        self._room = 0
        self._lock = Lock()

    def limit(self, question: EndpointQuestion) -> int:
        """Return the most tokens that an answer may have, its thought included."""
        return question.max_new_tokens + self._room

    def body(self, question: EndpointQuestion, *, stream: bool = False) -> dict[str, Any]:
        """Return a request's body; the temperature is always sent, as servers take their own where it is missing."""
        sampling = question.sampling
        with self._lock:
            parameters: dict[str, Any] = {self._limit_field: self.limit(question)}
            parameters["temperature"] = sampling.temperature if sampling else 0.0
            if sampling:
                parameters |= {"top_p": sampling.top_p, "seed": sampling.seed % (1 << 31)}
            if stream:
                parameters |= {"stream": True, "stream_options": {"include_usage": True}}
            parameters = {name: setting for name, setting in parameters.items() if name not in self.dropped}
            if LIMIT_FIELDS[0] in question.required:
                parameters.pop(self._limit_field)
            else:
                self.sent = {name: setting for name, setting in parameters.items() if name not in STREAMING}
        asked = (
            {"messages": [{"role": role, "content": content} for role, content in question.turns]}
            if question.turns
            else {"prompt": question.plain}
        )
        required = question.required
        return {**self._destination.body, "model": self._destination.model, **asked, **parameters, **required}

    def adapt(self, fault: ParameterFault, question: EndpointQuestion) -> None:
        """Leave a refused parameter out from now on.

        Raises:
            FatalFault: the question cannot go without it, the answer would have no limit, or the user's own entry sends
                the parameter.
        """
        if fault.parameter in question.required:
            raise FatalFault(str(fault))
        with self._lock:
            if fault.parameter in self._destination.body:
                raise FatalFault(f"{fault}; endpoints.toml sends {fault.parameter}: change its body")
            self.dropped.setdefault(fault.parameter, str(fault))
            if all(name in self.dropped for name in LIMIT_FIELDS):
                raise FatalFault(f"no limit of written tokens is accepted: {fault}")

    def add_room(self) -> bool:
        """Let answers be longer by `ROOM_TOKENS`, once; False: they were already."""
        with self._lock:
            added, self._room = self._room == 0, ROOM_TOKENS
            return added

    @property
    def _limit_field(self) -> str:
        return next(name for name in LIMIT_FIELDS if name not in self.dropped)
