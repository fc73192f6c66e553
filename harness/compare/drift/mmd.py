"""The maximum mean discrepancy of two sets of embeddings: a kernel two-sample test, and where the two differ."""

from __future__ import annotations

import math

import numpy as np

from harness.compare.drift.permutation_tests import BoolArray, Floats, SampleSplit, Shift, ShiftSize, percentiles
from harness.compare.stats import intervals
from harness.metrics.statistical_power import detectable_difference


def of_inputs(vectors: Floats, sides: SampleSplit) -> tuple[Shift, Floats]:
    """Compare embeddings [N, d] by the maximum mean discrepancy: an RBF kernel as wide as the median distance.

    Returns:
        The test; and for each item how much more it resembles fresh items than those of the test split, itself left
        out: the witness function, which says where the two differ most.

    Source: Gretton et al. 2012, *A Kernel Two-Sample Test* (JMLR 13); of embeddings, to find drift: Rabanser et al.
    2019, *Failing Loudly* (arXiv:1810.11953). Witness: Lloyd & Ghahramani 2015. AUC: Lopez-Paz & Oquab 2017
    (arXiv:1610.06545), with the witness as the classifier, made of one half of both sides and asked of the other.
    """
    kernel = _kernel(vectors)

    def mmd(fresh: Floats) -> Floats:
        near = fresh @ kernel
        cross, n = (near * fresh).sum(axis=1), fresh.sum(axis=1)
        across, m = near.sum(axis=1) - cross, fresh.shape[1] - n
        return cross / (n * (n - 1)) + (kernel.sum() - cross - 2 * across) / (m * (m - 1)) - 2 * across / (n * m)

    statistic, p = sides.p(mmd, 1)
    smallest = 0.5 + detectable_difference(math.sqrt(sides.inverse / 12), 1)
    shift = Shift(quantity="inputs", statistic=statistic, p=p, size=_auc(kernel, sides), detectable=min(1.0, smallest))
    return shift, _witness(kernel, sides.fresh, np.ones(len(vectors), dtype=np.bool_))


def _kernel(vectors: Floats) -> Floats:
    """Give the RBF kernel of all pairs of different items, [N, N]; 0 for an item with itself."""
    norms = (vectors**2).sum(axis=1)
    squared = np.maximum(norms[:, None] + norms[None] - 2 * vectors @ vectors.T, 0)
    middle = float(np.median(squared[np.triu_indices(len(vectors), 1)])) or 1.0
    kernel = np.exp(-squared / (2 * middle)).astype(np.float32)
    np.fill_diagonal(kernel, 0)
    return kernel


def _witness(kernel: Floats, fresh: BoolArray, train: BoolArray) -> Floats:
    """Give mean similarity to the known fresh items, less that to the known items of the test split: [N]."""

    def mean(side: BoolArray) -> Floats:
        return kernel[:, side].sum(axis=1) / np.maximum(side.sum() - side, 1)

    return mean(fresh & train) - mean(~fresh & train)


def _auc(kernel: Floats, sides: SampleSplit) -> ShiftSize:
    """Give the share of pairs, a fresh item and one of the test split, that the witness of other items puts right."""
    train = _half(sides)
    scores = _witness(kernel, sides.fresh, train)[~train]
    held_out = SampleSplit(sides.fresh[~train], np.unique(sides.units[~train], return_inverse=True)[1], sides.draws)
    right = (scores[:, None] > scores[None]) + np.float32(0.5) * (scores[:, None] == scores[None])

    def auc(times: Floats) -> Floats:
        wins, other = times * held_out.fresh, times * ~held_out.fresh
        return ((wins @ right) * other).sum(axis=1) / (wins.sum(axis=1) * other.sum(axis=1))

    value = float(auc(np.ones((1, len(scores)), dtype=np.float32))[0])
    drawn = auc(held_out.resampled(6))
    if drawn.max() - drawn.min() < 1e-9:
        low, high = intervals.flat_interval(value, min(held_out.counts), (0.0, 1.0))
    else:
        low, high = percentiles(drawn)
    return ShiftSize(value=value, low=min(low, value), high=max(high, value), none=0.5)


def _half(sides: SampleSplit) -> BoolArray:
    """Choose half of the units of each side at random: [N]."""
    generator = np.random.default_rng(7)
    chosen = np.zeros(len(sides.fresh_units), dtype=np.bool_)
    for side in (sides.fresh_units, ~sides.fresh_units):
        indices = generator.permutation(np.flatnonzero(side))
        chosen[indices[: len(indices) // 2]] = True
    return chosen[sides.units]
