"""Metric: statistics of each item, and a rule from their sums to the value."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from harness.api import Kind
from harness.metrics.items import Items

FloatArray = NDArray[np.float64]
BoolArray = NDArray[np.bool_]

Statistics = Callable[[Items], FloatArray]
Combine = Callable[[FloatArray, FloatArray], FloatArray]
Defined = Callable[[Items], BoolArray]

TEXT_KINDS: frozenset[Kind] = frozenset({"qa", "generation"})
"""Kinds of task whose answer is written freely."""
CHOICE_KINDS: frozenset[Kind] = frozenset({"classification", "multiple_choice", "preference"})
"""Kinds of task whose answer is one of the task's, or of the item's, choices."""


def mean(sums: FloatArray, count: FloatArray) -> FloatArray:
    """Mean of a per-item score: sums [..., 1] over count [...] items."""
    return sums[..., 0] / count


def all_items(items: Items) -> BoolArray:
    """Mask of a metric that is defined for every item: [n], all true."""
    return np.ones(len(items), dtype=bool)


@dataclass(frozen=True)
class Metric:
    """A number that says how good a set of answers is.

    ``Metric("accuracy", "share of items answered correctly", CHOICE_KINDS, correct, binary=True)``

    Attributes:
        name: as written in a suite and in a record.
        summary: what it says, in one line.
        kinds: the kinds of task that it fits.
        statistics: `Items` of n items → float64 [n, d], what each item adds.
        combine: sums [..., d] and numbers of items [...] → values [...]; so one product of resampling counts
            [resamples, n] with the statistics [n, d] gives the metric of every resample.
        unit: what 1.0 means.
        higher_is_better: the direction; None: neither, the value only describes, and no system is ranked by it.
        bounds: lowest and highest possible value.
        concern: what a change for the worse means: less of a skill, more bias, or less privacy.
        binary: every item's score is 0 or 1, and the metric is their mean.
        folded_at: the metric is the distance of a mean in [0, 1] from this; None: it is not.
        defined: which items the metric is defined for, as a mask [n]; the others are left out, not wrong.
        source: where the definition comes from.
    """

    name: str
    summary: str
    kinds: frozenset[Kind]
    statistics: Statistics
    combine: Combine = mean
    unit: str = "share"
    higher_is_better: bool | None = True
    bounds: tuple[float, float] = (0.0, 1.0)
    binary: bool = False
    folded_at: float | None = None
    defined: Defined = all_items
    concern: Literal["skill", "bias", "privacy"] = "skill"
    source: str = ""

    @property
    def is_mean(self) -> bool:
        """Whether the value is the mean of one score an item, so that a t interval fits."""
        return self.combine is mean

    def value(self, items: Items) -> float | None:
        """Value over all items that the metric is defined for; None where there is none of them."""
        mask = self.defined(items)
        count = int(mask.sum())
        if not count:
            return None
        return float(self.combine(self.statistics(items)[mask].sum(axis=0), np.float64(count)))  # pyright: ignore[reportArgumentType] - a scalar is an array of no dimensions


@dataclass(frozen=True)
class MetricSeries:
    """Metrics that differ in a whole number, written ``NAME@N`` such as ``recall@5``.

    Attributes:
        name: before the ``@``.
        make: N, from 1 → the metric called ``NAME@N``.
        listed: the numbers whose metrics are listed with the others.
    """

    name: str
    make: Callable[[int], Metric]
    listed: tuple[int, ...] = ()
