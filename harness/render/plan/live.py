"""Progress of a run: a live display on a terminal, one line a trial elsewhere."""

from __future__ import annotations

from collections.abc import Generator, Mapping, Sequence
from contextlib import contextmanager
from time import monotonic

from rich.console import Console
from rich.progress import (
    BarColumn,
    DownloadColumn,
    Progress,
    ProgressColumn,
    SpinnerColumn,
    Task,
    TextColumn,
    TransferSpeedColumn,
)
from rich.text import Text

from harness.api import ProgressCallback
from harness.execute.events import Event, Finished, Interrupted, Observe, SetAside, Started
from harness.execute.events import Progress as PhaseProgress
from harness.execute.forecast_correction import ForecastCorrection
from harness.measure.units import rounded_duration
from harness.records.measurements import Forecast
from harness.records.planned_trial import PlannedTrial
from harness.records.record import Completed, Trial
from harness.render.text.escape import plain
from harness.store.record_file import Record

_MARKS = {"completed": ("✓", "green"), "failed": ("✗", "red")}
_ALIKE = Forecast(phases_s={"whole": 1.0})
"""Stands for the forecast of each trial where some have none."""


class TimeLeft:
    """Estimate of the seconds left.

    Before a trial completed, it is what was forecast, or nothing where there is no forecast; from then on forecasts are
    corrected by what the completed ones took, phase by phase. Where not every trial has a forecast, all count alike.
    """

    def __init__(self, pending: Sequence[PlannedTrial]) -> None:
        self._forecast = all(planned.forecast for planned in pending)
        self._pending = {planned.trial.key: self._expected(planned) for planned in pending}
        self._running: tuple[str, float] | None = None
        self._correction = ForecastCorrection()

    def start(self, planned: PlannedTrial, now: float) -> None:
        """Note that a trial started."""
        self._running = planned.trial.key, now

    def end(self, planned: PlannedTrial, wall_s: float, record: Record) -> None:
        """Note that a trial ended; one that failed half-way says nothing about speed."""
        self._pending.pop(planned.trial.key, None)
        self._running = None
        if isinstance(record, Completed):
            self._correction.add(self._expected(planned), wall_s, record)

    def seconds(self, now: float) -> float | None:
        """Give the seconds left; None while there is nothing to go by."""
        if not self._correction.trials and not self._forecast:
            return None
        pending_s = {key: self._correction.total_s(forecast) for key, forecast in self._pending.items()}
        remaining_s = sum(pending_s.values())
        if self._running and self._running[0] in pending_s:
            key, started_s = self._running
            remaining_s -= min(now - started_s, pending_s[key])
        return remaining_s

    def _expected(self, planned: PlannedTrial) -> Forecast:
        return planned.forecast if self._forecast and planned.forecast else _ALIKE


@contextmanager
def watch(console: Console, pending: Sequence[PlannedTrial]) -> Generator[Observe]:
    """Show a run while the ``with`` block lasts.

    Args:
        console: a live display is drawn only on a terminal.
        pending: the trials that have to be run: neither finished nor skipped.
    """
    if console.is_terminal:
        with _display(console) as progress:
            yield _Live(progress, pending)
    else:
        yield _Lines(console, pending)


@contextmanager
def busy(console: Console, activity: str) -> Generator[None]:
    """Show an activity that has no measure of progress, while the ``with`` block lasts."""
    if not console.is_terminal:
        console.print(activity, markup=False, highlight=False, soft_wrap=True)
        yield
        return
    with console.status(Text(activity)):
        yield


@contextmanager
def download_bar(console: Console, name: str) -> Generator[ProgressCallback]:
    """Show how far a download is, from its first report on; nothing where there is none."""
    columns = TextColumn("{task.description}"), BarColumn(), DownloadColumn(), TransferSpeedColumn()
    progress = Progress(*columns, console=console, transient=True)
    bar = progress.add_task(Text(f"fetching {name}").markup, total=None)

    def report(completed: int, total: int) -> None:
        if not progress.live.is_started:
            progress.start()
        progress.update(bar, completed=completed, total=total)

    try:
        yield report
    finally:
        if progress.live.is_started:
            progress.stop()


class _Lines:
    """One line when a trial ends."""

    def __init__(self, console: Console, pending: Sequence[PlannedTrial]) -> None:
        self._console, self._total, self._ended = console, len(pending), 0
        self._time_left = TimeLeft(pending)

    def __call__(self, event: Event) -> None:
        if isinstance(event, Interrupted | SetAside):
            self._console.print(notice(event), markup=False, highlight=False, soft_wrap=True)
        if isinstance(event, Started):
            self._time_left.start(event.planned, monotonic())
        if not isinstance(event, Finished) or event.record is None:
            return
        self._time_left.end(event.planned, event.wall_s, event.record)
        if event.record.status == "skipped":
            return  # the report says once why
        self._ended += 1
        line = f"[{self._ended}/{self._total}] {ending(event.planned, event.record, event.wall_s)}"
        if self._ended < self._total:
            line += f" ({time_left(self._time_left.seconds(monotonic()))})"
        self._console.print(line, markup=False, highlight=False, soft_wrap=True)


