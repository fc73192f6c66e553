"""Lists of metrics: direction, range, definition and source, as tables and as data."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import Literal

from rich.console import RenderableType
from rich.text import Text

from harness.metrics import get
from harness.metrics.metric import Metric
from harness.metrics.metric_lookup import Definition
from harness.records.measurements import StoredModel
from harness.render.text.escape import plain
from harness.render.text.tables import TableColumn, new_table

Direction = Literal["higher", "lower", "none"]


class MetricEntry(StoredModel):
    """One metric, or a series of them.

    Attributes:
        name: as a suite writes it; of a series ``NAME@N``.
        better: direction; ``none``: the value only describes, and no system is ranked by it.
        low, high: of the range; None where it has no end.
        kinds: of tasks that it fits.
        interval: how its interval is made where items are independent.
        origin: module or package that defines it.
    """

    name: str
    definition: str
    better: Direction
    low: float | None
    high: float | None
    unit: str
    kinds: tuple[str, ...]
    interval: str
    source: str
    origin: str


class MetricsDocument(StoredModel):
    """All metrics, or those that were asked for; `problems`: a sentence on each that cannot be loaded."""

    metrics: tuple[MetricEntry, ...]
    problems: tuple[str, ...]


def entry(definition: Definition, origin: str) -> MetricEntry:
    """Describe a metric; of a series its first listed one."""
    metric = definition if isinstance(definition, Metric) else definition.make(next(iter(definition.listed), 1))
    name = metric.name if metric is definition else f"{definition.name}@N"
    return MetricEntry(
        name=name,
        definition=metric.summary if metric is definition else f"{metric.summary} ({metric.name})",
        better="none" if metric.higher_is_better is None else "higher" if metric.higher_is_better else "lower",
        low=_finite(metric.bounds[0]),
        high=_finite(metric.bounds[1]),
        unit=metric.unit,
        kinds=tuple(sorted(metric.kinds)),
        interval="Wilson" if metric.binary else "t" if metric.is_mean else "BCa bootstrap",
        source=metric.source,
        origin=origin,
    )


def find(entries: Sequence[MetricEntry], name: str) -> MetricEntry:
    """Find a metric by name, also one of a series.

    Raises:
        HarnessError: there is none of that name.
    """
    listed = {known.name: known for known in entries}
    if name in listed:
        return listed[name]
    metric = get(name)
    series = listed.get(f"{name.partition('@')[0]}@N")
    return entry(metric, series.origin if series else "")


def overview(entries: Sequence[MetricEntry]) -> Iterator[RenderableType]:
    """Lay out all metrics, a line each."""
    titles = ("metric", "better", "range", "kinds of task", "definition")
    table = new_table(TableColumn(title, no_wrap=index < 3) for index, title in enumerate(titles))
    for metric in entries:
        cells = (metric.name, metric.better, _range(metric), ", ".join(metric.kinds), metric.definition)
        table.add_row(*(Text(plain(cell)) for cell in cells))
    yield table
    yield Text("'harness metrics NAME' adds the source; --format json has everything.", style="dim")


def details(entries: Sequence[MetricEntry]) -> Iterator[RenderableType]:
    """Lay out metrics in full."""
    for metric in entries:
        facts = {
            "better": metric.better,
            "range": _range(metric),
            "kinds of task": ", ".join(metric.kinds),
            "interval": metric.interval,
            "source": metric.source or "–",  # noqa: RUF001 - as in every table
            "defined in": metric.origin,
        }
        yield Text(plain(metric.name), style="bold")
        yield Text(plain(f"  {metric.definition}"))
        for title, fact in facts.items():
            yield Text(plain(f"  {title}: {fact}"))


def _range(metric: MetricEntry) -> str:
    low = "-∞" if metric.low is None else f"{metric.low:g}"
    high = "∞" if metric.high is None else f"{metric.high:g}"
    return f"{low} to {high}" + ("" if metric.unit == "share" else f" {metric.unit}")


def _finite(bound: float) -> float | None:
    return bound if math.isfinite(bound) else None
