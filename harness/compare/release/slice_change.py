"""Score changes of a candidate on each slice of its task: the items with one value of a column.

A slice fails only where its loss is beyond the margin at a level that is shared by all slices of the pair (Bonferroni),
so that many slices do not fail a release that is as good on each. It passes where the usual interval is within the
margin. What lies between is no reason to hold a release up: it is told and does not count.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import NormalDist

from harness.compare.release.pairing import ReleasePair
from harness.compare.release.quality_change import Quality, find_margin, quality_of, seeded_samples
from harness.compare.table.slices import MIN_ITEMS, MIN_UNITS, NO_VALUE
from harness.metrics import get
from harness.metrics.statistical_power import ALPHA


@dataclass(frozen=True)
class SliceChange:
    """The first metric of a task on one slice, in both releases.

    Attributes:
        name: such as ``language = de``.
        low: of the change at the shared level; high: the same.
        slices: that share the level.
    """

    name: str
    quality: Quality
    low: float
    high: float
    slices: int


def slice_changes(pair: ReleasePair, margins: Mapping[str, float], pairs: Sequence[ReleasePair]) -> list[SliceChange]:
    """Compare a pair on each slice of its task that has items enough; empty without any.

    Args:
        pair: candidate and baseline.
        margins: as in `quality_change.compare_quality`.
        pairs: all of the releases, to pool the spread over seeds from.
    """
    info = pair.candidate.records[0].tasks[0]
    if not info.groups or not info.metrics:
        return []
    metric = get(info.metrics[0])
    if metric.higher_is_better is None:
        return []
    margin = find_margin(margins, info, 0)
    qualities: dict[str, Quality] = {}
    for name, ids in _slices(pair, info.name, info.groups).items():
        samples = seeded_samples(pair, info.name, metric, pairs, ids)
        if samples and samples[0].n >= MIN_ITEMS and samples[0].units >= MIN_UNITS:
            qualities[name] = quality_of(info.name, metric, samples, margin)
    wider = _wider(len(qualities))
    return [
        SliceChange(
            name,
            quality,
            change.value - wider * (change.value - change.low),
            change.value + wider * (change.high - change.value),
            len(qualities),
        )
        for name, quality in qualities.items()
        if (change := quality.change)
    ]


def _slices(pair: ReleasePair, task: str, columns: tuple[str, ...]) -> dict[str, frozenset[str]]:
    """Return the ids of the candidate's items by slice."""
    slices: dict[str, set[str]] = {}
    for items in pair.candidate.items(task, ()):
        for name, values in zip(items.ids, items.groups, strict=True):
            for column, value in zip(columns, values, strict=False):
                slices.setdefault(f"{column} = {value or NO_VALUE}", set()).add(name)
    return {name: frozenset(ids) for name, ids in sorted(slices.items())}


def _wider(tests: int) -> float:
    """How many times as wide an interval is at the level of one of several tests."""
    normal = NormalDist()
    return normal.inv_cdf(1 - ALPHA / (2 * max(1, tests))) / normal.inv_cdf(1 - ALPHA / 2)
