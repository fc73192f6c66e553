"""Cluster bootstrap of any metric: one resample of the items for all systems, one matrix product a block.

Source: Efron 1987, *Better Bootstrap Confidence Intervals* (bias-corrected and accelerated, BCa).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.special import ndtr, ndtri

from harness.compare.stats.intervals import CONFIDENCE
from harness.compare.stats.sample import IntArray, Sample
from harness.metrics.metric import FloatArray, Metric

RESAMPLES = 10_000
BLOCK = 500_000
"""Resampling counts, or sums, held at once: 4 MB of float64, which caches hold."""
CLOSE = 1e-12
"""Values nearer than this are equal: sums in another order differ by rounding."""


@dataclass(frozen=True, eq=False)
class BootstrapEstimate:
    """A metric with its bootstrap and jackknife replicates.

    Attributes:
        value: of all units.
        draws: of each resample of the units: [B].
        jackknife: of all units but one, for each unit: [C].
    """

    value: float
    draws: FloatArray
    jackknife: FloatArray

    def minus(self, other: BootstrapEstimate) -> BootstrapEstimate:
        """Subtract a system that was resampled together with this one."""
        return BootstrapEstimate(self.value - other.value, self.draws - other.draws, self.jackknife - other.jackknife)

    def plus(self, other: BootstrapEstimate) -> BootstrapEstimate:
        """Add a system that was resampled together with this one."""
        return BootstrapEstimate(self.value + other.value, self.draws + other.draws, self.jackknife + other.jackknife)

    @property
    def constant(self) -> bool:
        """Whether all draws are equal, so that they give no width."""
        return bool(np.ptp(self.draws) < CLOSE)

    @property
    def error(self) -> float:
        """Standard error: standard deviation of the draws."""
        return float(self.draws.std(ddof=1))


def resample(samples: Sequence[Sample], *, resamples: int = RESAMPLES, seed: int = 0) -> list[BootstrapEstimate]:
    """Resample the units with replacement, the same units for each sample.

    Args:
        samples: of the same items in the same clusters; metrics and seeds may differ.
        resamples: B.
        seed: of the generator; the draws depend on it, on B and on the number of units only.

    Returns:
        In the order of the samples; a sample of several seeds is the mean over them.
    """
    parts, part_indices = _distinct_parts(samples)
    combine = _Combine(parts)
    columns = np.concatenate([*combine.columns, samples[0].unit_sums[1][:, None]], axis=1)
    units, width = columns.shape
    dtype = np.float32 if _exact(columns) else np.float64
    summands = columns.astype(dtype)
    rng = np.random.default_rng(seed)
    values = np.empty((len(parts), resamples))
    step = max(1, BLOCK // max(units, width))
    for start in range(0, resamples, step):
        size = min(step, resamples - start)
        values[:, start : start + size] = combine.values(
            (_counts(rng, size, units).astype(dtype) @ summands).astype(np.float64)
        )
    left_out = combine.values(columns.sum(axis=0) - columns) if units > 1 else np.zeros((len(parts), 1))
    return [
        BootstrapEstimate(sample.value, values[indices].mean(axis=0), left_out[indices].mean(axis=0))
        for sample, indices in zip(samples, part_indices, strict=True)
    ]


def bca_interval(sampled: BootstrapEstimate, confidence: float = CONFIDENCE) -> tuple[float, float]:
    """Bias-corrected and accelerated interval, (low, high)."""
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
    """Count how often each unit is drawn in each resample: [size, units], rows add up to `units`."""
    drawn = rng.integers(units, size=(size, units)) + np.arange(size)[:, None] * units
    return np.bincount(drawn.ravel(), minlength=size * units).reshape(size, units)


def _distinct_parts(samples: Sequence[Sample]) -> tuple[list[tuple[Metric, FloatArray]], list[list[int]]]:
    """Split samples into seeds, each once: a seed has a sample of its own and is in the mean of its strategy.

    Returns:
        Metric and unit sums [C, d] of each part; and for each sample the indices of the parts that it is the mean of.
    """
    index: dict[tuple[Metric, bytes], int] = {}
    parts: list[tuple[Metric, FloatArray]] = []
    part_indices: list[list[int]] = []
    for sample in samples:
        sums, _ = sample.unit_sums
        keys = [(sample.metric, sums[:, seed].tobytes()) for seed in range(sample.seeds)]
        for seed, key in enumerate(keys):
            if key not in index:
                index[key] = len(parts)
                parts.append((sample.metric, sums[:, seed]))
        part_indices.append([index[key] for key in keys])
    return parts, part_indices


def _exact(columns: FloatArray) -> bool:
    """Whether all sums of any resample are integers that float32 holds exactly: half the work for equal numbers."""
    largest = float(np.abs(columns).max(initial=0)) * len(columns)
    return largest < 2**24 and bool((columns == np.rint(columns)).all())


class _Combine:
    """Compute metrics of many systems from their sums, all systems of one metric and width at once.

    Attributes:
        columns: unit sums, [C, d x systems] for each metric and width: systems side by side, for long rows.
    """

    def __init__(self, parts: Sequence[tuple[Metric, FloatArray]]) -> None:
        self._systems = len(parts)
        self._groups: dict[tuple[Metric, int], list[int]] = {}
        for index, (metric, sums) in enumerate(parts):
            self._groups.setdefault((metric, sums.shape[1]), []).append(index)
        stacks = [np.stack([parts[i][1] for i in indices], axis=2) for indices in self._groups.values()]
        self.columns = [stack.reshape(len(stack), -1) for stack in stacks]

    def values(self, sums: FloatArray) -> FloatArray:
        """Combine rows of all columns, the last of which is the number of items: [systems, rows]."""
        metric_values = np.empty((self._systems, len(sums)))
        start = 0
        for (metric, width), indices in self._groups.items():
            block = sums[:, start : start + width * len(indices)]
            statistics = block.reshape(len(sums), width, len(indices)).transpose(0, 2, 1)
            metric_values[indices] = metric.combine(statistics, np.broadcast_to(sums[:, -1:], statistics.shape[:2])).T
            start += width * len(indices)
        return metric_values


def _bias(sampled: BootstrapEstimate) -> float:
    return float(ndtri(_share_below(sampled.draws, sampled.value)))


def _share_below(draws: FloatArray, value: float) -> float:
    """Share of the draws below a value, ties counted half; clipped to what B draws can resolve, off 0 and 1."""
    below, equal = (draws < value - CLOSE).mean(), (np.abs(draws - value) <= CLOSE).mean()
    edge = 1 / (len(draws) + 1)
    return float(np.clip(below + equal / 2, edge, 1 - edge))


def _acceleration(jackknife: FloatArray) -> float:
    """Skewness of the influence of each unit, over six; 0 where no unit has any."""
    influence = jackknife.mean() - jackknife
    squares = float((influence**2).sum())
    return float((influence**3).sum()) / (6 * squares**1.5) if squares > CLOSE**2 else 0.0
