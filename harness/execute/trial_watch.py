"""Follows a trial's process from outside: progress, memory, limits; ends it with all its children."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from multiprocessing.connection import Connection, wait
from pathlib import Path
from time import monotonic
from typing import Any, get_args

import psutil

from harness.execute.events import Observe, Progress
from harness.execute.worker import TrialEnding
from harness.measure.units import GIB, gib, rounded_duration
from harness.records.measurements import Phase
from harness.records.planned_trial import PlannedTrial
from harness.records.run_limits import RunLimits

_SAMPLE_EVERY_S = 0.25
_CHILDREN_EVERY_S = 2.0  # looking for them reads every process of the machine
MAX_LOG_BYTES = 32 * 1024**2
LOG_TAIL = 4000


@dataclass
class TrialWatch:
    """Follows one process until it has sent its ending, is gone, or exceeds a limit.

    Attributes:
        pid: of the process, which leads a process group of its own.
        log: what its libraries print; cut when it is larger than `MAX_LOG_BYTES`.
        deadline: of the run, in seconds of `time.monotonic`; None: none.
        on_phase: called with each new phase.
        ending: sent by the process; None: it sent none.
        exceeded: the limit that ended it, as a sentence; empty: none did.
        postponed: whether the run's time was over before the trial's end.
        peak_bytes: highest resident memory of the process and its children.
    """

    planned: PlannedTrial
    observe: Observe
    pid: int
    log: Path
    limits: RunLimits
    deadline: float | None = None
    on_phase: Callable[[Phase], None] = lambda _: None
    phase: Phase | None = None
    ending: TrialEnding | None = None
    exceeded: str = ""
    postponed: bool = False
    peak_bytes: int = 0
    _started_at: float = field(default_factory=monotonic, repr=False)
    _progress_at: float = field(default_factory=monotonic, repr=False)
    _sampled_at: float = field(default=0.0, repr=False)
    _children_at: float = field(default=0.0, repr=False)
    _children: dict[int, psutil.Process] = field(default_factory=dict[int, psutil.Process], repr=False)

    def follow(self, pipe: Connection, sentinel: int) -> None:
        """Pass on progress until the process ends, or must end."""
        while self.ending is None and not self.exceeded and not self.postponed:
            ready = wait([pipe, sentinel], timeout=_SAMPLE_EVERY_S)
            self._sample()
            if pipe in ready:
                try:
                    message = pipe.recv()
                except (EOFError, OSError):
                    return
                except Exception as error:  # noqa: BLE001 - whatever unpickling raises costs this trial, not the run
                    self.ending = TrialEnding("bug", f"its result cannot be read ({type(error).__name__}: {error})")
                    return
                self._handle(message)
            elif sentinel in ready:
                return

    def kill(self) -> None:
        """End the process and all its descendants at once."""
        with suppress(OSError, AttributeError):
            if os.getpgid(self.pid) == self.pid:
                os.killpg(self.pid, signal.SIGKILL)
        for process in self._children.values():
            with suppress(psutil.Error):
                process.kill()

    def _handle(self, message: TrialEnding | Mapping[str, Any]) -> None:
        if isinstance(message, TrialEnding):
            self.ending = message
            return
        self._progress_at = monotonic()
        try:
            name = message.get("phase")
            phase: Phase | None = name if name in get_args(Phase) else self.phase
            done, total = int(message.get("done", 0)), int(message.get("total", 0))
            figures = {str(figure): float(value) for figure, value in message.get("figures", {}).items()}
        except (AttributeError, TypeError, ValueError) as error:
            self.ending = TrialEnding("bug", f"malformed progress event ({error})")
            return
        if phase is not None and phase != self.phase:
            self.phase = phase
            self.on_phase(phase)
        step = message.get("step")
        self.observe(Progress(self.planned, str(name or ""), None if step is None else str(step), done, total, figures))

    def _sample(self) -> None:
        """Measure memory, cut the log, and check the limits."""
        now = monotonic()
        if now - self._sampled_at < _SAMPLE_EVERY_S:
            return
        self._sampled_at = now
        resident_bytes = self._resident_bytes(now)
        self.peak_bytes = max(self.peak_bytes, resident_bytes)
        self._cut_log()
        self.exceeded = self._check(now, resident_bytes)
        self.postponed = not self.exceeded and self.deadline is not None and now > self.deadline

    def _resident_bytes(self, now: float) -> int:
        total = 0
        with suppress(psutil.Error):
            process = psutil.Process(self.pid)
            if now - self._children_at >= _CHILDREN_EVERY_S:
                self._children_at = now
                self._children |= {child.pid: child for child in process.children(recursive=True)}
            total = process.memory_info().rss
        for child in self._children.values():
            with suppress(psutil.Error):
                total += child.memory_info().rss
        return total

    def _check(self, now: float, resident_bytes: int) -> str:
        """Return the limit that is exceeded, as a sentence; empty: none is."""
        limits, where = self.limits, f" in phase {self.phase}" if self.phase else " before its first phase"
        peak = f"peak so far {gib(self.peak_bytes)}"
        if limits.max_trial_memory_gb and resident_bytes > limits.max_trial_memory_gb * GIB:
            limit = f"--max-trial-memory {limits.max_trial_memory_gb:g}"
            return f"stopped at {gib(resident_bytes)} of memory{where}, more than {limit} (GiB)."
        if limits.max_trial_seconds and now - self._started_at > limits.max_trial_seconds:
            return f"stopped{where} after --max-trial-seconds {limits.max_trial_seconds:g} ({peak})."
        if limits.stall_minutes and now - self._progress_at > 60 * limits.stall_minutes:
            silence = rounded_duration(now - self._progress_at)
            return f"stopped: no progress for {silence}{where} ({peak}); --stall-minutes N allows more, 0 any."
        return ""

    def _cut_log(self) -> None:
        """Keep the end of a log that has become too large."""
        with suppress(OSError):
            if self.log.stat().st_size > MAX_LOG_BYTES:
                tail = log_tail(self.log)
                os.truncate(self.log, 0)
                with self.log.open("a", encoding="utf-8") as file:
                    file.write(f"[cut at {gib(MAX_LOG_BYTES)}]\n{tail}\n")


def log_tail(log: Path) -> str:
    """Return the last `LOG_TAIL` characters of a log; empty if there is none."""
    try:
        with log.open("rb") as file:
            file.seek(max(0, log.stat().st_size - 4 * LOG_TAIL))
            return file.read().decode("utf-8", errors="replace")[-LOG_TAIL:].strip()
    except OSError:
        return ""
