"""A limit of time for templates, which are programs of others: a sandbox limits what they reach, not their time."""

from __future__ import annotations

import signal
import threading
from collections.abc import Generator
from contextlib import contextmanager
from time import monotonic
from typing import Any

from harness.errors import HarnessError

LIMIT_S = 5.0


@contextmanager
def time_limit(name: str) -> Generator[None]:
    """End the ``with`` block after `LIMIT_S` seconds; only where the system has timers, and in the main thread.

    Args:
        name: what runs, for the error.

    Raises:
        HarnessError: it took longer.
    """
    if not hasattr(signal, "setitimer") or threading.current_thread() is not threading.main_thread():
        yield
        return

    def stop(*_: Any) -> None:
        raise HarnessError(f"{name} runs for more than {LIMIT_S:g} s: shorten its loops.")

    handler = signal.signal(signal.SIGALRM, stop)
    outer_s, _ = signal.setitimer(signal.ITIMER_REAL, LIMIT_S)
    started_at = monotonic()
    try:
        yield
    finally:
        signal.signal(signal.SIGALRM, handler)
        remaining_s = max(outer_s - (monotonic() - started_at), 1e-3) if outer_s else 0  # a timer of the caller goes on
        signal.setitimer(signal.ITIMER_REAL, remaining_s)