class _Live:
    """A bar for the run, a line for the running trial, and the ended trials above them."""

    def __init__(self, progress: Progress, pending: Sequence[PlannedTrial]) -> None:
        self._progress, self._total, self._ended = progress, len(pending), 0
        self._time_left = TimeLeft(pending)
        self._run = progress.add_task("trials", total=max(1, self._total), text=self._run_text)
        self._trial = progress.add_task("", total=None, text=str, visible=False)

    def __call__(self, event: Event) -> None:
        if isinstance(event, Interrupted | SetAside):
            self._progress.console.print(Text(notice(event)), highlight=False)
        elif isinstance(event, Started):
            self._time_left.start(event.planned, monotonic())
            self._show(event.planned, "starting", 0, 0)
        elif isinstance(event, PhaseProgress):
            phase = event.phase + (f" {event.step}" if event.step else "")
            position = f"{phase} {event.done:,}/{event.total:,}" if event.total else phase
            self._show(event.planned, " · ".join([position, *figures(event.figures)]), event.done, event.total)
        elif event.record is not None:
            self._end(event, event.record)
        else:
            self._progress.update(self._trial, visible=False)

    def _show(self, planned: PlannedTrial, text: str, completed: int, total: int) -> None:
        self._progress.update(
            self._trial,
            description=_name(planned),
            completed=completed,
            total=total or None,
            text=lambda: text,
            visible=True,
        )

    def _end(self, event: Finished, record: Record) -> None:
        self._time_left.end(event.planned, event.wall_s, record)
        self._progress.update(self._trial, visible=False)
        if record.status == "skipped":
            return  # the report says once why
        mark, style = _MARKS[record.status]
        line = Text(f"{mark} ", style=style).append(ending(event.planned, record, event.wall_s), style="default")
        self._progress.console.print(line, highlight=False)
        self._ended += 1
        self._progress.update(self._run, completed=self._ended)

    def _run_text(self) -> str:
        remaining = time_left(self._time_left.seconds(monotonic())) if self._ended < self._total else "done"
        return f"{self._ended} of {self._total}, {remaining}"


class _CallbackColumn(ProgressColumn):
    """A column whose text is computed whenever it is drawn, so that the time left goes down by itself."""

    def render(self, task: Task) -> Text:
        """Compute the text."""
        return Text(task.fields["text"]())


@contextmanager
def _display(console: Console) -> Generator[Progress]:
    description = TextColumn("{task.description}", markup=False)
    with Progress(
        SpinnerColumn(), description, BarColumn(), _CallbackColumn(), console=console, transient=True
    ) as progress:
        yield progress


def _name(planned: PlannedTrial) -> str:
    return _trial_name(planned.trial)


def _trial_name(trial: Trial) -> str:
    seed = f" seed {trial.seed}" if trial.seed else ""
    items = f" {trial.train_items:,} items" if trial.train_items else ""
    return plain(f"{trial.task} · {trial.label} · {trial.model}{items}{seed}")


def figures(latest: Mapping[str, float]) -> list[str]:
    """Write the latest losses and validation metrics of a training."""
    names = {"loss": "loss", "validation_loss": "val"}
    names |= {name: name.partition("_")[2] for name in latest if name.startswith("validation_") and name not in names}
    return [f"{text} {latest[name]:.2f}" for name, text in names.items() if name in latest]


def notice(event: Interrupted | SetAside) -> str:
    """Say what an earlier run left behind, and what becomes of it."""
    if isinstance(event, SetAside):
        return f"A record that cannot be read is kept as {event.folder}: restore it from there, or delete it."
    running = event.running
    where = f" in phase {running.phase}" if running.phase else ""
    remedy = "it is left out now." if event.skipped else "it runs again; --skip-interrupted leaves it out."
    return f"An earlier run died while {_trial_name(running.trial)} was running{where}: {remedy}"


def ending(planned: PlannedTrial, record: Record, wall_s: float) -> str:
    """Say in one line how a trial ended."""
    if not isinstance(record, Completed):
        return f"{_name(planned)}: {record.status}: {plain(record.reason)}"
    prefix = f"{planned.trial.task}/"
    scores = {name.removeprefix(prefix): value for name, value in record.scores.items() if name.startswith(prefix)}
    score = next((f", {metric} {value:.3f}" for metric, value in scores.items()), "")
    return f"{_name(planned)}: completed in {rounded_duration(wall_s)}{score}"


def time_left(seconds: float | None) -> str:
    """Say how long the remaining trials take."""
    return "estimating the time left" if seconds is None else f"about {rounded_duration(seconds)} left"
