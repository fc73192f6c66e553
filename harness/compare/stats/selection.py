"""Interval of the best of several systems, corrected for having been picked by the same data (winner's curse)."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache

import numpy as np

from harness.compare.stats.bootstrap import BootstrapEstimate
from harness.compare.stats.estimates import Estimate
from harness.compare.stats.sample import Sample
from harness.compare.stats.uncertainty import NORMAL
from harness.metrics.metric import FloatArray
from harness.metrics.statistical_power import ALPHA

DRAWS = 20_000
RIVAL = 3.0
"""Standard errors of the difference by which a system must be behind to be no rival for being the best."""
FLAT = 1e-12


def correct_for_selection(
    estimate: Estimate, samples: Sequence[Sample], resampled: Sequence[BootstrapEstimate], *, higher_is_better: bool
) -> Estimate:
    """Move the end of the best system's interval that looks too good.

    The best of equally good systems is most often one that was lucky. Errors of all systems are drawn with their
    covariance, the best is picked again, and the interval reaches so far down that it misses its true score in 5 % of
    draws on both sides together. A system that is `RIVAL` standard errors behind is no rival, a nearer one is as much
    a rival as if it were so much nearer; so the interval is the plain one where one system is far ahead.

    Args:
        estimate: of the best, on its own.
        samples: of all systems on the same items, the best first.
        resampled: of all of them, for a metric that is no mean of items; else empty.
        higher_is_better: whether the best is the highest.

    Source: Zrnic & Fithian 2024 (arXiv:2411.18569): rivals by their distance, as in their zoom correction; here with
    all of the remaining error on the side on which picking errs. Simulated in tests/simulations.py.
    """
    if len(samples) < 2:
        return estimate
    covariance = _covariance(samples, resampled)
    errors = np.sqrt(np.diagonal(covariance))
    if errors[0] < FLAT:
        return estimate
    sign = 1 if higher_is_better else -1
    behind = sign * (samples[0].value - np.array([sample.value for sample in samples]))
    apart = np.sqrt(np.maximum(0, errors[0] ** 2 + errors**2 - 2 * covariance[0]))
    reach = _reach(covariance, np.maximum(0, behind - RIVAL * apart)) / NORMAL
    low, high = sorted(samples[0].metric.bounds)
    down, up = estimate.value - estimate.low, estimate.high - estimate.value
    ends = (
        {"low": max(low, estimate.value - reach * down)}
        if sign > 0
        else {"high": min(high, estimate.value + reach * up)}
    )
    method = f"{estimate.method}, corrected for being the best of {len(samples)}"
    return estimate.model_copy(update={**ends, "best_of": len(samples), "method": method})


def _reach(covariance: FloatArray, behind: FloatArray) -> float:
    """Standard errors from the best down to the end of its interval: at least `NORMAL`.

    Args:
        covariance: of the errors [k, k].
        behind: how far each true score is behind the best one's: [k].
    """
    errors = np.sqrt(np.diagonal(covariance))
    roots, vectors = np.linalg.eigh(covariance)
    draws = _normals(len(behind)) @ (vectors * np.sqrt(np.maximum(roots, 0))).T
    picked = (draws - behind).argmax(axis=1)
    luck = draws[np.arange(DRAWS), picked] / np.maximum(errors[picked], FLAT)
    unlucky = float((luck < -NORMAL).mean())
    return max(NORMAL, float(np.quantile(luck, 1 - max(ALPHA - unlucky, ALPHA / 2))))


@lru_cache(maxsize=8)
def _normals(systems: int) -> FloatArray:
    """Return the same draws for the same number of systems: [`DRAWS`, systems]."""
    return np.random.default_rng(0).standard_normal((DRAWS, systems))


def _covariance(samples: Sequence[Sample], resampled: Sequence[BootstrapEstimate]) -> FloatArray:
    """Covariance of the systems' scores [k, k]: of items or clusters, and of each system's seeds."""
    seeds = np.diag([sample.seed_part.variance if sample.seed_part else 0.0 for sample in samples])
    if resampled:
        return np.atleast_2d(np.cov(np.stack([estimate.draws for estimate in resampled]))) + seeds
    scores = np.stack([sample.item_scores for sample in samples])
    units = samples[0].units
    gains = scores - scores.mean(axis=1, keepdims=True)
    sums = np.stack([np.bincount(samples[0].clusters, weights=gain, minlength=units) for gain in gains])
    return sums @ sums.T / samples[0].n ** 2 * (units / max(1, units - 1)) + seeds
