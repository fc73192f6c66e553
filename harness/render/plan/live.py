"""What a run shows while it goes on: a live display on a terminal, one line a trial elsewhere."""

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
from harness.execute.events import Event, Finished, Observe, Started
from harness.execute.events import Progress as Step
from harness.records.planned_trial import PlannedTrial
from harness.records.record import Completed
from harness.store.record_file import Record

_MARKS = {"completed": ("✓", "green"), "failed": ("✗", "red"), "skipped": ("-", "yellow")}


class TimeLeft:
    """How long the rest will take, from how long the finished part took.

    Before a trial completed, it is what was forecast, or nothing where there is no forecast; from then on forecasts are
    corrected by how long the completed ones took. Where not every trial has a forecast, all count alike.
    """

    def __init__(self, waiting: Sequence[PlannedTrial]) -> None:
        self._known = all(planned.forecast for planned in waiting)
        self._waiting = {planned.trial.key: self._expected(planned) for planned in waiting}
        self._running: tuple[str, float] | None = None
        self._done_expected = self._done_s = 0.0

    def start(self, planned: PlannedTrial, now: float) -> None:
        """Note that a trial began."""
        self._running = planned.trial.key, now

    def end(self, planned: PlannedTrial, wall_s: float, *, counts: bool) -> None:
        """Note that a trial ended; one that failed half-way says nothing about speed."""
        self._waiting.pop(planned.trial.key, None)
        self._running = None
        if counts:
            self._done_expected += self._expected(planned)
            self._done_s += wall_s

    def seconds(self, now: float) -> float | None:
        """Give the seconds left; None while there is nothing to go by."""
        if not self._done_expected and not self._known:
            return None
        rate = self._done_s / self._done_expected if self._done_expected else 1.0
        left = sum(self._waiting.values()) * rate
        if self._running and self._running[0] in self._waiting:
            key, began = self._running
            left -= min(now - began, self._waiting[key] * rate)
        return left

    def _expected(self, planned: PlannedTrial) -> float:
        return planned.forecast.total_s if self._known and planned.forecast else 1.0


@contextmanager
def watch(console: Console, waiting: Sequence[PlannedTrial]) -> Generator[Observe]:
    """Show a run while the ``with`` block lasts.

    Args:
        console: where; a live display is drawn only on a terminal.
        waiting: the trials that have to be run: neither finished nor skipped.
    """
    if console.is_terminal:
        with _display(console) as progress:
            yield _Live(progress, waiting)
    else:
        yield _Plain(console, waiting)


@contextmanager
def busy(console: Console, what: str) -> Generator[None]:
    """Say that something without a measure of progress goes on."""
    if not console.is_terminal:
        console.print(what, markup=False, highlight=False, soft_wrap=True)
        yield
        return
    with console.status(Text(what)):
        yield


@contextmanager
def download_bar(console: Console, what: str) -> Generator[ProgressCallback]:
    """Show how far a download is, from its first report on; nothing if there is none."""
    columns = TextColumn("{task.description}"), BarColumn(), DownloadColumn(), TransferSpeedColumn()
    progress = Progress(*columns, console=console, transient=True)
    shown = progress.add_task(Text(f"fetching {what}").markup, total=None)

    def report(done: int, total: int) -> None:
        if not progress.live.is_started:
            progress.start()
        progress.update(shown, completed=done, total=total)

    try:
        yield report
    finally:
        if progress.live.is_started:
            progress.stop()


class _Plain:
    """One line when a trial ends."""

    def __init__(self, console: Console, waiting: Sequence[PlannedTrial]) -> None:
        self._console, self._total, self._ended = console, len(waiting), 0
        self._left = TimeLeft(waiting)

    def __call__(self, event: Event) -> None:
        if isinstance(event, Started):
            self._left.start(event.planned, monotonic())
        if not isinstance(event, Finished) or event.record is None:
            return
        self._ended += event.record.status != "skipped"
        counts = event.record.status == "completed"
        self._left.end(event.planned, event.wall_s, counts=counts)
        line = ending(event.planned, event.record, event.wall_s)
        if event.record.status != "skipped":
            line = f"[{self._ended}/{self._total}] {line}"
            if self._ended < self._total:
                line += f" ({time_left(self._left.seconds(monotonic()))})"
        self._console.print(line, markup=False, highlight=False, soft_wrap=True)


