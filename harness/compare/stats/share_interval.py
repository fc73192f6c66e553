"""Intervals of shares of chosen items, and of the calibration error, that respect clusters."""

from __future__ import annotations

import math
from functools import lru_cache

import numpy as np

from harness.compare.stats.intervals import CONFIDENCE, standard_error, wilson
from harness.compare.stats.sample import IntArray
from harness.metrics.metric import FloatArray

DRAWS = 1000


def share_interval(share: float, influence: FloatArray, units: IntArray, part: float) -> tuple[float, float]:
    """Wilson's interval of a share at its effective number of items, which clusters and chosen thresholds lower.

    Args:
        share: in [0, 1].
        influence: of each item on the share, [n], with mean 0.
        units: cluster of each item, [n], 0 ... C - 1.
        part: of the items that the share is of, in (0, 1].

    Source: Korn & Graubard 1998, *Confidence intervals for proportions with small expected number of positive counts
    estimated from survey data*, with Wilson's interval for Clopper and Pearson's.
    """
    error = standard_error(influence, units)[0] if int(units.max()) > 0 else math.inf
    spread = share * (1 - share)
    if error > 0 and spread > 0:
        effective = min(part * len(units), spread / error**2)
    else:  # nothing varies, so that only the number of clusters is known
        effective = part * (int(units.max()) + 1)
    effective = max(1.0, effective)
    return wilson(share * effective, effective)


def ratio_influence(part: FloatArray, whole: FloatArray) -> FloatArray:
    """Influence of each item on Σ part / Σ whole, [n]; `whole` has a sum above 0."""
    return (part - whole * part.sum() / whole.sum()) / whole.mean()


def calibration_interval(gaps: FloatArray, bins: IntArray, units: IntArray) -> tuple[float, float]:
    """Interval of the expected calibration error, by a bootstrap over clusters in the bins of the sample.

    Noise raises the error of every bin, and that of a resample once more, so that the excess of the resamples is taken
    off both ends. The lower end is 0 where bins without any error would show as much (consistency resampling,
    Vaicenavicius et al. 2019, arXiv:1902.06977, section 5.2, with the resamples about their means).

    Args:
        gaps: confidence minus correctness of each item, [n].
        bins: [n].
        units: cluster of each item, [n].
    """
    count, clusters = len(gaps), int(units.max()) + 1
    sums = np.zeros((clusters, int(bins.max()) + 2))
    np.add.at(sums, (units, bins), gaps)
    sums[:, -1] = np.bincount(units, minlength=clusters)
    drawn = _resampling_counts(clusters) @ sums
    totals, sizes = drawn[:, :-1], drawn[:, -1:]
    means = sums[:, :-1].sum(axis=0) / count
    error = float(np.abs(means).sum())
    draws = np.abs(totals / sizes).sum(axis=1)
    level = (1 + CONFIDENCE) / 2
    highest, excess = float(np.quantile(draws, level)), float(draws.mean()) - error
    noise = float(np.quantile(np.abs(totals / sizes - means).sum(axis=1), level))
    low = 0.0 if error <= noise else max(0.0, min(2 * error - highest, error - excess))
    return min(low, error), min(1.0, max(highest - excess, error))


@lru_cache(maxsize=4)
def _resampling_counts(clusters: int) -> FloatArray:
    """Count how often each cluster is drawn in each resample, the same for all rows: [DRAWS, clusters]."""
    drawn = np.random.default_rng(0).integers(clusters, size=(DRAWS, clusters))
    drawn += np.arange(DRAWS)[:, None] * clusters
    return np.bincount(drawn.ravel(), minlength=DRAWS * clusters).reshape(DRAWS, clusters).astype(np.float64)
