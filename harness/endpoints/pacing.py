"""How many requests are under way at once, how long to wait after a fault, and when to stop asking.

Additive increase, multiplicative decrease (Chiu & Jain 1989): one more request after as many good replies as are
allowed at once, a fifth fewer after a reply that the server is asked too much. Waits have full jitter (Brooker 2015,
"Exponential Backoff and Jitter", AWS Architecture Blog).
"""

from __future__ import annotations

import random
from collections.abc import Generator
from contextlib import contextmanager
from threading import Condition
from time import monotonic

from harness.endpoints.wire import FatalFault, TransientFault

TRIES = 7
"""Requests for one question, at most."""
BASE_S, CAP_S = 1.0, 60.0
"""The first wait is up to `BASE_S`; no wait without the server's word is longer than `CAP_S`."""
MOST_WAIT_S = 900.0
"""Longest wait that a server may ask for."""
_START = 4.0
_CUT, _COOL_DOWN_S = 0.8, 1.0
_FIRST_FAULTS, _LATER_FAULTS = 5, 20
"""Faults in a row after which nothing more is asked: before any reply, and later."""


class Pace:
    """Shared by the threads that ask one endpoint."""

    def __init__(self, most: int) -> None:
        """Begin with a few requests at once.

        Args:
            most: requests at once, whatever the replies.
        """
        self.most = most
        self._allowed = min(_START, float(most))
        self._under_way = 0
        self._pause_until = self._cut_at = float("-inf")
        self._faults, self._replied = 0, False
        self._condition = Condition()

    @property
    def allowed(self) -> int:
        """Requests at once."""
        return max(1, int(self._allowed))

    @contextmanager
    def turn(self, *, unpaced: bool = False) -> Generator[None]:
        """Wait until another request may be sent, and count it while the block lasts.

        Args:
            unpaced: whether as many as the endpoint takes may be sent, as where requests arrive by themselves.

        Raises:
            FatalFault: the endpoint has failed too often in a row.
        """
        with self._condition:
            while True:
                self._refuse_broken()
                pause_s = self._pause_until - monotonic()
                if pause_s <= 0 and self._under_way < (self.most if unpaced else self.allowed):
                    break
                self._condition.wait(pause_s if pause_s > 0 else None)
            self._under_way += 1
        try:
            yield
        finally:
            with self._condition:
                self._under_way -= 1
                self._condition.notify_all()

    def note_reply(self) -> None:
        """Take a reply without a fault as a sign that more may be sent."""
        with self._condition:
            self._faults, self._replied = 0, True
            self._allowed = min(float(self.most), self._allowed + 1 / self._allowed)
            self._condition.notify_all()

    def note_fault(self, fault: TransientFault) -> None:
        """Slow down where the server asks for it, and count faults that it does not explain."""
        with self._condition:
            now = monotonic()
            if fault.throttled:
                if now - self._cut_at > _COOL_DOWN_S:
                    self._allowed, self._cut_at = max(1.0, self._allowed * _CUT), now
                self._pause_until = max(self._pause_until, now + min(fault.wait_s or 0.0, MOST_WAIT_S))
            elif fault.wait_s is None:
                self._faults += 1
            self._condition.notify_all()

    def _refuse_broken(self) -> None:
        limit = _LATER_FAULTS if self._replied else _FIRST_FAULTS
        if self._faults >= limit:
            raise FatalFault(f"{self._faults} requests in a row failed")


def wait_s(attempt: int, fault: TransientFault) -> float:
    """Return how long to wait before the next try, seconds: what the server asks for, else drawn up to a bound.

    Args:
        attempt: tries so far, from 1.
        fault: of the last one.
    """
    if fault.wait_s is not None:  # a tenth more at most, so that not all come back at once
        return min(fault.wait_s, MOST_WAIT_S) * random.uniform(1.0, 1.1)
    return random.uniform(0.0, min(CAP_S, BASE_S * 2 ** (attempt - 1)))
