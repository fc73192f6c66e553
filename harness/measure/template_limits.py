"""Limits for Jinja templates, which are programs of others: a sandbox limits their reach, not their time and memory.

Both limits hold in this process: a signal ends the time, and the address space may grow by so much and no more while a
template runs (RLIMIT_AS, Linux). They are set in the main thread only; that of the memory binds all threads meanwhile.
"""

from __future__ import annotations

import os
import signal
import sys
import threading
from collections.abc import Generator, Sized
from contextlib import contextmanager
from pathlib import Path
from time import monotonic
from typing import Any

from jinja2.exceptions import SecurityError
from jinja2.sandbox import ImmutableSandboxedEnvironment

from harness.errors import HarnessError
from harness.measure.units import MIB, size

if sys.platform != "win32":
    import resource

LIMIT_S = 5.0
LIMIT_BYTES = 512 * MIB
_LARGE, _LARGE_EXPONENT = 1_000_000, 1_000


class LimitedSandbox(ImmutableSandboxedEnvironment):
    """Jinja's sandbox, in which a product is no way to take all time: one of large numbers cannot be interrupted."""

    intercepted_binops = frozenset({"*", "**"})

    def call_binop(self, context: Any, operator: str, left: Any, right: Any) -> Any:
        """Compute a product or a power of numbers, or repeat a text; refuse what is large."""
        limit = _LARGE if operator == "*" else _LARGE_EXPONENT
        extents = [len(side) if isinstance(side, Sized) else side for side in (left, right)]
        numbers = all(isinstance(extent, int | float) and abs(extent) < limit for extent in extents)
        repeats = isinstance(left, Sized) or isinstance(right, Sized)
        if not numbers or (repeats and (operator == "**" or extents[0] * extents[1] >= limit)):
            raise SecurityError(f"'{operator}' is for numbers below {limit:,}")
        return super().call_binop(context, operator, left, right)


@contextmanager
def template_limits(name: str) -> Generator[None]:
    """End the ``with`` block after `LIMIT_S` seconds, or when it takes `LIMIT_BYTES` of memory.

    Compiling belongs into the block too: Jinja computes constants then. Without effect outside the main thread, and
    where the system has no timers; memory is limited on Linux only.

    Args:
        name: what runs, for the error.

    Raises:
        HarnessError: it took longer, or more.
    """
    with _time_limit(name), memory_limit(LIMIT_BYTES):
        try:
            yield
        except MemoryError as error:
            raise HarnessError(f"{name} takes more than {size(LIMIT_BYTES)} of memory: mend it.") from error


@contextmanager
def _time_limit(name: str) -> Generator[None]:
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


@contextmanager
def memory_limit(limit_bytes: int) -> Generator[None]:
    """Let this process' address space grow by so much and no more; only on Linux, and in the main thread.

    Raises:
        MemoryError: the ``with`` block takes more.
    """
    if sys.platform != "linux" or threading.current_thread() is not threading.main_thread():
        yield
        return
    pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[0])
    limit = pages * os.sysconf("SC_PAGE_SIZE") + limit_bytes
    soft, hard = resource.getrlimit(resource.RLIMIT_AS)
    if soft == resource.RLIM_INFINITY or limit < soft:
        resource.setrlimit(resource.RLIMIT_AS, (limit, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_AS, (soft, hard))
