"""What an endpoint was asked and cost in one sitting, for the record."""

from __future__ import annotations

from collections import Counter
from threading import Lock
from typing import Any

from harness.api import EndpointInfo, Outcome, ReturnedModel
from harness.endpoints.providers import Destination
from harness.endpoints.session import Session
from harness.endpoints.turns import EndpointQuestion
from harness.endpoints.wire import Reply

_MILLION = 1e6
_TURN_TOKENS, _PROMPT_TOKENS = 16, 64
"""More than a chat template adds to a turn and to a prompt."""
_COUNTS = ("requests", "retries", "replayed", "estimated", "cached_tokens")


class EndpointAccount:
    """Counts replies, retries, outcomes and money; threads may add at once."""

    def __init__(self, destination: Destination) -> None:
        """Begin at nothing."""
        self._destination = destination
        self._counts: Counter[str] = Counter()
        self._outcomes: Counter[Outcome] = Counter()
        self._returned: dict[tuple[str | None, str | None], ReturnedModel] = {}
        self._usd = 0.0
        self._priced = False
        self._longest_output = 0
        self._lock = Lock()

    def most_usd(self, session: Session, question: EndpointQuestion, limit: int) -> float:
        """Return what a request can cost at most; 0 where its model has no price.

        A token has a byte at least, so that no prompt has more tokens than bytes, besides those of its template. A
        server that wrote more than it was allowed to is taken to do so again.
        """
        price = session.prices.get(self._destination.name)
        if price is None:
            return 0.0
        prompt_tokens = len(question.text.encode()) + _TURN_TOKENS * len(question.turns) + _PROMPT_TOKENS
        output_tokens = max(limit, self._longest_output)
        return (prompt_tokens * price.usd_in + output_tokens * price.usd_out) / _MILLION

    def price(self, session: Session, reply: Reply) -> float | None:
        """Return what a reply cost; None where its model has no price."""
        price = session.prices.get(self._destination.name)
        if price is None:
            return None
        return (reply.prompt_tokens * price.usd_in + reply.output_tokens * price.usd_out) / _MILLION

    def note_reply(self, session: Session, reply: Reply, most_usd: float) -> float:
        """Count a reply that came from the server; return what it cost, the most if it counted no tokens."""
        usd = self.price(session, reply)
        with self._lock:
            self._counts["requests"] += 1
            self._longest_output = max(self._longest_output, reply.output_tokens)
            self._counts["cached_tokens"] += reply.cached_tokens
            self._priced = self._priced or usd is not None
            self._note_model(reply)
        return most_usd if reply.estimated else usd or 0.0

    def note_spending(self, usd: float) -> None:
        """Add money that is gone, or may be."""
        with self._lock:
            self._usd += usd

    def note_replay(self, reply: Reply) -> None:
        """Count an answer of an earlier sitting, and the model that gave it."""
        with self._lock:
            self._counts["replayed"] += 1
            self._note_model(reply)

    def note_retry(self) -> None:
        """Count a request that is repeated after a fault."""
        with self._lock:
            self._counts["retries"] += 1

    def note_outcome(self, outcome: Outcome) -> None:
        """Count what became of a question."""
        with self._lock:
            self._outcomes[outcome] += 1

    def _note_model(self, reply: Reply) -> None:
        self._counts["estimated"] += reply.estimated
        name = reply.model, reply.fingerprint
        earlier = self._returned.get(name)
        self._returned[name] = ReturnedModel(
            model=reply.model,
            fingerprint=reply.fingerprint,
            replies=earlier.replies + 1 if earlier else 1,
            first=min(earlier.first, reply.at) if earlier else reply.at,
            last=max(earlier.last, reply.at) if earlier else reply.at,
        )

    def info(self, sent: dict[str, Any], dropped: dict[str, str], probes: dict[str, str]) -> EndpointInfo:
        """Return the account as a record keeps it."""
        destination = self._destination
        with self._lock:
            return EndpointInfo(
                host=destination.host,
                away=destination.away,
                model=destination.model,
                returned=tuple(self._returned.values()),
                sent=dict(sent),
                dropped=dict(dropped),
                probes=dict(probes),
                body=destination.body,
                outcomes={str(name): count for name, count in self._outcomes.items()},
                usd=self._usd if self._priced else None,
                **{name: self._counts[name] for name in _COUNTS},
            )
