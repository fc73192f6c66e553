"""Run trials on this machine: one process each, one at a time, so that a crash or a peak is one trial's own.

Where it can, each process is forked from a server that has imported the heavy libraries once and has run nothing with
them, so a trial starts in milliseconds. The trial's process sends its record; only this process writes the store, and
ends a trial that exceeds a limit.
"""

from __future__ import annotations

import multiprocessing
import signal
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from time import monotonic, perf_counter
from typing import Any

from harness.endpoints.keys import without_keys
from harness.endpoints.session import journal_path
from harness.errors import HarnessError
from harness.execute.events import Finished, Interrupted, Observe, SetAside, Started
from harness.execute.forecast_correction import ForecastCorrection
from harness.execute.interrupted import RunningTrial, take_interrupted, temporary_folder
from harness.execute.trial_watch import TrialWatch, log_tail
from harness.execute.worker import Job, TrialEnding, main
from harness.measure.child_process import safe_path
from harness.measure.environment import memory_bytes
from harness.measure.units import gib
from harness.models import registry
from harness.records.measurements import Phase
from harness.records.planned_trial import PlannedTrial
from harness.records.record import Completed, Failed, Skipped
from harness.records.run_limits import NO_LIMITS, RunLimits
from harness.store.record_file import Record
from harness.store.results_store import Store

_SIGKILL = 9  # Windows has no such name
_LIGHT_PRELOAD = ("harness.execute.worker",)
"""Where every trial asks a model elsewhere."""


@dataclass(frozen=True)
class Runner:
    """How a trial's process comes to be.

    Attributes:
        function: ``module:name`` of what runs a trial.
        preload: modules that the fork server imports first, where a trial computes on this machine.
        preload_retrieval: imported as well if a step brings a model: an embedder or a reranker.
    """

    function: str = "harness.trial.run_trial:run_trial"
    preload: tuple[str, ...] = ("harness.execute.preload",)
    preload_retrieval: tuple[str, ...] = ("harness.execute.preload_retrieval",)


@dataclass(frozen=True)
class RunCounts:
    """How many trials ended how.

    Attributes:
        stored_before: finished by an earlier run.
        postponed: not reached in the time of the run; the next run has them.
    """

    completed: int = 0
    failed: int = 0
    skipped: int = 0
    stored_before: int = 0
    postponed: int = 0


def execute(  # noqa: PLR0913 - one for each option of a run
    planned: Sequence[PlannedTrial],
    store: Store,
    *,
    cache: Path,
    observe: Observe,
    limits: RunLimits = NO_LIMITS,
    skip_interrupted: bool = False,
    runner: Runner | None = None,
) -> RunCounts:
    """Run what is missing, and store every ending.

    Args:
        planned: the trials, in this order; with a limit of the run's time, first seeds and quick trials come first. One
            that is finished in the store is kept, one that failed is tried again.
        store: where records go; it is held against a second run meanwhile.
        cache: a folder for what can be built again.
        observe: called with every event.
        limits: of each trial and of the run.
        skip_interrupted: leave out the trial that was running when an earlier run died.
        runner: how processes are made; the default runs real trials.

    Raises:
        HarnessError: another run holds the results folder, or a record cannot be written.
        KeyboardInterrupt: Ctrl-C; the running trial is given up, every finished one is stored.
    """
    runner = runner or Runner()
    counts: dict[str, int] = {}
    deadline = monotonic() + 60 * limits.max_minutes if limits.max_minutes else None
    with store.lock():
        store.refuse_newer()
        store.clean()
        interrupted = take_interrupted(store.root)
        if interrupted is not None:
            observe(Interrupted(interrupted, skipped=skip_interrupted))
        retrieves = any(trial.sources and not trial.skip for trial in planned)
        computes = retrieves or any(registry.backend(trial.backend).computes_here for trial in planned)
        context = _context(runner if computes else replace(runner, preload=_LIGHT_PRELOAD), retrieval=retrieves)
        launch = _Launch(context, runner.function, observe, limits, deadline)
        for trial in planned if deadline is None else _most_informative_first(planned):
            if skip_interrupted and interrupted is not None and trial.trial.key == interrupted.trial.key:
                status = _leave_out(trial, store, interrupted, launch)
            else:
                status = _run(trial, store, cache, launch)
            counts[status] = counts.get(status, 0) + 1
    return RunCounts(**counts)


def _most_informative_first(planned: Sequence[PlannedTrial]) -> list[PlannedTrial]:
    """Put every strategy's first seed on all items before further seeds and sizes, the quicker first."""
    return sorted(
        planned,
        key=lambda trial: (
            trial.trial.train_items is not None,
            trial.trial.seed,
            trial.forecast.total_s if trial.forecast else 0.0,
        ),
    )


