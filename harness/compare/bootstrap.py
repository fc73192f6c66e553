"""Cluster bootstrap of any metric: the same resampled items for every system, one matrix product a block.

Source: Efron 1987, *Better Bootstrap Confidence Intervals* (bias-corrected and accelerated, BCa).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.special import ndtr, ndtri

from harness.compare.sample import Sample
from harness.metrics.metric import FloatArray

RESAMPLES = 10_000
BLOCK = 2_000_000
"""Resampling counts held at once: 16 MB of float64."""
CLOSE = 1e-12
"""Values nearer than this are equal: sums in another order differ by rounding."""


@dataclass(frozen=True, eq=False)
class Resampled:
    """A value with how it varies when units are drawn again.

    Attributes:
        value: over all units.
        draws: over each resample of the units: [B].
        jackknife: with each unit left out: [C].
    """

    value: float
    draws: FloatArray
    jackknife: FloatArray

    def minus(self, other: Resampled) -> Resampled:
        """Return the difference of two systems that were resampled together."""
        return Resampled(self.value - other.value, self.draws - other.draws, self.jackknife - other.jackknife)

    def plus(self, other: Resampled) -> Resampled:
        """Return the sum of two systems that were resampled together."""
        return Resampled(self.value + other.value, self.draws + other.draws, self.jackknife + other.jackknife)

    @property
    def constant(self) -> bool:
        """Whether drawing again changes nothing, so that the draws tell no width."""
        return bool(np.ptp(self.draws) < CLOSE)

    @property
    def error(self) -> float:
        """Standard error: standard deviation of the draws."""
        return float(self.draws.std(ddof=1))


def resample(samples: Sequence[Sample], *, resamples: int = RESAMPLES, seed: int = 0) -> list[Resampled]:
    """Draw the units of all samples again, with replacement, the same units for each.

    Args:
        samples: of the same items in the same clusters; metrics and seeds may differ.
        resamples: B.
        seed: the draws are a function of it, of B and of the number of units.

    Returns:
        In the order of the samples; a sample of several seeds is the mean over them.
    """
    units = samples[0].units
    parts = [sample.unit_sums for sample in samples]
    widths = [sums[0].size for sums, _ in parts]
    stacked = np.concatenate([sums.reshape(units, -1) for sums, _ in parts] + [parts[0][1][:, None]], axis=1)
    rng = np.random.default_rng(seed)
    draws = np.empty((len(samples), resamples))
    step = max(1, BLOCK // units)
    for start in range(0, resamples, step):
        size = min(step, resamples - start)
        products = _counts(rng, size, units) @ stacked
        draws[:, start : start + size] = _values(samples, products, widths)
    left_out = _values(samples, stacked.sum(axis=0) - stacked, widths) if units > 1 else np.zeros((len(samples), 1))
    return [Resampled(s.value, drawn, left) for s, drawn, left in zip(samples, draws, left_out, strict=True)]


def bca_interval(sampled: Resampled, confidence: float = 0.95) -> tuple[float, float]:
    """Bias-corrected and accelerated interval of a resampled value, (low, high)."""
    bias, acceleration = _bias(sampled), _acceleration(sampled.jackknife)
    z = bias + ndtri(np.array([(1 - confidence) / 2, (1 + confidence) / 2]))
    shares = ndtr(bias + z / (1 - acceleration * z))
    low, high = np.quantile(sampled.draws, shares)
    return float(low), float(high)


def bca_p(sampled: Resampled) -> float:
    """Two-sided p that the value is 0: one less the widest confidence whose BCa interval leaves 0 out."""
    bias, acceleration = _bias(sampled), _acceleration(sampled.jackknife)
    u = float(ndtri(_share_below(sampled.draws, 0.0))) - bias
    z = u / (1 + acceleration * u) - bias
    return float(min(1.0, 2 * min(ndtr(z), ndtr(-z))))


def _counts(rng: np.random.Generator, size: int, units: int) -> FloatArray:
    """How often each unit is drawn in each resample: [size, units], rows add up to `units`."""
    drawn = rng.integers(units, size=(size, units)) + np.arange(size)[:, None] * units
    return np.bincount(drawn.ravel(), minlength=size * units).reshape(size, units).astype(np.float64)


def _values(samples: Sequence[Sample], sums: FloatArray, widths: Sequence[int]) -> FloatArray:
    """Metric of each row of sums, mean over seeds: [samples, rows]. The last column is the number of items."""
    values = np.empty((len(samples), len(sums)))
    start = 0
    for i, (sample, width) in enumerate(zip(samples, widths, strict=True)):
        own = sums[:, start : start + width].reshape(len(sums), sample.seeds, -1)
        count = np.broadcast_to(sums[:, -1:], own.shape[:2])
        values[i] = sample.metric.combine(own, count).mean(axis=1)
        start += width
    return values


def _bias(sampled: Resampled) -> float:
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
