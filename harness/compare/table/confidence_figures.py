"""Confidence of scored answers: calibration error, Brier score, accuracy at coverage, thresholds to hand over at.

All come from the stored scores; nothing is asked again. A threshold is never reported on items that have fixed it: each
item is answered or handed over by the threshold of the other folds (cross-fitting). Seeds are pooled: an item is one
cluster with its answers of all seeds, so that intervals are about new items for these runs.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

import numpy as np

from harness.compare.stats.estimates import Estimate
from harness.compare.stats.intervals import standard_error, t_multiplier
from harness.compare.stats.sample import IntArray
from harness.compare.stats.share_interval import calibration_interval, ratio_influence, share_interval
from harness.compare.table.confidence_types import ConfidenceFigures, CoverageAccuracy, HandoverThreshold
from harness.compare.table.result import StrategyResult
from harness.compare.trials.groups import Group
from harness.metrics import Items, reliability
from harness.metrics.metric import CHOICE_KINDS, FloatArray

COVERAGES = (0.5, 0.75, 0.9)
TARGETS = (0.9, 0.95)
"""Accuracies that a threshold is looked for."""
MIN_ITEMS = 40
"""Items from which the figures say anything: two bins, and eight to choose a threshold in each fold."""

Reading = Literal["calibrated", "raw"]


def with_confidence(rows: Sequence[StrategyResult], groups: Sequence[Group]) -> tuple[StrategyResult, ...]:
    """Add the figures to each row whose answers are scored choices, by the reading of its scores first.

    Args:
        rows: of a task, with their traits.
        groups: its trials.
    """
    by_key = {(group.label, group.model): group for group in groups}
    return tuple(
        row
        if row.traits and row.traits.constant
        else row.model_copy(update={"confidence": confidence_of(by_key[row.label, row.model])})
        for row in rows
    )


def confidence_of(group: Group) -> tuple[ConfidenceFigures, ...]:
    """Compute the figures of a row by both readings, the default first; empty where its answers are not scored."""
    records = group.records
    if not records or records[0].tasks[0].kind not in CHOICE_KINDS or _voted(group):
        return ()
    calibrations = {record.trial.seed: record.tasks[0].calibration for record in records}
    shifts = {seed: calibration.shift for seed, calibration in calibrations.items() if calibration}
    readings: dict[Reading, Mapping[int, Sequence[float]]] = {"raw": {}}
    if shifts and len(shifts) == len(calibrations):
        default = all(calibration.default for calibration in calibrations.values() if calibration)
        readings = {"calibrated": shifts, "raw": {}} if default else {"raw": {}, "calibrated": shifts}
    figures = [_figures(group, reading, by_seed) for reading, by_seed in readings.items()]
    return tuple(reading for reading in figures if reading)


@dataclass
class _Answers:
    """Scored answers of all seeds, one entry an item and seed."""

    confidence: list[float] = field(default_factory=list[float])
    correct: list[float] = field(default_factory=list[float])
    brier: list[float] = field(default_factory=list[float])
    clusters: list[str] = field(default_factory=list[str])
    unscored: int = 0
    unread: int = 0

    @property
    def units(self) -> IntArray:
        """Cluster of each answer as 0 ... C - 1."""
        return np.unique(np.array(self.clusters), return_inverse=True)[1]


def _figures(group: Group, reading: Reading, shifts: Mapping[int, Sequence[float]]) -> ConfidenceFigures | None:
    answers = _answers(group, shifts)
    count = len(answers.confidence)
    if answers.unread:
        return ConfidenceFigures(reading=reading, items=count, unscored=answers.unscored, unread=answers.unread)
    if count < MIN_ITEMS:
        return None
    confidence, correct, units = np.array(answers.confidence), np.array(answers.correct), answers.units
    bins = reliability.bin_of(confidence)
    error = reliability.calibration_error(confidence, correct, bins)
    write = _Writer(units)
    low, high = calibration_interval(confidence - correct, bins, units)
    return ConfidenceFigures(
        reading=reading,
        items=count,
        unscored=answers.unscored,
        accuracy=float(correct.mean()),
        mean_confidence=float(confidence.mean()),
        calibration_error=write.estimate(error, low, high, "bootstrap of clusters in fixed bins, noise taken off"),
        bins=int(bins.max()) + 1,
        brier=write.mean(np.array(answers.brier), 2.0),
        coverage=tuple(_coverage(write, confidence, correct, share) for share in COVERAGES),
        handover=tuple(_handover(write, confidence, correct, target) for target in TARGETS),
    )


def _answers(group: Group, shifts: Mapping[int, Sequence[float]]) -> _Answers:
    """Read the confidence of each answer of each seed."""
    answers = _Answers()
    for seed, items in group.items.items():
        shift = shifts.get(seed, ())
        for item in _scored_items(items):
            if items.has_unread_choices:
                answers.unread += 1
            elif not item.scores or not _is_answered(item, by_score=bool(items.labels)):
                answers.unscored += 1
            elif len(item.scores) != len(item.choices) or not all(map(math.isfinite, item.scores)):
                answers.unread += 1
            else:
                shares = reliability.probabilities(item.scores, shift)
                chosen = int(shares.argmax()) if items.labels else item.choices.index(item.answer)
                answer = item.choices[chosen]
                right = answer if answer in item.references else item.references[0]
                answers.confidence.append(float(shares[chosen]))
                answers.correct.append(float(answer in item.references))
                answers.brier.append(reliability.brier(shares, item.choices.index(right)))
                answers.clusters.append(item.cluster)
    return answers


@dataclass(frozen=True)
class _ScoredItem:
    cluster: str
    choices: tuple[str, ...]
    scores: tuple[float, ...]
    references: tuple[str, ...]
    answer: str


def _is_answered(item: _ScoredItem, *, by_score: bool) -> bool:
    """Tell whether a choice is right, and one was given: the highest score's, or the answer itself."""
    return any(reference in item.choices for reference in item.references) and (by_score or item.answer in item.choices)


