"""Which stored records two strategies are compared on."""

from __future__ import annotations

from collections.abc import Sequence

from harness.errors import HarnessError, unknown
from harness.records.record import Completed
from harness.store.results_store import Selection, StoredTrial, newest


def select(stored: Sequence[StoredTrial], labels: tuple[str, str], **where: str | None) -> Selection:
    """Choose the records of two strategies that may stand in one table.

    Args:
        stored: all that there is.
        labels: of the rows.
        where: `suite`, `task` and `model` to look at; None: all of them.

    Raises:
        HarnessError: a name is unknown, or a strategy is compared with itself.
    """
    found = list(stored)
    for kind, name in where.items():
        if name is not None:
            known = {getattr(one.record.trial, kind) for one in found}
            found = [one for one in found if getattr(one.record.trial, kind) == name]
            if not found:
                raise unknown(kind, name, known, where="the results")
    finished = {one.record.trial.label for one in found if isinstance(one.record, Completed)}
    for name in labels:
        if name not in finished:
            raise unknown("strategy", name, finished, where="the results", hint="'harness report' lists them.")
    if labels[0] == labels[1]:
        raise HarnessError(f"{labels[0]!r} is compared with itself: name two strategies.")
    chosen = newest(found)
    return Selection(tuple(one for one in chosen.trials if one.record.trial.label in labels), chosen.notes)
