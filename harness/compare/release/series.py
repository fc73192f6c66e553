"""Series of a history: each figure of each strategy, release by release."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from harness.compare.stats.estimates import Difference, Estimate
from harness.records.measurements import StoredModel


class FigureChange(StoredModel):
    """One figure of a release against the release before.

    Attributes:
        value: of the figure in this release, in `unit`.
        ratio: to the release before; None for seconds and bytes of another machine. low, high: its 95 % interval.
        clear: direction of a change point; None: not clearly changed, or the noise of repeats is unknown.
    """

    unit: str
    value: float
    ratio: float | None = None
    low: float | None = None
    high: float | None = None
    clear: Literal["better", "worse"] | None = None


class SeriesPoint(StoredModel):
    """One release of a series.

    Attributes:
        change: the score minus that of the release before, on the same items; clear: as in `FigureChange`.
        figures: seconds, bytes and tokens by name.
        differs: recorded changes since the release before, as ``factor: name before → after``.
        versions: of packages that can move a score; data_hash: of the task's items.
    """

    release: str
    measured_at: str
    model: str
    revision: str | None
    weights: str | None
    commit: str | None
    data_hash: str
    versions: dict[str, str]
    seeds: int
    score: Estimate | None = None
    change: Difference | None = None
    clear: Literal["better", "worse"] | None = None
    figures: dict[str, FigureChange] = Field(default_factory=dict[str, FigureChange])
    differs: tuple[str, ...] = ()


class Series(StoredModel):
    """One strategy on one task by one metric, oldest release first.

    Attributes:
        train_items: their number, where it was limited for a learning curve.
        model: set where a release has the strategy with several models, each of which has its own series.
    """

    task: str
    strategy: str
    metric: str
    train_items: int | None = None
    model: str | None = None
    higher_is_better: bool | None
    points: tuple[SeriesPoint, ...]

    @property
    def name(self) -> str:
        """Its strategy, with the training items and the model where they are set."""
        size = f" on {self.train_items:,} items" if self.train_items else ""
        return f"{self.strategy}{size}{f' · {self.model}' if self.model else ''}"


class History(StoredModel):
    """All series of a suite."""

    suite: str
    releases: tuple[str, ...]
    series: tuple[Series, ...]
    notes: tuple[str, ...] = ()
