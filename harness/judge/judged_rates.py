"""Pass rates from a judge's verdicts on all answers and people's labels on a random sample of them; agreement."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtri, stdtrit

from harness.compare.stats.intervals import CONFIDENCE, wilson

Numbers = NDArray[np.float64]
FEWEST_LABELS = 20
"""Labels from which the interval of a pass rate covers, in simulation (`tests/judge/test_judged_rates.py`)."""
FEWEST_PAIR_LABELS = 100
"""The same of a difference between two systems."""


@dataclass(frozen=True)
class Rate:
    """A share, or a difference of two, with its 95 % interval."""

    value: float
    low: float
    high: float


def poststratified(human: Numbers, judged: Numbers, everywhere: Numbers, confidence: float = CONFIDENCE) -> Rate:
    """Pass rate corrected by people's labels: the judge's verdict divides the answers into two strata.

    Each stratum's rate is that of the labels in it, with Wilson's interval. The strata are joined by MOVER (Zou and
    Donner 2008, Statistics in Medicine 27:1693), with a term for the judge's own share, as the answers are a sample
    too. For verdicts of 0 and 1 the value is that of prediction-powered inference (Angelopoulos et al. 2023,
    arXiv:2311.01453).

    Args:
        human: labels 0 or 1 of a simple random sample: [n].
        judged: the judge's verdicts of the same: [n].
        everywhere: its verdicts of all answers, these included: [N].
        confidence: of the interval.
    """
    z, share = float(ndtri((1 + confidence) / 2)), float(everywhere.mean())
    value = low = high = 0.0
    rates: list[float] = []
    for verdict, weight in ((1.0, share), (0.0, 1 - share)):
        if weight == 0:
            continue
        labels = human[judged == verdict]
        if len(labels):
            rate, ends = float(labels.mean()), wilson(float(labels.sum()), len(labels), confidence)
        else:
            rate, ends = 0.5, (0.0, 1.0)
        rates.append(rate)
        value += weight * rate
        low += (weight * (rate - ends[0])) ** 2
        high += (weight * (ends[1] - rate)) ** 2
    gap = (rates[0] - rates[1]) ** 2 if len(rates) == 2 else 0.0
    mix = z * z * share * (1 - share) * gap / len(everywhere)
    return Rate(value, max(0.0, value - math.sqrt(low + mix)), min(1.0, value + math.sqrt(high + mix)))


def prediction_powered_mean(human: Numbers, judged: Numbers, unlabelled: Numbers) -> Rate:
    """Mean of people's numbers with a judge's as a covariate, by PPI++ (arXiv:2311.01453, section 6) with Student's t.

    Args:
        human: of a simple random sample, such as differences of two systems' labels: [n].
        judged: the judge's of the same: [n].
        unlabelled: the judge's of the others: [N].
    """
    n, others = len(human), len(unlabelled)
    spread = float(np.concatenate([judged, unlabelled]).var(ddof=1))
    weight = 0.0
    if spread and others:
        weight = float(np.clip(np.cov(human, judged)[0, 1] / ((1 + n / others) * spread), 0, 1))
    value = float(human.mean() + (weight * (unlabelled.mean() - judged.mean()) if weight else 0.0))
    variance = float((human - weight * judged).var(ddof=1)) / n
    if weight and others > 1:
        variance += weight**2 * float(unlabelled.var(ddof=1)) / others
    half = float(stdtrit(n - 1, (1 + CONFIDENCE) / 2)) * math.sqrt(variance)
    return Rate(value, value - half, value + half)


def kappa(first: Numbers, second: Numbers) -> float | None:
    """Agreement of two raters beyond chance (Cohen 1960); None where both always say the same."""
    agree = float((first == second).mean())
    chance = float(first.mean() * second.mean() + (1 - first.mean()) * (1 - second.mean()))
    return None if chance == 1 else (agree - chance) / (1 - chance)
