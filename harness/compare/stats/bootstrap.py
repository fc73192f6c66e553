"""Cluster bootstrap of any metric: the same resampled items for every system, one matrix product a block.

Source: Efron 1987, *Better Bootstrap Confidence Intervals* (bias-corrected and accelerated, BCa).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.special import ndtr, ndtri

from harness.compare.stats.sample import IntArray, Sample
from harness.metrics.metric import FloatArray, Metric

RESAMPLES = 10_000
BLOCK = 500_000
"""Resampling counts, or sums, held at once: 4 MB of float64, which caches hold."""
CLOSE = 1e-12
"""Values nearer than this are equal: sums in another order differ by rounding."""


@dataclass(frozen=True, eq=False)
class BootstrapEstimate:
    """A value with how it varies when units are drawn again.

    Attributes:
        value: over all units.
        draws: over each resample of the units: [B].
        jackknife: with each unit left out: [C].
    """

    value: float
    draws: FloatArray
    jackknife: FloatArray

    def minus(self, other: BootstrapEstimate) -> BootstrapEstimate:
        """Return the difference of two systems that were resampled together."""
        return BootstrapEstimate(self.value - other.value, self.draws - other.draws, self.jackknife - other.jackknife)

    def plus(self, other: BootstrapEstimate) -> BootstrapEstimate:
        """Return the sum of two systems that were resampled together."""
        return BootstrapEstimate(self.value + other.value, self.draws + other.draws, self.jackknife + other.jackknife)

    @property
    def constant(self) -> bool:
        """Whether drawing again changes nothing, so that the draws tell no width."""
        return bool(np.ptp(self.draws) < CLOSE)

    @property
    def error(self) -> float:
        """Standard error: standard deviation of the draws."""
        return float(self.draws.std(ddof=1))


def resample(samples: Sequence[Sample], *, resamples: int = RESAMPLES, seed: int = 0) -> list[BootstrapEstimate]:
    """Draw the units of all samples again, with replacement, the same units for each.

    Args:
        samples: of the same items in the same clusters; metrics and seeds may differ.
        resamples: B.
        seed: the draws are a function of it, of B and of the number of units.

    Returns:
        In the order of the samples; a sample of several seeds is the mean over them.
    """
    parts, places = _distinct(samples)
    combine = _Combine(parts)
    columns = np.concatenate([*combine.columns, samples[0].unit_sums[1][:, None]], axis=1)
    units, width = columns.shape
    kind = np.float32 if _exact(columns) else np.float64
    summed = columns.astype(kind)
    rng = np.random.default_rng(seed)
    values = np.empty((len(parts), resamples))
    step = max(1, BLOCK // max(units, width))
    for start in range(0, resamples, step):
        size = min(step, resamples - start)
        values[:, start : start + size] = combine.values(
            (_counts(rng, size, units).astype(kind) @ summed).astype(np.float64)
        )
    left_out = combine.values(columns.sum(axis=0) - columns) if units > 1 else np.zeros((len(parts), 1))
    return [
        BootstrapEstimate(sample.value, values[own].mean(axis=0), left_out[own].mean(axis=0))
        for sample, own in zip(samples, places, strict=True)
    ]


def bca_interval(sampled: BootstrapEstimate, confidence: float = 0.95) -> tuple[float, float]:
    """Bias-corrected and accelerated interval of a resampled value, (low, high)."""
    bias, acceleration = _bias(sampled), _acceleration(sampled.jackknife)
    z = bias + ndtri(np.array([(1 - confidence) / 2, (1 + confidence) / 2]))
    shares = ndtr(bias + z / (1 - acceleration * z))
    low, high = np.quantile(sampled.draws, shares)
    return float(low), float(high)


def bca_p(sampled: BootstrapEstimate) -> float:
    """Two-sided p that the value is 0: one less the widest confidence whose BCa interval leaves 0 out."""
    bias, acceleration = _bias(sampled), _acceleration(sampled.jackknife)
    u = float(ndtri(_share_below(sampled.draws, 0.0))) - bias
    z = u / (1 + acceleration * u) - bias
    return float(min(1.0, 2 * min(ndtr(z), ndtr(-z))))


def _counts(rng: np.random.Generator, size: int, units: int) -> IntArray:
    """How often each unit is drawn in each resample: [size, units], rows add up to `units`."""
    drawn = rng.integers(units, size=(size, units)) + np.arange(size)[:, None] * units
    return np.bincount(drawn.ravel(), minlength=size * units).reshape(size, units)


def _distinct(samples: Sequence[Sample]) -> tuple[list[tuple[Metric, FloatArray]], list[list[int]]]:
    """Take samples apart into seeds, each once: a seed stands alone and in the mean of its strategy.

    Returns:
        The metric and the sums of each unit [C, d] of each; and which of them each sample is the mean of.
    """
    places: dict[tuple[Metric, bytes], int] = {}
    parts: list[tuple[Metric, FloatArray]] = []
    own: list[list[int]] = []
    for sample in samples:
        sums, _ = sample.unit_sums
        found = [(sample.metric, sums[:, seed].tobytes()) for seed in range(sample.seeds)]
        for seed, key in enumerate(found):
            if key not in places:
                places[key] = len(parts)
                parts.append((sample.metric, sums[:, seed]))
        own.append([places[key] for key in found])
    return parts, own


def _exact(columns: FloatArray) -> bool:
    """Whether any resample's sums are whole numbers that 32 bits hold exactly: half the work, and the same result."""
    largest = float(np.abs(columns).max(initial=0)) * len(columns)
    return largest < 2**24 and bool((columns == np.rint(columns)).all())


class _Combine:
    """Metrics of many systems from their sums, all of one metric and width at once.

    Attributes:
        columns: sums of the units, [C, d x systems] for each metric and width: systems side by side, so that rows to be
            combined are long.
    """

    def __init__(self, parts: Sequence[tuple[Metric, FloatArray]]) -> None:
        self._systems = len(parts)
        self._places: dict[tuple[Metric, int], list[int]] = {}
        for place, (metric, sums) in enumerate(parts):
            self._places.setdefault((metric, sums.shape[1]), []).append(place)
        stacked = [np.stack([parts[i][1] for i in own], axis=2) for own in self._places.values()]
        self.columns = [one.reshape(len(one), -1) for one in stacked]

    def values(self, sums: FloatArray) -> FloatArray:
        """Combine rows of all columns, the last of which is the number of items: [systems, rows]."""
        found = np.empty((self._systems, len(sums)))
        start = 0
        for (metric, width), own in self._places.items():
            every = sums[:, start : start + width * len(own)].reshape(len(sums), width, len(own)).transpose(0, 2, 1)
            found[own] = metric.combine(every, np.broadcast_to(sums[:, -1:], every.shape[:2])).T
            start += width * len(own)
        return found


def _bias(sampled: BootstrapEstimate) -> float:
    return float(ndtri(_share_below(sampled.draws, sampled.value)))


def _share_below(draws: FloatArray, value: float) -> float:
    """Share of the draws below a value, ties counted half, kept off 0 and 1 by what B draws can tell."""
    below, equal = (draws < value - CLOSE).mean(), (np.abs(draws - value) <= CLOSE).mean()
    edge = 1 / (len(draws) + 1)
    return float(np.clip(below + equal / 2, edge, 1 - edge))


def _acceleration(jackknife: FloatArray) -> float:
    """Skewness of the influence of each unit, over six; 0 where no unit has any."""
    away = jackknife.mean() - jackknife
    spread = float((away**2).sum())
    return float((away**3).sum()) / (6 * spread**1.5) if spread > CLOSE**2 else 0.0
