"""Effect size of a paired difference: items won and lost, Cohen's d_z, McNemar's odds ratio."""

from __future__ import annotations

from scipy.special import betaincinv

from harness.compare.stats.intervals import CONFIDENCE
from harness.compare.stats.sample import Sample
from harness.records.measurements import StoredModel

CLOSE = 1e-12
"""Scores nearer than this are a tie: means over seeds differ by rounding."""


class Effect(StoredModel):
    """Size of a difference of two systems on the same items, independent of their number.

    Attributes:
        wins: items that the first scores higher on; losses: lower; ties: alike. Scores are means over seeds.
        standardised: mean difference over the standard deviation of the items' differences (Cohen 1988, d_z): 0.2 is
            called small, 0.5 medium, 0.8 large. None where the differences have no spread.
        odds_ratio: of 0/1 scores with one seed each: how many items only the first has right for each that only the
            second has (McNemar's odds ratio, Agresti 2013, section 11.1); None where there is none of the latter, or
            scores are no 0/1.
        odds_low, odds_high: its exact 95 % interval, from Clopper and Pearson's of the share of wins; None where it
            has no bound on that side, and where items are in clusters, which it ignores.
    """

    wins: int
    losses: int
    ties: int
    standardised: float | None = None
    odds_ratio: float | None = None
    odds_low: float | None = None
    odds_high: float | None = None


def effect_size(first: Sample, second: Sample, confidence: float = CONFIDENCE) -> Effect | None:
    """Compute the effect size of a difference; None for a metric that is not a mean of items.

    Args:
        first: a system's scores.
        second: another's on the same items in the same order (`Sample.pair_with`).
        confidence: of the interval of the odds ratio.
    """
    if not first.metric.is_mean:
        return None
    gain = first.item_scores - second.item_scores
    wins, losses = int((gain > CLOSE).sum()), int((gain < -CLOSE).sum())
    spread = float(gain.std(ddof=1)) if first.n > 1 else 0.0
    sizes = Effect(
        wins=wins,
        losses=losses,
        ties=first.n - wins - losses,
        standardised=float(gain.mean()) / spread if spread > CLOSE else None,
    )
    if not (first.metric.binary and first.seeds == second.seeds == 1 and wins + losses):
        return sizes
    low, high = (None, None) if first.clustered else _odds_interval(wins, losses, confidence)
    odds = wins / losses if losses else None
    return sizes.model_copy(update={"odds_ratio": odds, "odds_low": low, "odds_high": high})


def _odds_interval(wins: int, losses: int, confidence: float) -> tuple[float | None, float | None]:
    tail = (1 - confidence) / 2
    low = float(betaincinv(wins, losses + 1, tail)) if wins else 0.0
    high = float(betaincinv(wins + 1, losses, 1 - tail)) if losses else None
    return low / (1 - low), None if high is None else high / (1 - high)
