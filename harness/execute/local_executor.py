"""Run trials on this machine: one process each, one at a time, so that a crash or a peak is one trial's own.

Where it can, each process is forked from a server that has imported the heavy libraries once and has run nothing with
them, so a trial starts in milliseconds. The trial's process sends its record; only this process writes the store.
"""

from __future__ import annotations

import multiprocessing
import signal
import sys
import tempfile
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from multiprocessing.connection import Connection, wait
from pathlib import Path
from time import perf_counter
from typing import Any, get_args

import psutil

from harness.errors import HarnessError
from harness.execute.events import Event, Finished, Observe, Progress, Started
from harness.execute.worker import Job, TrialEnding, main
from harness.measure.environment import memory_bytes
from harness.measure.units import gib
from harness.records.measurements import Phase
from harness.records.planned_trial import PlannedTrial
from harness.records.record import Failed, Skipped
from harness.store.record_file import Record
from harness.store.results_store import Store

_SAMPLE_EVERY_S = 0.25
_SIGKILL = 9  # Windows has no such name


@dataclass(frozen=True)
class Runner:
    """How a trial's process comes to be.

    Attributes:
        function: ``module:name`` of what runs a trial.
        preload: modules that the fork server imports first.
        preload_retrieval: imported as well if a step brings a model: an embedder or a reranker.
    """

    function: str = "harness.trial.run_trial:run_trial"
    preload: tuple[str, ...] = ("harness.execute.preload",)
    preload_retrieval: tuple[str, ...] = ("harness.execute.preload_retrieval",)


@dataclass(frozen=True)
class RunCounts:
    """How many trials ended how; `stored_before`: finished by an earlier run."""

    completed: int = 0
    failed: int = 0
    skipped: int = 0
    stored_before: int = 0


def execute(
    planned: Sequence[PlannedTrial], store: Store, *, cache: Path, observe: Observe, runner: Runner | None = None
) -> RunCounts:
    """Run what is missing, in the order given, and store every ending.

    Args:
        planned: the trials; one that is finished in the store is kept, one that failed is tried again.
        store: where records go; it is held against a second run meanwhile.
        cache: a folder for what can be built again.
        observe: called with every event.
        runner: how processes are made; the default runs real trials.

    Raises:
        HarnessError: another run holds the results folder, or a record cannot be written.
        KeyboardInterrupt: Ctrl-C; the running trial is given up, every finished one is stored.
    """
    runner = runner or Runner()
    counts: dict[str, int] = {}
    with store.lock():
        store.clean()
        retrieves = any(trial.sources and not trial.skip for trial in planned)
        launch = _Launch(_context(runner, retrieval=retrieves), runner.function, observe)
        for trial in planned:
            status = _run(trial, store, cache, launch)
            counts[status] = counts.get(status, 0) + 1
    return RunCounts(**counts)


@dataclass
class _Launch:
    """How trials are started; `context` becomes ``spawn`` where forked processes could not use the GPU."""

    context: Any
    function: str
    observe: Observe


def _run(planned: PlannedTrial, store: Store, cache: Path, launch: _Launch) -> str:
    """Bring one trial to its end, whichever; return the name of the count that it adds to."""
    if planned.skip:
        skipped = Skipped(trial=planned.trial, reason=planned.skip)
        store.write(skipped)
        launch.observe(Finished(planned, skipped))
        return "skipped"
    if store.is_completed(planned.trial.key):
        launch.observe(Finished(planned, None, stored_before=True))
        return "stored_before"
    launch.observe(Started(planned))
    start_s = perf_counter()
    record = _run_in_process(planned, store, cache, launch)
    launch.observe(Finished(planned, record, perf_counter() - start_s))
    return record.status