class _Live:
    """A bar for the run, a line for the running trial, and the ended trials above them."""

    def __init__(self, progress: Progress, waiting: Sequence[PlannedTrial]) -> None:
        self._progress, self._total, self._ended = progress, len(waiting), 0
        self._left = TimeLeft(waiting)
        self._run = progress.add_task("trials", total=max(1, self._total), text=self._time_left)
        self._trial = progress.add_task("", total=None, text=str, visible=False)

    def __call__(self, event: Event) -> None:
        if isinstance(event, Started):
            self._left.start(event.planned, monotonic())
            self._show(event.planned, "starting", 0, 0)
        elif isinstance(event, Step):
            phase = event.phase + (f" {event.step}" if event.step else "")
            done = f"{phase} {event.done:,}/{event.total:,}" if event.total else phase
            self._show(event.planned, " · ".join([done, *figures(event.figures)]), event.done, event.total)
        elif event.record is not None:
            self._end(event, event.record)

    def _show(self, planned: PlannedTrial, text: str, done: int, total: int) -> None:
        self._progress.update(
            self._trial,
            description=_name(planned),
            completed=done,
            total=total or None,
            text=lambda: text,
            visible=True,
        )

    def _end(self, event: Finished, record: Record) -> None:
        mark, style = _MARKS[record.status]
        line = Text(f"{mark} ", style=style).append(ending(event.planned, record, event.wall_s), style="default")
        self._progress.console.print(line, highlight=False)
        if record.status != "skipped":
            self._left.end(event.planned, event.wall_s, counts=record.status == "completed")
            self._ended += 1
            self._progress.update(self._run, completed=self._ended)
        self._progress.update(self._trial, visible=False)

    def _time_left(self) -> str:
        left = time_left(self._left.seconds(monotonic())) if self._ended < self._total else "done"
        return f"{self._ended} of {self._total}, {left}"


class _Asked(ProgressColumn):
    """A column whose text is asked for whenever it is drawn, so that the time left goes down by itself."""

    def render(self, task: Task) -> Text:
        """Ask for the text."""
        return Text(task.fields["text"]())


@contextmanager
def _display(console: Console) -> Generator[Progress]:
    description = TextColumn("{task.description}", markup=False)
    with Progress(SpinnerColumn(), description, BarColumn(), _Asked(), console=console, transient=True) as progress:
        yield progress


def _name(planned: PlannedTrial) -> str:
    trial = planned.trial
    seed = f" seed {trial.seed}" if trial.seed else ""
    items = f" {trial.train_items:,} items" if trial.train_items else ""
    return f"{trial.task} · {trial.label} · {trial.model}{items}{seed}"


def figures(latest: Mapping[str, float]) -> list[str]:
    """Write where a training's curves are, the metric by its value on the validation split."""
    names = {"loss": "loss", "validation_loss": "val"}
    names |= {name: name.partition("_")[2] for name in latest if name.startswith("validation_") and name not in names}
    return [f"{text} {latest[name]:.2f}" for name, text in names.items() if name in latest]


def ending(planned: PlannedTrial, record: Record, wall_s: float) -> str:
    """Say in one line how a trial ended."""
    if not isinstance(record, Completed):
        return f"{_name(planned)}: {record.status}: {record.reason}"
    own = [
        (name.partition("/")[2], value) for name, value in record.scores.items() if name.startswith(planned.trial.task)
    ]
    score = f", {own[0][0]} {own[0][1]:.3f}" if own else ""
    return f"{_name(planned)}: completed in {duration(wall_s)}{score}"


def time_left(seconds: float | None) -> str:
    """Say how long the rest takes."""
    return "estimating the time left" if seconds is None else f"about {duration(seconds)} left"


def duration(seconds: float) -> str:
    """Write seconds for people: ``4 s``, ``3 min``, ``2 h 5 min``."""
    if seconds < 90:
        return f"{max(1, round(seconds))} s"
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes < 90 else f"{minutes // 60} h {minutes % 60} min"
