"""Label priors for calibration: a model's bias towards each label, to be subtracted from the labels' scores."""

from __future__ import annotations

from collections.abc import Sequence
from math import exp, log


def log_probabilities(scores: Sequence[float]) -> list[float]:
    """Return the log-probability of each label among the labels, nats.

    Args:
        scores: log-likelihood of each label, nats.
    """
    top = max(scores)
    total = top + log(sum(exp(score - top) for score in scores))
    return [score - total for score in scores]


def batch_prior(scores: Sequence[Sequence[float]]) -> tuple[float, ...]:
    """Return each label's log-probability averaged over some inputs, nats (Zhou et al. 2024, arXiv:2309.17249).

    Args:
        scores: log-likelihoods of the labels behind each input, nats: [inputs][labels].
    """
    rows = [log_probabilities(row) for row in scores]
    return tuple(sum(column) / len(rows) for column in zip(*rows, strict=True))


def contextual_prior(scores: Sequence[Sequence[float]]) -> tuple[float, ...]:
    """Return the logarithm of each label's mean probability behind content-free inputs, nats.

    Dividing a label's probability by that mean is the diagonal W of Zhao et al. 2021 (arXiv:2102.09690, section 5).

    Args:
        scores: log-likelihoods of the labels behind each input, nats: [inputs][labels].
    """
    rows = [[exp(logp) for logp in log_probabilities(row)] for row in scores]
    return tuple(log(sum(column) / len(rows)) for column in zip(*rows, strict=True))
