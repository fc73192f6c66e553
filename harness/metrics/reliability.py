"""Confidence of scored choices: calibration error, Brier score, accuracy at a coverage, thresholds to hand over at.

The confidence of an answer is the probability that the model gives it among the choices. Figures are of arrays, one
entry an item; `compare.table.confidence_figures` makes them of stored rows.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from harness.metrics.metric import FloatArray

IntArray = NDArray[np.int64]

BINS = 15
"""Bins of the calibration error (Guo et al. 2017, arXiv:1706.04599, section 5)."""
BIN_ITEMS = 20
"""Items that a bin has at least: with fewer there are fewer bins."""
MARGIN = 0.1
"""Share of the items, on both sides together, that tell the accuracy at a threshold."""
MIN_KEPT = 10
"""Items above a threshold from which an accuracy can choose it."""
FOLDS = 5


def probabilities(scores: Sequence[float], shift: Sequence[float] = ()) -> FloatArray:
    """Return the probability of each choice among the choices.

    Args:
        scores: log-likelihood of each choice, nats.
        shift: what is taken off each, nats; empty: nothing.
    """
    nats = np.asarray(scores, dtype=np.float64) - (np.asarray(shift) if len(shift) else 0.0)
    weights = np.exp(nats - nats.max())
    return weights / weights.sum()


def brier(choice_probabilities: FloatArray, right: int) -> float:
    """Return the squared distance of the probabilities from 1 for the right choice and 0 for the others, in [0, 2].

    Source: Brier 1950, *Verification of forecasts expressed in terms of probability*, in its original form.
    """
    truth = np.zeros_like(choice_probabilities)
    truth[right] = 1.0
    return float(((choice_probabilities - truth) ** 2).sum())


def bin_of(confidence: FloatArray) -> IntArray:
    """Return the equal-mass bin of each item, [n], from 0; bins differ by one item at most.

    Bins of equal mass estimate the error with less bias than those of equal width (Roelofs et al. 2022,
    arXiv:2012.08668, section 4). Equal confidences can lie in two bins, in the order of the items.
    """
    count = len(confidence)
    bins = max(1, min(BINS, count // BIN_ITEMS))
    places = np.empty(count, dtype=np.int64)
    places[np.argsort(confidence, kind="stable")] = np.arange(count) * bins // count
    return places


def calibration_error(confidence: FloatArray, correct: FloatArray, bins: IntArray) -> float:
    """Return the expected calibration error: mean over items of |accuracy - mean confidence| of their bin, in [0, 1].

    Args:
        confidence: in [0, 1], [n].
        correct: 0 or 1, [n].
        bins: of `bin_of`, [n].
    """
    return float(np.abs(np.bincount(bins, weights=confidence - correct)).sum()) / len(confidence)


def accuracy_at(confidence: FloatArray, correct: FloatArray, coverage: float) -> tuple[float, FloatArray]:
    """Return the accuracy on the most confident share of the items, and each item's influence on it, [n].

    Items of equal confidence at the edge count in part. The influence allows for the threshold's being estimated too:
    an item above it adds its distance from the accuracy at the threshold.

    Args:
        confidence: [n].
        correct: 0 or 1, [n].
        coverage: the share, in (0, 1].

    Source: El-Yaniv & Wiener 2010, *On the foundations of noise-free selective classification* (risk and coverage).
    """
    count, size = len(confidence), coverage * len(confidence)
    order = np.argsort(-confidence, kind="stable")
    edge = confidence[order[min(count, math.ceil(size)) - 1]]
    above, level = confidence > edge, confidence == edge
    kept = above + level * (size - above.sum()) / level.sum()
    accuracy = float((kept * correct).sum() / size)
    near = order[max(0, int(size - MARGIN * count / 2)) : int(size + MARGIN * count / 2) + 1]
    at_edge = float(correct[near].mean()) if coverage < 1 else accuracy
    return accuracy, (kept * (correct - at_edge) - coverage * (accuracy - at_edge)) / coverage


def threshold_for(confidence: FloatArray, correct: FloatArray, target: float) -> float | None:
    """Return the lowest confidence from which on answers are right often enough; None: no threshold reaches it.

    Args:
        confidence: [n].
        correct: 0 or 1, [n].
        target: accuracy of the answers with this confidence or a higher one, in [0, 1].
    """
    order = np.argsort(-confidence, kind="stable")
    sorted_confidence = confidence[order]
    accuracy = np.cumsum(correct[order]) / np.arange(1, len(order) + 1)
    last_of_level = np.append(sorted_confidence[1:] < sorted_confidence[:-1], True)
    reached = np.flatnonzero((accuracy >= target) & last_of_level & (np.arange(len(order)) >= MIN_KEPT - 1))
    return float(sorted_confidence[reached[-1]]) if len(reached) else None


def cross_fitted(confidence: FloatArray, correct: FloatArray, units: IntArray, target: float) -> FloatArray:
    """Return which items are answered, 0 or 1 [n], each by a threshold that items of other units have fixed.

    Args:
        confidence: [n].
        correct: 0 or 1, [n].
        units: the cluster of each item, [n]: all items of one are in the same of `FOLDS` folds.
        target: accuracy, as in `threshold_for`.
    """
    folds = np.random.default_rng(0).permutation(int(units.max()) + 1)[units] % FOLDS
    answered = np.zeros(len(confidence))
    for fold in range(FOLDS):
        inside = folds == fold
        threshold = threshold_for(confidence[~inside], correct[~inside], target)
        if threshold is not None:
            answered[inside] = confidence[inside] >= threshold
    return answered
