"""The process of one trial: runs it, sends its record, and ends at once when the process that started it is gone."""

from __future__ import annotations

import faulthandler
import os
import signal
import sys
import threading
import traceback
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from importlib import import_module
from multiprocessing.connection import Connection
from pathlib import Path
from time import monotonic
from typing import Any, Literal

from harness.endpoints.keys import without_keys
from harness.errors import HarnessError, first_line, out_of_memory
from harness.measure import allocator
from harness.measure.cuda_state import torch_cannot_use_cuda
from harness.records.planned_trial import PlannedTrial
from harness.records.record import Completed, Row

_EVERY_S = 0.1


@dataclass(frozen=True)
class Job:
    """A trial and where its process finds what it needs; nothing is written but `cache` and `log`.

    Attributes:
        function: ``module:name`` of what runs the trial; called as ``run_trial(planned, cache=..., emit=...)``.
        cache: a folder for what can be built again.
        log: a file for what libraries print.
    """

    planned: PlannedTrial
    function: str
    cache: Path
    log: Path


@dataclass(frozen=True)
class TrialEnding:
    """How a trial ended, as its worker saw it.

    Attributes:
        status: ``cuda_forked``: nothing was run, because CUDA had been initialised before this process was forked.
        record, rows: of a completed trial; the parent stores them.
        reason: in one line, why there is no record.
        details: a traceback, where the ending is a bug's.
    """

    status: Literal["completed", "error", "bug", "cuda_forked"]
    reason: str = ""
    details: str = ""
    record: Completed | None = None
    rows: tuple[Row, ...] = ()


def main(pipe: Connection, job: Job) -> None:
    """Run one trial; the pipe carries mappings (progress), then one `TrialEnding`."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the parent's to handle
    if hasattr(os, "setpgid"):
        os.setpgid(0, 0)  # so that its own children can be ended with it
    threading.Thread(target=_end_with_parent, args=(pipe,), daemon=True).start()
    _redirect(job.log)
    allocator.configure()
    ending = _run(job, ProgressSender(pipe))
    pipe.send(replace(ending, reason=without_keys(ending.reason), details=without_keys(ending.details)))


def _run(job: Job, emit: Callable[[Mapping[str, Any]], None]) -> TrialEnding:
    if torch_cannot_use_cuda():
        return TrialEnding("cuda_forked", "CUDA was initialised before this process was forked")
    try:
        _set_threads(job.planned.threads)
        module, _, name = job.function.partition(":")
        run_trial = getattr(import_module(module), name)
        record, rows = run_trial(job.planned, cache=job.cache, emit=emit)
    except HarnessError as error:
        return TrialEnding("error", str(error))
    except Exception as error:  # noqa: BLE001 - a bug costs one row, and its traceback is kept in it
        memory = out_of_memory(error)
        if memory is not None:
            return TrialEnding("error", str(memory), traceback.format_exc())
        return TrialEnding("bug", f"{type(error).__name__}: {first_line(error)[:300]}", traceback.format_exc())
    return TrialEnding("completed", record=record, rows=tuple(rows))


class ProgressSender:
    """Sends progress to the parent, but not so often that sending it would cost the trial time.

    Call it with a mapping: ``phase``, and as known ``step``, ``done``, ``total`` and ``figures``.
    """

    def __init__(self, pipe: Connection) -> None:
        self._pipe = pipe
        self._last: tuple[Any, Any] | None = None
        self._sent_at = 0.0

    def __call__(self, event: Mapping[str, Any]) -> None:  # noqa: D102 - the class says it
        where = event.get("phase"), event.get("step")
        if where == self._last and monotonic() - self._sent_at < _EVERY_S:
            return
        self._last, self._sent_at = where, monotonic()
        self._pipe.send(dict(event))


def _end_with_parent(pipe: Connection) -> None:
    """Wait for the other end to close, which also a killed parent's does; no clean-up, so nothing is half-written."""
    try:
        pipe.recv()
    except (EOFError, OSError):
        if hasattr(os, "killpg"):
            os.killpg(0, signal.SIGKILL)
        os._exit(1)


def _redirect(log: Path) -> None:
    """Send what libraries print into the log: the terminal belongs to the progress display."""
    handle = os.open(log, os.O_WRONLY | os.O_APPEND | os.O_CREAT)
    os.dup2(handle, 1)
    os.dup2(handle, 2)
    os.close(handle)
    faulthandler.enable(file=sys.__stderr__ or 2)


def _set_threads(threads: int | None) -> None:
    if threads is None:
        return
    os.environ["OMP_NUM_THREADS"] = str(threads)
    torch = sys.modules.get("torch")
    if torch is not None:  # imported by the fork server, which read the variable before it was set
        torch.set_num_threads(threads)
