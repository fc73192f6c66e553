"""Self-tests pooled over seeds: share of items with the same answer, and its interval."""

from __future__ import annotations

from collections.abc import Sequence

from harness.compare.stats.intervals import wilson
from harness.records.measurements import Check, StoredModel
from harness.records.record import Completed


class PooledCheck(Check):
    """A self-test of several runs: `items` and `agreeing` count answers, of which each of the runs gave as many."""

    runs: int = 1


class Agreement(StoredModel):
    """A self-test with the share of answers that are the same and its 95 % interval (Wilson); None without items.

    Attributes:
        items: asked, each once a run; answers: of all runs; agreeing: the same answers.
        low, high: as of so many items, because the runs asked the same ones.
    """

    name: str
    items: int
    answers: int
    agreeing: int
    runs: int = 1
    share: float | None = None
    low: float | None = None
    high: float | None = None
    largest_difference: float | None = None
    note: str | None = None

    @property
    def differing(self) -> int:
        """Answers that differ."""
        return self.answers - self.agreeing


def checks_of(records: Sequence[Completed]) -> tuple[PooledCheck, ...]:
    """Pool the self-tests of several seeds: sum the answers, keep the largest difference."""
    by_name: dict[str, list[Check]] = {}
    for record in records:
        for check in record.checks:
            by_name.setdefault(check.name, []).append(check)
    return tuple(
        PooledCheck(
            name=name,
            runs=sum(check.items > 0 for check in checks) or 1,
            items=sum(check.items for check in checks),
            agreeing=sum(check.agreeing for check in checks),
            largest_difference=max(
                (check.largest_difference for check in checks if check.largest_difference is not None), default=None
            ),
            note="; ".join(dict.fromkeys(check.note for check in checks if check.note)) or None,
        )
        for name, checks in by_name.items()
    )


def agreement(check: Check) -> Agreement:
    """Return a self-test with its interval, which counts each item once, however many runs asked it."""
    runs = check.runs if isinstance(check, PooledCheck) else 1
    items = round(check.items / runs)
    pooled = Agreement(**check.model_dump(exclude={"items", "runs"}), items=items, answers=check.items, runs=runs)
    if not check.items:
        return pooled
    low, high = wilson(check.agreeing / runs, check.items / runs)
    return pooled.model_copy(update={"share": check.agreeing / check.items, "low": low, "high": high})
