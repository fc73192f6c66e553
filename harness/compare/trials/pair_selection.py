"""Selection of the stored records that two strategies are compared on."""

from __future__ import annotations

from collections.abc import Sequence

from harness.errors import HarnessError, unknown
from harness.records.record import Completed
from harness.store.results_store import Selection, StoredTrial, select_newest


def select(stored: Sequence[StoredTrial], labels: tuple[str, str], **filters: str | None) -> Selection:
    """Select the newest records of the tasks that two strategies finished: of all strategies, for their spread counts.

    Args:
        stored: all records.
        labels: of the two rows.
        filters: names of a `suite`, `task` or `model`; None: all of them.

    Raises:
        HarnessError: a name is unknown, or a strategy is compared with itself.
    """
    trials = list(stored)
    for kind, name in filters.items():
        if name is not None:
            names = {getattr(trial.record.trial, kind) for trial in trials}
            trials = [trial for trial in trials if getattr(trial.record.trial, kind) == name]
            if not trials:
                raise unknown(kind, name, names, where="the results")
    finished = {trial.record.trial.label for trial in trials if isinstance(trial.record, Completed)}
    for name in labels:
        if name not in finished:
            raise unknown("strategy", name, finished, where="the results", hint="'harness report' lists them.")
    if labels[0] == labels[1]:
        raise HarnessError(f"{labels[0]!r} is compared with itself: name two strategies.")
    places = [
        {_task(trial) for trial in trials if trial.record.trial.label == label and isinstance(trial.record, Completed)}
        for label in labels
    ]
    common = places[0] & places[1]
    return select_newest([trial for trial in stored if _task(trial) in common])


def _task(trial: StoredTrial) -> tuple[str, str]:
    return trial.record.trial.suite, trial.record.trial.task
