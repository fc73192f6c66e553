"""Slices: each row's scores on the items of one value of a metadata column, such as a language or a product.

A row is worse on a slice than on the other items where the difference of these two sets of items, whose intervals
respect clusters, is clear after Holm's adjustment for all rows and slices of the task. A slice that is smaller than
`MIN_ITEMS` items or `MIN_UNITS` independent units is only counted.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from pydantic import Field

from harness.compare.stats.estimates import Difference, Estimate, unpaired_difference
from harness.compare.stats.intervals import holm
from harness.compare.stats.panel import Panel
from harness.compare.trials.groups import Group, ScoreKey, make_panel
from harness.metrics import get
from harness.records.measurements import StoredModel

MIN_ITEMS, MIN_UNITS = 20, 10
NO_VALUE = "(empty)"
"""Slice of the items without a value."""


class SliceScore(StoredModel):
    """One row on one slice.

    Attributes:
        strategy: label of the row.
        scores: by metric, in the task's order.
        to_others: score on the slice minus score on all other items, on the primary metric; its p is adjusted for all
            rows and slices of the task. None where there are too few other items, or no direction.
        worst: whether the row scores worst here of all slices of the column, on the primary metric.
    """

    strategy: str
    model: str
    scores: dict[str, Estimate] = Field(default_factory=dict[str, Estimate])
    to_others: Difference | None = None
    worst: bool = False


class SliceResult(StoredModel):
    """The items with one value of a column.

    Attributes:
        items: of one seed; units: independent ones.
        too_small: whether nothing is said of it; then there are no rows.
    """

    column: str
    value: str
    items: int
    units: int
    too_small: bool
    rows: tuple[SliceScore, ...] = ()


@dataclass(frozen=True)
class _Slice:
    """Groups of trials on the items of one slice, and on all others."""

    column: str
    value: str
    items: int
    units: int
    inside: tuple[Group, ...]
    others: tuple[Group, ...]

    @property
    def too_small(self) -> bool:
        return _too_small(self.items, self.units)


def slices_of(groups: Sequence[Group], metric_names: Sequence[str]) -> tuple[SliceResult, ...]:
    """Score the rows on each slice, the largest of each column first.

    Args:
        groups: of one task.
        metric_names: the task's, the primary first.
    """
    parts = [part for index, column in enumerate(_columns(groups)) for part in _parts(groups, index, column)]
    scored = [part for part in parts if not part.too_small]
    panels = {id(part): {name: make_panel(name, part.inside) for name in metric_names} for part in scored}
    changes = _adjusted(
        {
            (id(part), group.key): change
            for part in scored
            for group in part.inside
            if (change := _to_others(part, group, panels[id(part)][metric_names[0]], metric_names[0]))
        }
    )
    results = [
        SliceResult(
            column=part.column,
            value=part.value,
            items=part.items,
            units=part.units,
            too_small=part.too_small,
            rows=tuple(
                SliceScore(
                    strategy=group.label,
                    model=group.model,
                    scores={name: panel.estimate(group.key) for name, panel in by_name.items() if group.key in panel},
                    to_others=changes.get((id(part), group.key)),
                )
                for group in part.inside
            )
            if (by_name := panels.get(id(part)))
            else (),
        )
        for part in parts
    ]
    return _with_worst(results, metric_names[0])


def _columns(groups: Sequence[Group]) -> tuple[str, ...]:
    return next((names for group in groups for record in group.records if (names := record.tasks[0].groups)), ())


def _parts(groups: Sequence[Group], index: int, column: str) -> list[_Slice]:
    """Divide the items by a column's values, the largest part first."""
    known = [
        group
        for group in groups
        if group.items and all(len(values) > index for items in group.items.values() for values in items.groups)
    ]
    counts: dict[str, dict[str, str | None]] = {}
    for items in (items for group in known for items in group.items.values()):
        for name, cluster, values in zip(items.ids, items.clusters, items.groups, strict=True):
            counts.setdefault(values[index], {})[name] = cluster
    parts = [
        _Slice(
            column,
            value or NO_VALUE,
            len(clusters),
            len({cluster or ("item", name) for name, cluster in clusters.items()}),
            tuple(_select(group, index, value, inside=True) for group in known),
            tuple(_select(group, index, value, inside=False) for group in known),
        )
        for value, clusters in counts.items()
    ]
    return sorted(parts, key=lambda part: (-part.items, part.value))


def _select(group: Group, index: int, value: str, *, inside: bool) -> Group:
    """Keep the items with a value of a column, or those with another."""
    items = {
        seed: seed_items.at([i for i, values in enumerate(seed_items.groups) if (values[index] == value) == inside])
        for seed, seed_items in group.items.items()
    }
    return replace(group, items={seed: seed_items for seed, seed_items in items.items() if len(seed_items)})


def _too_small(items: int, units: int) -> bool:
    return items < MIN_ITEMS or units < MIN_UNITS


def _to_others(part: _Slice, group: Group, panel: Panel[ScoreKey], metric_name: str) -> Difference | None:
    """Compare a row's score on a slice with that on the other items."""
    if group.key not in panel or get(metric_name).higher_is_better is None:
        return None
    others = make_panel(metric_name, [other for other in part.others if other.key == group.key])
    if group.key not in others:
        return None
    sample = others.sample(group.key)
    if _too_small(sample.n, sample.units):
        return None
    return unpaired_difference(panel.sample(group.key), sample)


def _adjusted(changes: Mapping[tuple[int, ScoreKey], Difference]) -> dict[tuple[int, ScoreKey], Difference]:
    p_values = holm([change.p for change in changes.values()])
    return {key: change.adjusted(p, len(changes)) for (key, change), p in zip(changes.items(), p_values, strict=True)}


def _with_worst(results: Sequence[SliceResult], primary: str) -> tuple[SliceResult, ...]:
    """Mark the slice of each column on which a row scores worst."""
    sign = {True: 1, False: -1, None: 0}[get(primary).higher_is_better]
    worst: dict[tuple[str, str, str], tuple[float, str]] = {}
    for part in results:
        for row in part.rows:
            if sign and primary in row.scores:
                key = part.column, row.strategy, row.model
                entry = sign * row.scores[primary].value, part.value
                worst[key] = min(worst.get(key, entry), entry)
    return tuple(
        part.model_copy(
            update={
                "rows": tuple(
                    row.model_copy(
                        update={"worst": worst.get((part.column, row.strategy, row.model), (0, ""))[1] == part.value}
                    )
                    for row in part.rows
                )
            }
        )
        for part in results
    )
