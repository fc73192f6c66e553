"""Interval of a paired difference that is held against a margin, sound where few items changed.

A t interval passes a loss at the margin in 5 to 12 % of suites where few answers flip, and is widest where none does.

Independent 0/1 scores get Tango's score interval. Other means (graded scores, several seeds, clustered items) get the
wider of the cluster-robust t interval and Tango's on the effective number of items: as many as would give gains and
losses of that size the error that was measured (Rao & Scott 1992, Biometrics 48:577), or the number of clusters where
nothing varies. A loss at the margin passes in 1 to 3.5 % of simulated suites then, and in 5 % of those with 24 clusters
that flip as a whole.
"""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np

from harness.compare.stats.paired_shares import paired_interval
from harness.compare.stats.sample import Sample
from harness.compare.stats.uncertainty import NORMAL, Uncertainty, add_seed_variance, difference_uncertainty
from harness.metrics.metric import FloatArray


def margin_uncertainty(first: Sample, second: Sample) -> Uncertainty:
    """Interval of the first score minus the second on the same items (`Sample.pair_with`), with their seeds' variance.

    A metric that is no mean, or has no finite range, has the interval that tables show.
    """
    spread = difference_uncertainty(first, second, None)
    reach = first.metric.bounds[1] - first.metric.bounds[0]
    if first.metric.is_mean and math.isfinite(reach):
        spread = _score_interval(spread, first, (first.item_scores - second.item_scores) / reach, reach)
    return add_seed_variance(spread, [first.seed_part, second.seed_part])


def _score_interval(spread: Uncertainty, sample: Sample, changes: FloatArray, reach: float) -> Uncertainty:
    """Tango's interval, or the wider of it on effective items and a cluster-robust one.

    Args:
        spread: over items, cluster-robust.
        sample: of one of the systems.
        changes: differences [n], in [-1, 1].
        reach: largest difference in the metric's unit.
    """
    items, words = float(sample.n), "Tango's score interval"
    independent = not sample.clustered and set(np.unique(changes)) <= {-1.0, 0.0, 1.0}
    if not independent:
        variance = float(np.abs(changes).mean() - changes.mean() ** 2)
        known = spread.kind == "t" and variance > 0
        items = variance * (reach / spread.error) ** 2 if known else float(sample.units)
        words = f"{words} on {items:,.0f} effective items"
    share = items / sample.n
    gains, losses = (float(np.maximum(sign * changes, 0).sum()) * share for sign in (1, -1))
    low, high = (reach * end for end in paired_interval(gains, losses, items))
    if not independent and spread.kind == "t":
        low, high = min(low, spread.low), max(high, spread.high)
        words = f"the wider of {spread.method} and {words}"
    error = (high - low) / (2 * NORMAL)
    return replace(spread, low=low, high=high, error=error, df=math.inf, kind="tango", method=words, exact=False)