@dataclass
class _Launch:
    """How trials are started; `context` becomes ``spawn`` where forked processes could not use the GPU."""

    context: Any
    function: str
    observe: Observe
    limits: RunLimits
    deadline: float | None
    correction: ForecastCorrection = field(default_factory=ForecastCorrection)

    @property
    def stored_limits(self) -> RunLimits | None:
        """The limits, for the record; None where they are the defaults."""
        return None if self.limits == NO_LIMITS else self.limits

    def corrected(self, planned: PlannedTrial) -> PlannedTrial:
        """Return the trial with its forecast corrected by the trials of this run that are completed."""
        forecast = planned.forecast and self.correction.apply(planned.forecast)
        return planned.model_copy(update={"forecast": forecast})

    def has_time_for(self, planned: PlannedTrial) -> bool:
        """Whether the run's time is not over, nor would be before the trial's end by its forecast."""
        forecast_s = self.correction.total_s(planned.forecast) if planned.forecast else 0.0
        return self.deadline is None or monotonic() + forecast_s < self.deadline


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
    if not launch.has_time_for(planned):
        return "postponed"
    launch.observe(Started(planned))
    start_s = perf_counter()
    record = _run_in_process(launch.corrected(planned), store, cache, launch)
    wall_s = perf_counter() - start_s
    if planned.forecast and isinstance(record, Completed):
        launch.correction.add(planned.forecast, wall_s, record)
    while store.set_aside:
        launch.observe(SetAside(store.set_aside.pop()))
    launch.observe(Finished(planned, record, wall_s))
    return "postponed" if record is None else record.status


def _leave_out(planned: PlannedTrial, store: Store, interrupted: RunningTrial, launch: _Launch) -> str:
    """Store the trial that was running when an earlier run died as failed."""
    reason = "was running when an earlier run died; left out by --skip-interrupted."
    failed = Failed(trial=planned.trial, started_at=interrupted.started_at, reason=reason, phase=interrupted.phase)
    store.write(failed)
    launch.observe(Finished(planned, failed))
    return "failed"


def _run_in_process(planned: PlannedTrial, store: Store, cache: Path, launch: _Launch) -> Record | None:
    """Run a trial and store its ending; None where the run's time was over before."""
    started_at = datetime.now(UTC).isoformat(timespec="seconds")
    with temporary_folder(store.root) as folder:
        running = RunningTrial(trial=planned.trial, started_at=started_at, folder=str(folder))
        running.write(store.root)
        job = Job(planned, launch.function, cache, folder / "log.txt")

        def note_phase(phase: Phase) -> None:
            running.model_copy(update={"phase": phase}).write(store.root)

        watch, exit_code = _follow(job, launch, note_phase)
        if watch.ending is not None and watch.ending.status == "cuda_forked":
            launch.context = multiprocessing.get_context("spawn")
            watch, exit_code = _follow(job, launch, note_phase)
        if watch.postponed:
            return None
        ending = watch.ending
        if ending is not None and ending.record is not None:
            record = ending.record.model_copy(update={"run_limits": launch.stored_limits})
            try:
                store.write(record, ending.rows)
            except HarnessError as error:
                ending = TrialEnding("error", str(error))
            else:
                if planned.endpoints:
                    journal_path(Path(planned.endpoints.folder), planned.trial.key).unlink(missing_ok=True)
                return record
        reason, details = (watch.exceeded, "") if watch.exceeded else _failure(ending, exit_code, watch.peak_bytes)
        failed = Failed(
            trial=planned.trial,
            started_at=started_at,
            reason=reason,
            phase=watch.phase,
            details="\n".join(part for part in (details, without_keys(log_tail(job.log))) if part),
            run_limits=launch.stored_limits,
        )
    store.write(failed)
    return failed


def _follow(job: Job, launch: _Launch, note_phase: Callable[[Phase], None]) -> tuple[TrialWatch, int | None]:
    """Start a process, follow it to its end, and return what was seen of it, with its exit code."""
    pipe, child_pipe = launch.context.Pipe()
    process = launch.context.Process(target=main, args=(child_pipe, job), name=job.planned.trial.strategy)
    with safe_path():  # the fork server, or a process that starts anew
        process.start()
    watch = TrialWatch(job.planned, launch.observe, process.pid, job.log, launch.limits, launch.deadline, note_phase)
    try:
        child_pipe.close()
        watch.follow(pipe, process.sentinel)
        if watch.ending is not None:
            process.join(5)
    finally:
        watch.kill()
        process.kill()
        process.join()
        pipe.close()
    return watch, process.exitcode


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
