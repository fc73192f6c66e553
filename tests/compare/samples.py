"""Samples from bare numbers, for tests of the statistics."""

import numpy as np

from harness.compare.stats.sample import Sample
from harness.metrics import get


def sample(scores, metric="token_f1", clusters=None):
    """Scores [n] of one seed, or [seeds, n]."""
    scores = np.atleast_2d(np.asarray(scores, dtype=np.float64))
    n = scores.shape[1]
    codes = np.arange(n) if clusters is None else np.unique(clusters, return_inverse=True)[1]
    return Sample(get(metric), tuple(f"{i:05d}" for i in range(n)), scores[:, :, None], codes)


def two_classes(right, truth):
    """A sample of macro-F1: right or wrong on each item of class 0 or 1."""
    right, truth = np.asarray(right, bool), np.asarray(truth)
    predictions = np.where(right, truth, 1 - truth)
    columns = (
        [(predictions == k) & right for k in (0, 1)] + [predictions == k for k in (0, 1)] + [truth == k for k in (0, 1)]
    )
    scores = np.stack(columns, axis=1).astype(np.float64)[None]
    return Sample(get("macro_f1"), tuple(f"{i:05d}" for i in range(len(truth))), scores, np.arange(len(truth)))
