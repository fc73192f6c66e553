"""Two-sample tests of fresh items against the test split, by permutation; how large a shift is, and which would show.

What is exchanged is what is independent: clusters of items where there are some, else items. A p-value is the share of
5,000 relabellings, the one that happened among them, with a statistic at least as large; so it is valid at any size.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydantic import Field
from scipy.special import chdtri, chndtrinc

from harness.compare.stats import intervals
from harness.compare.stats.sample import IntArray
from harness.metrics.statistical_power import ALPHA
from harness.records.measurements import StoredModel

DRAWS = 4_999
FEWEST = 8
"""Independent units of each side: with fewer, half of them say nothing."""

Floats = NDArray[np.floating[Any]]
BoolArray = NDArray[np.bool_]


class ShiftSize(StoredModel):
    """How large a shift is, with its 95 % interval.

    Attributes:
        none: the value where nothing has shifted.
    """

    value: float
    low: float
    high: float
    none: float = 0.0


class Shift(StoredModel):
    """One two-sample test.

    Attributes:
        quantity: ``inputs`` (embeddings), ``labels`` or ``length`` (words); ``what`` in JSON.
        statistic: MMD² (unbiased), chi-squared, or Kolmogorov and Smirnov's largest distance.
        p: that both came from one source; p_holm: adjusted for the tests that were made with it.
        size: AUC of telling both apart by the kernel, total-variation distance, or difference of medians in words.
        detectable: smallest shift that one such test finds with 80 % power, for so many independent units: a distance
            of labels moved from the commonest to the next, or a distance D of distributions. Of inputs an AUC that a
            rank test of one score known beforehand would find; a kernel, which looks everywhere, needs more.
    """

    quantity: str = Field(serialization_alias="what")
    statistic: float
    p: float
    p_holm: float | None = None
    size: ShiftSize
    detectable: float


@dataclass(frozen=True, eq=False)
class SampleSplit:
    """Which of N items are fresh, and what of them is independent.

    Attributes:
        fresh: [N].
        units: [N], 0 ... U - 1: clusters, each on one side.
        draws: relabellings and resamples.
    """

    fresh: BoolArray
    units: IntArray
    draws: int = DRAWS

    @classmethod
    def of(cls, test: Sequence[str | None], fresh: Sequence[str | None], draws: int = DRAWS) -> SampleSplit:
        """Make sides of the clusters of each item, test split first; None: on its own."""
        keys = [("test", c if c is not None else i, c is None) for i, c in enumerate(test)]
        keys += [("fresh", c if c is not None else i, c is None) for i, c in enumerate(fresh)]
        codes: dict[object, int] = {}
        units = np.array([codes.setdefault(key, len(codes)) for key in keys], dtype=np.int64)
        return cls(np.arange(len(keys)) >= len(test), units, draws)

    @cached_property
    def fresh_units(self) -> BoolArray:
        """Which units are fresh: [U]."""
        fresh_by_unit = np.zeros(int(self.units.max()) + 1, dtype=np.bool_)
        fresh_by_unit[self.units] = self.fresh
        return fresh_by_unit

    @property
    def counts(self) -> tuple[int, int]:
        """Independent units of the test split and of the fresh items."""
        fresh = int(self.fresh_units.sum())
        return len(self.fresh_units) - fresh, fresh

    @property
    def inverse(self) -> float:
        """1 / units of the test split + 1 / units of the fresh items: variances are in proportion to it."""
        test, fresh = self.counts
        return 1 / test + 1 / fresh

    def p(self, statistic: Callable[[Floats], Floats], seed: int) -> tuple[float, float]:
        """Return a statistic, and the share of relabellings in which it is as large.

        Args:
            statistic: of relabellings [B, N], 1.0 where an item counts as fresh; gives [B].
            seed: of the relabellings.
        """
        labels = self.fresh_units.astype(np.float32)
        drawn = np.random.default_rng(seed).permuted(np.tile(labels, (self.draws, 1)), axis=1)
        statistics = statistic(np.concatenate([labels[None], drawn])[:, self.units])
        return float(statistics[0]), float((statistics >= statistics[0] - 1e-9).mean())

    def resampled(self, seed: int) -> Floats:
        """Draw units of each side with replacement: how often each item counts, [B, N]."""
        generator = np.random.default_rng(seed)
        times = np.zeros((self.draws, len(self.fresh_units)), dtype=np.float32)
        for side in (self.fresh_units, ~self.fresh_units):
            n = int(side.sum())
            times[:, side] = generator.multinomial(n, np.full(n, 1 / n), size=self.draws)
        return times[:, self.units]


def of_labels(labels: Sequence[str], sides: SampleSplit) -> Shift:
    """Compare how often each label occurs: Pearson's chi-squared, p by permutation; total-variation distance.

    The interval is as wide as 95 % of the distances between resampled shares and those found: the triangle inequality
    makes it hold, and lets it reach 0, which a bootstrap of a distance itself never does.

    Source: Pearson 1900; label shift: Lipton, Wang & Smola 2018 (arXiv:1802.03916).
    """
    names, codes = np.unique(np.array(labels), return_inverse=True)
    each = np.eye(len(names), dtype=np.float32)[codes]
    total = each.sum(axis=0) / len(labels)

    def chi_squared(fresh: Floats) -> Floats:
        n = fresh.sum(axis=1, keepdims=True)
        m = len(labels) - n
        gone = (fresh @ each - n * total) ** 2
        return (gone / (n * total) + gone / (m * total)).sum(axis=1)

    statistic, p = sides.p(chi_squared, 2)
    differences = _shares(sides.fresh[None].astype(np.float32), each) - _shares(
        (~sides.fresh[None]).astype(np.float32), each
    )
    value = float(np.abs(differences).sum() / 2)
    times = sides.resampled(3)
    drawn = _shares(times * sides.fresh, each) - _shares(times * ~sides.fresh, each)
    reach = float(np.quantile(np.abs(drawn - differences).sum(axis=1) / 2, intervals.CONFIDENCE))
    size = ShiftSize(value=value, low=max(0.0, value - reach), high=min(1.0, value + reach))
    return Shift(quantity="labels", statistic=statistic, p=p, size=size, detectable=_label_power(total, sides))


def of_lengths(words: Sequence[int], sides: SampleSplit) -> Shift:
    """Compare lengths: Kolmogorov and Smirnov's distance, p by permutation; difference of medians, bootstrapped.

    Source: Smirnov 1939; Efron 1979. The detectable distance is the test's own 5 % limit, 1.358 · sqrt(1/n + 1/m): a
    normal distribution that moved so far is found in 82 to 86 % of simulated cases, with 60 to 400 items.
    """
    order = np.argsort(np.array(words), kind="stable")
    values = np.array(words)[order]
    ends = np.flatnonzero(np.append(np.diff(values) > 0, True))

    def distance(fresh: Floats) -> Floats:
        fresh_lengths = fresh[:, order]
        n = fresh_lengths.sum(axis=1, keepdims=True)
        below = fresh_lengths.cumsum(axis=1, dtype=np.float64)[:, ends]
        return np.abs(below / n - (ends + 1 - below) / (len(words) - n)).max(axis=1)

    def medians(times: Floats, side: BoolArray) -> Floats:
        counted = np.where(side[order], times[:, order], 0).cumsum(axis=1, dtype=np.float64)
        return values[(counted >= counted[:, -1:] / 2).argmax(axis=1)].astype(np.float64)

    statistic, p = sides.p(distance, 4)
    observed, drawn = np.ones((1, len(words)), dtype=np.float32), sides.resampled(5)
    value = float((medians(observed, sides.fresh) - medians(observed, ~sides.fresh))[0])
    low, high = percentiles(medians(drawn, sides.fresh) - medians(drawn, ~sides.fresh))
    smallest = 1.358 * math.sqrt(sides.inverse)
    size = ShiftSize(value=value, low=min(low, value), high=max(high, value))
    return Shift(quantity="length", statistic=statistic, p=p, size=size, detectable=min(1.0, smallest))


def _shares(times: Floats, each: Floats) -> Floats:
    return (times @ each) / times.sum(axis=1, keepdims=True)


def _label_power(shares: Floats, sides: SampleSplit) -> float:
    """Give the share of items that must go from the commonest label to the next to be found by chi-squared."""
    df = len(shares) - 1
    if not df:
        return 1.0
    needed = float(chndtrinc(chdtri(df, ALPHA), df, 0.2))
    first, second = sorted(shares.tolist(), reverse=True)[:2]
    return min(1.0, math.sqrt(needed * sides.inverse / (1 / first + 1 / second)))


def percentiles(drawn: Floats) -> tuple[float, float]:
    """Give the 95 % percentile interval."""
    tail = (1 - intervals.CONFIDENCE) / 2
    low, high = np.quantile(drawn, [tail, 1 - tail])
    return float(low), float(high)
