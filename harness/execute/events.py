"""Events of a run, in the order in which they are sent to whoever shows it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from harness.execute.interrupted import RunningTrial
from harness.records.planned_trial import PlannedTrial
from harness.store.record_file import Record


@dataclass(frozen=True)
class Started:
    """A trial's process was started."""

    planned: PlannedTrial


@dataclass(frozen=True)
class Progress:
    """How far a phase of the running trial is.

    Attributes:
        step: the step that the phase belongs to, where it is one step's.
        done: of `total` items, batches or tokens; `total` is 0 where it is not known.
        figures: the latest of each curve that a training draws, e.g. ``{"loss": 0.7}``.
    """

    planned: PlannedTrial
    phase: str
    step: str | None = None
    done: int = 0
    total: int = 0
    figures: Mapping[str, float] = field(default_factory=dict[str, float])


@dataclass(frozen=True)
class Finished:
    """A trial is over.

    Attributes:
        wall_s: seconds from the start of its process to its end; 0 for one that needed none.
        record: None where it was finished by an earlier run, or where the run's time was over before its end.
        stored_before: it was finished by an earlier run.
    """

    planned: PlannedTrial
    record: Record | None
    wall_s: float = 0.0
    stored_before: bool = False


@dataclass(frozen=True)
class Interrupted:
    """A trial was running when an earlier run on these results died; `skipped`: it is left out now."""

    running: RunningTrial
    skipped: bool


@dataclass(frozen=True)
class SetAside:
    """A folder that could not be read stood where a record belongs; it was renamed to `folder`."""

    folder: Path


Event = Interrupted | SetAside | Started | Progress | Finished
Observe = Callable[[Event], None]
