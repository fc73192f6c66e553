"""Clear side effects of a table's rows: retention, overfitting, gains from more training items, spread over seeds.

A change is clear where its p, adjusted for all changes of the same sort in the table (Holm), is at most `ALPHA`. The
adjusted p is not stored: it depends on the rows that are compared.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from harness.compare.stats.estimates import Difference, Estimate
from harness.compare.stats.intervals import holm
from harness.compare.table.findings import Gap, Retention
from harness.compare.table.result import SizeResult, StrategyResult
from harness.metrics import get
from harness.metrics.statistical_power import ALPHA


class RetentionChanges(NamedTuple):
    """Clear changes on tasks that were not trained on, best row first.

    Attributes:
        probes: all probes but those for planted secrets, each once, whether they changed or not.
    """

    losses: tuple[tuple[StrategyResult, Retention], ...]
    gains: tuple[tuple[StrategyResult, Retention], ...]
    probes: tuple[str, ...]


class Overfitting(NamedTuple):
    """Rows that do clearly better on training items; `measured`: whether any row has a train-test gap."""

    measured: bool
    rows: tuple[tuple[StrategyResult, Gap], ...]


class SizeGain(NamedTuple):
    """A clear gain of a learning curve from the second largest number of training items to the largest."""

    row: StrategyResult
    gain: Difference
    smaller: SizeResult
    larger: SizeResult


class DataGains(NamedTuple):
    """Clear gains from more training items; `measured`: whether any row has a learning curve."""

    measured: bool
    gains: tuple[SizeGain, ...]


class SeedSpread(NamedTuple):
    """The row with the largest standard deviation over seeds, its score, and all rows that have one."""

    row: StrategyResult
    score: Estimate
    sd: float
    rows: tuple[StrategyResult, ...]


def retention_changes(rows: Sequence[StrategyResult]) -> RetentionChanges:
    """Return the clear losses and gains on probes."""
    retentions = [(row, retention) for row in rows for retention in row.retention]
    clear = _clear([retention.change for _, retention in retentions])
    signed = [(row, retention, _gain(retention)) for (row, retention), c in zip(retentions, clear, strict=True) if c]
    probes = [retention.task for _, retention in retentions if get(retention.metric).concern != "privacy"]
    return RetentionChanges(
        tuple((row, retention) for row, retention, gain in signed if gain < 0),
        tuple((row, retention) for row, retention, gain in signed if gain > 0),
        tuple(dict.fromkeys(probes)),
    )


def overfitting(rows: Sequence[StrategyResult], *, higher_is_better: bool) -> Overfitting:
    """Return the rows whose score on training items is clearly better than on the test items."""
    gaps = [(row, row.gap) for row in rows if row.gap]
    clear = _clear([gap.change for _, gap in gaps])
    return Overfitting(
        bool(gaps),
        tuple(
            (row, gap)
            for (row, gap), is_clear in zip(gaps, clear, strict=True)
            if is_clear and _is_better(gap.change, higher_is_better=higher_is_better)
        ),
    )


def data_gains(rows: Sequence[StrategyResult], *, higher_is_better: bool) -> DataGains:
    """Return the clear gains of the last step of each learning curve."""
    last_points = [(row, row.learning_curve[-2:]) for row in rows if row.learning_curve]
    gains = [SizeGain(row, points[-1].gain, *points) for row, points in last_points if points[-1].gain]
    clear = _clear([size_gain.gain for size_gain in gains])
    return DataGains(
        bool(gains),
        tuple(
            size_gain
            for size_gain, is_clear in zip(gains, clear, strict=True)
            if is_clear and _is_better(size_gain.gain, higher_is_better=higher_is_better)
        ),
    )


def seed_spread(rows: Sequence[StrategyResult]) -> SeedSpread | None:
    """Find the row whose primary score varies most over seeds; None where no row has several seeds that differ."""
    spread = [(score.seed_sd, row, score) for row in rows for score in list(row.scores.values())[:1] if score.seed_sd]
    if not spread:
        return None
    sd, row, score = max(spread, key=lambda entry: entry[0])
    return SeedSpread(row, score, sd, tuple(spread_row for _, spread_row, _ in spread))


def _clear(changes: Sequence[Difference]) -> list[bool]:
    """Whether each change of a family is clear, adjusted for all of them (Holm)."""
    return [p <= ALPHA for p in holm([change.p for change in changes])]


def _gain(retention: Retention) -> float:
    """Return the change, positive where it is for the better."""
    return retention.change.value if get(retention.metric).higher_is_better else -retention.change.value


def _is_better(change: Difference, *, higher_is_better: bool) -> bool:
    return change.value > 0 if higher_is_better else change.value < 0