def _run_in_process(planned: PlannedTrial, store: Store, cache: Path, launch: _Launch) -> Record:
    started_at = datetime.now(UTC).isoformat(timespec="seconds")
    with tempfile.TemporaryDirectory(prefix="harness-") as folder:
        log = Path(folder) / "log.txt"
        job = Job(planned, launch.function, cache, log)
        watch, exit_code = _follow(job, launch)
        if watch.ending is not None and watch.ending.status == "cuda_forked":
            launch.context = multiprocessing.get_context("spawn")
            watch, exit_code = _follow(job, launch)
        ending = watch.ending
        if ending is not None and ending.record is not None:
            try:
                store.write(ending.record, ending.rows)
            except HarnessError as error:
                ending = TrialEnding("error", str(error))
            else:
                return ending.record
        reason, details = _failure(ending, exit_code, watch.peak_bytes)
        failed = Failed(
            trial=planned.trial,
            started_at=started_at,
            reason=reason,
            phase=watch.phase,
            details="\n".join(part for part in (details, _tail(log)) if part),
        )
    store.write(failed)
    return failed


def _follow(job: Job, launch: _Launch) -> tuple[_Watch, int | None]:
    """Start a process, follow it to its end, and return what was seen of it, with its exit code."""
    pipe, child_pipe = launch.context.Pipe()
    process = launch.context.Process(target=main, args=(child_pipe, job), name=job.planned.trial.strategy)
    process.start()
    try:
        child_pipe.close()
        watch = _Watch(job.planned, launch.observe, process.pid)
        watch.follow(pipe, process.sentinel)
        process.join(5)
    finally:
        process.kill()
        process.join()
        pipe.close()
    return watch, process.exitcode


@dataclass
class _Watch:
    """Follows a worker from outside until it ends."""

    planned: PlannedTrial
    observe: Observe
    pid: int
    phase: Phase | None = None
    ending: TrialEnding | None = None
    peak_bytes: int = 0
    _sampled_at: float = field(default=0.0, repr=False)

    def follow(self, pipe: Connection, sentinel: int) -> None:
        """Pass on progress events until the worker has sent its ending, or is gone."""
        while self.ending is None:
            ready = wait([pipe, sentinel], timeout=_SAMPLE_EVERY_S)
            self._sample_memory()
            if pipe in ready:
                try:
                    self._handle(pipe.recv())
                except (EOFError, OSError):
                    return
            elif sentinel in ready:
                return

    def _handle(self, message: TrialEnding | Mapping[str, Any]) -> None:
        if isinstance(message, TrialEnding):
            self.ending = message
            return
        phase = message.get("phase")
        self.phase = phase if phase in get_args(Phase) else self.phase
        done, total = int(message.get("done", 0)), int(message.get("total", 0))
        figures = message.get("figures", {})
        event: Event = Progress(self.planned, str(phase or ""), message.get("step"), done, total, figures)
        self.observe(event)

    def _sample_memory(self) -> None:
        """Keep the highest resident memory, for the case that the worker is killed."""
        if perf_counter() - self._sampled_at < _SAMPLE_EVERY_S:
            return
        self._sampled_at = perf_counter()
        with suppress(psutil.Error):
            self.peak_bytes = max(self.peak_bytes, psutil.Process(self.pid).memory_info().rss)


def _failure(ending: TrialEnding | None, exit_code: int | None, peak_bytes: int) -> tuple[str, str]:
    """Say in one line why a trial has no result, with details for a developer."""
    if ending is not None and ending.status == "error":
        return ending.reason, ending.details
    if ending is not None:
        return f"a bug: {ending.reason} (the traceback is in the record)", ending.details
    if exit_code == -_SIGKILL:
        peak, total = gib(peak_bytes), gib(memory_bytes())
        advice = "try a smaller batch or model."
        return f"killed (SIGKILL), most likely out of memory: peak so far {peak} of {total}; {advice}", ""
    if exit_code is not None and exit_code < 0:
        return f"its process crashed ({signal.Signals(-exit_code).name}); the record holds what it printed.", ""
    return f"its process ended with exit code {exit_code} and no result; the record holds what it printed.", ""


def _context(runner: Runner, *, retrieval: bool) -> Any:
    """Choose how processes start: forked from a server on Linux, unless CUDA is running here, else anew."""
    torch = sys.modules.get("torch")
    if not sys.platform.startswith("linux") or (torch is not None and torch.cuda.is_initialized()):
        return multiprocessing.get_context("spawn")
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload([*runner.preload, *(runner.preload_retrieval if retrieval else ())])
    return context


def _tail(log: Path) -> str:
    try:
        return log.read_text(encoding="utf-8", errors="replace")[-4000:].strip()
    except OSError:
        return ""
