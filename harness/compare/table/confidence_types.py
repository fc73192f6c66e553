"""Figures of how far the confidence of a row's answers can be trusted."""

from __future__ import annotations

from typing import Literal

from harness.compare.stats.estimates import Estimate
from harness.records.measurements import StoredModel


class CoverageAccuracy(StoredModel):
    """Accuracy on the most confident items, those that are left if the others go to a person.

    Attributes:
        coverage: share of the items that are answered, in (0, 1].
    """

    coverage: float
    accuracy: Estimate


class HandoverThreshold(StoredModel):
    """A threshold of confidence below which answers go to a person, for an accuracy of those that are left.

    Attributes:
        target: accuracy that is wanted of the answers above the threshold.
        threshold: to use, from all items; None: no threshold reaches the target on the items.
        answered: share of the items that are answered, each by a threshold that other items have fixed; accuracy: of
            these answers, None where there are none.
    """

    target: float
    threshold: float | None
    answered: Estimate
    accuracy: Estimate | None


class ConfidenceFigures(StoredModel):
    """Confidence of a row's scored answers, by one reading of the scores; its seeds are pooled.

    Attributes:
        reading: of the scores.
        items: with the scores of all choices; unscored: without an answer by scores, e.g. too long for the model.
        unread: items of which some choices' scores are not stored; if there are any, nothing else is known.
        accuracy, mean_confidence: of the items.
        calibration_error: expected calibration error, in [0, 1], in `bins` bins of equal mass.
        brier: in [0, 2], lower is better.
        coverage: accuracy on the most confident shares of the items.
        handover: for each target.
    """

    reading: Literal["calibrated", "raw"]
    items: int
    unscored: int = 0
    unread: int = 0
    accuracy: float | None = None
    mean_confidence: float | None = None
    calibration_error: Estimate | None = None
    bins: int | None = None
    brier: Estimate | None = None
    coverage: tuple[CoverageAccuracy, ...] = ()
    handover: tuple[HandoverThreshold, ...] = ()
