"""Self-tests pooled over seeds: share of items with the same answer, and its interval."""

from __future__ import annotations

from collections.abc import Sequence

from harness.compare.stats.intervals import wilson
from harness.records.measurements import Check, StoredModel
from harness.records.record import Completed


class Agreement(StoredModel):
    """A self-test with the share of items with the same answer and its 95 % interval (Wilson); None without items."""

    name: str
    items: int
    agreeing: int
    share: float | None = None
    low: float | None = None
    high: float | None = None
    largest_difference: float | None = None
    note: str | None = None

    @property
    def differing(self) -> int:
        """Items with different answers."""
        return self.items - self.agreeing


def checks_of(records: Sequence[Completed]) -> tuple[Check, ...]:
    """Pool the self-tests of several seeds: sum the items, keep the largest difference."""
    by_name: dict[str, list[Check]] = {}
    for record in records:
        for check in record.checks:
            by_name.setdefault(check.name, []).append(check)
    return tuple(
        Check(
            name=name,
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
    """Return a self-test with its interval; an item counts once for each seed."""
    pooled = Agreement(**check.model_dump())
    if not check.items:
        return pooled
    low, high = wilson(check.agreeing, check.items)
    return pooled.model_copy(update={"share": check.agreeing / check.items, "low": low, "high": high})
