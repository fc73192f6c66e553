"""A limit of time for templates, which are programs of others: a sandbox limits what they reach, not their time."""

from __future__ import annotations

import signal
import threading
from collections.abc import Generator
from contextlib import contextmanager
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

    before = signal.signal(signal.SIGALRM, stop)
    signal.setitimer(signal.ITIMER_REAL, LIMIT_S)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
