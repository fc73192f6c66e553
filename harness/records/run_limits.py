"""Limits of a run: they end a trial that takes too much, and change no score."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from harness.records.measurements import StoredModel


class RunLimits(StoredModel):
    """Limits of each trial, and of the run as a whole; None or 0: no limit. They are in records, never in trial keys.

    Attributes:
        max_trial_seconds: from the start of a trial's process to its end.
        max_trial_memory_gb: GiB resident in a trial's process and its children together.
        stall_minutes: without any progress.
        max_minutes: of the run; trials that are not reached are left for the next run.
    """

    max_trial_seconds: Annotated[float | None, Field(gt=0)] = None
    max_trial_memory_gb: Annotated[float | None, Field(gt=0)] = None
    stall_minutes: Annotated[float, Field(ge=0)] = 30
    max_minutes: Annotated[float | None, Field(gt=0)] = None


NO_LIMITS = RunLimits()
"""The defaults: a trial ends after 30 minutes without progress, and by nothing else."""