def _scored_items(items: Items) -> Iterator[_ScoredItem]:
    columns = zip(
        items.ids, items.clusters, items.choices, items.choice_scores, items.references, items.answers, strict=True
    )
    for name, cluster, choices, scores, references, answer in columns:
        # an id and a cluster of the same text are two clusters
        unit = f"cluster {cluster}" if cluster is not None else f"item {name}"
        yield _ScoredItem(unit, choices, scores, references, answer or "")


def _voted(group: Group) -> bool:
    """Tell whether answers were elected from several samples, whose scores are not all stored."""
    return any(any(items.votes) for items in group.items.values())


def _coverage(write: _Writer, confidence: FloatArray, correct: FloatArray, share: float) -> CoverageAccuracy:
    accuracy, influence = reliability.accuracy_at(confidence, correct, share)
    return CoverageAccuracy(coverage=share, accuracy=write.share(accuracy, influence, share))


def _handover(write: _Writer, confidence: FloatArray, correct: FloatArray, target: float) -> HandoverThreshold:
    answered = reliability.cross_fitted(confidence, correct, write.units, target)
    share = float(answered.mean())
    accuracy = None
    if share:
        right = float((answered * correct).sum() / answered.sum())
        accuracy = write.share(right, ratio_influence(answered * correct, answered), share)
    return HandoverThreshold(
        target=target,
        threshold=reliability.threshold_for(confidence, correct, target),
        answered=write.share(share, answered - share, 1.0),
        accuracy=accuracy,
    )


@dataclass(frozen=True)
class _Writer:
    """Writes estimates of answers in clusters."""

    units: IntArray

    def share(self, value: float, influence: FloatArray, part: float) -> Estimate:
        """Estimate a share of a part of the items."""
        low, high = share_interval(value, influence, self.units, part)
        return self.estimate(value, low, high, "Wilson at the effective number of items")

    def mean(self, scores: FloatArray, highest: float) -> Estimate:
        """Estimate a mean of scores in [0, `highest`]."""
        value = float(scores.mean())
        error, df = standard_error(scores, self.units) if int(self.units.max()) else (math.inf, 1.0)
        half = t_multiplier(df) * error
        return self.estimate(value, max(0.0, value - half), min(highest, value + half), "t, clustered errors")

    def estimate(self, value: float, low: float, high: float, method: str) -> Estimate:
        """Write an estimate of all answers."""
        clusters = int(self.units.max()) + 1
        return Estimate(
            value=value,
            low=low,
            high=high,
            n=len(self.units),
            clusters=clusters if clusters < len(self.units) else None,
            method=method,
        )
