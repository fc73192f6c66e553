"""How a row's answers were read: the scores by both readings of its labels' scores, and rows that give one answer.

Both readings come from the stored scores and prior; nothing is asked again.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from itertools import chain

from harness.compare.stats.estimates import difference, same_runs_difference
from harness.compare.stats.panel import Panel
from harness.compare.stats.sample import Sample
from harness.compare.table.findings import Reading, Readings, SingleAnswer
from harness.compare.table.result import StrategyResult
from harness.compare.trials.groups import Group, ScoreKey, make_panel
from harness.metrics import Items, get
from harness.metrics.metric import CHOICE_KINDS
from harness.metrics.statistical_power import ALPHA
from harness.records.measurements import LabelCalibration

SINGLE = 0.95
"""Share of the items above which one answer is no longer an answer to each."""


def with_readings(rows: Sequence[StrategyResult], groups: Sequence[Group], metric: str) -> tuple[StrategyResult, ...]:
    """Add to each finished row how its answers were read, both readings, and whether it gives one answer.

    Args:
        rows: of a task, with their traits.
        groups: its trials.
        metric: the task's primary.
    """
    readings = _both_readings(groups, metric)
    singles = _single_answers(groups, metric)
    by_key = {(group.label, group.model): group for group in groups}
    changed: list[StrategyResult] = []
    for row in rows:
        group = by_key[row.label, row.model]
        constant = bool(row.traits and row.traits.constant)
        updates = {
            "reading": None if constant else _reading(group),
            "readings": None if constant else readings.get(group.key),
            "single_answer": None if constant else singles.get(group.key),
        }
        changed.append(row.model_copy(update=updates) if group.records else row)
    return tuple(changed)


def _reading(group: Group) -> Reading | None:
    """Say how a row's answers were read; None where nothing is chosen, or the record does not say."""
    task = group.records[0].tasks[0] if group.records else None
    if task is None or task.kind not in CHOICE_KINDS:
        return None
    if task.calibration:
        return "calibrated" if task.calibration.default else "raw"
    if task.reading in ("constrained", "written"):
        return task.reading
    if any(any(items.outputs) for items in group.items.values()):
        return "written"
    return None if task.kind == "classification" else "scored"


def _both_readings(groups: Sequence[Group], metric: str) -> dict[ScoreKey, Readings]:
    """Score the rows whose label scores and calibration are stored, by both readings."""
    calibrations = {group.key: by_seed for group in groups if (by_seed := _calibrations(group))}
    scored = [group for group in groups if group.key in calibrations and not _voted(group)]
    if not scored:
        return {}
    raw = make_panel(metric, [_read_again(group, {}) for group in scored])
    calibrated = make_panel(metric, [_read_again(group, calibrations[group.key]) for group in scored])
    return {
        group.key: _readings(group.key, raw, calibrated, next(iter(calibrations[group.key].values())))
        for group in scored
        if group.key in raw and group.key in calibrated
    }


def _readings(
    key: ScoreKey, raw: Panel[ScoreKey], calibrated: Panel[ScoreKey], calibration: LabelCalibration
) -> Readings:
    pair = calibrated.sample(key).pair_with(raw.sample(key))
    return Readings(
        raw=raw.estimate(key),
        calibrated=calibrated.estimate(key),
        change=same_runs_difference(*pair) if pair else None,
        default="calibrated" if calibration.default else "raw",
        source=calibration.source,
        inputs=calibration.inputs,
        share_labels=calibration.share_labels,
    )


def _calibrations(group: Group) -> dict[int, LabelCalibration]:
    """Return the calibration of each seed; empty where one is not stored, or where labels were left unread."""
    if any(items.has_unread_choices for items in group.items.values()):
        return {}
    stored = {record.trial.seed: record.tasks[0].calibration for record in group.records}
    known = {seed: calibration for seed, calibration in stored.items() if calibration}
    return known if len(known) == len(stored) else {}


def _voted(group: Group) -> bool:
    """Tell whether answers were elected from several samples, whose scores are not all stored."""
    return any(any(items.votes) for items in group.items.values())


def _read_again(group: Group, calibrations: dict[int, LabelCalibration]) -> Group:
    """Read the stored scores with a calibration for each seed; without, by the raw scores."""
    return replace(
        group,
        items={
            seed: _read(items, calibrations[seed].shift if calibrations else ()) for seed, items in group.items.items()
        },
    )


def _read(items: Items, shift: Sequence[float]) -> Items:
    """Answer each item by its highest score less the shift; of equal ones, by the first. Unchanged items stay."""
    answers: list[str | None] = []
    for scores, choices, answer in zip(items.choice_scores, items.choices, items.answers, strict=True):
        shifted = [score - offset for score, offset in zip(scores, shift, strict=True)] if shift else scores
        answers.append(choices[max(range(len(choices)), key=shifted.__getitem__)] if scores else answer)
    return items if tuple(answers) == items.answers else items.with_answers(answers)


def _single_answers(groups: Sequence[Group], metric: str) -> dict[ScoreKey, SingleAnswer]:
    """Find the rows that give one answer to more than `SINGLE` of the items, where another could be given."""
    commonest = {group.key: pair for group in groups if (pair := _commonest(group)) and pair[1] > SINGLE}
    single = [group for group in groups if group.key in commonest]
    if not single:
        return {}
    panel = make_panel(metric, single)
    singles: dict[ScoreKey, SingleAnswer] = {}
    for group in single:
        answer, share = commonest[group.key]
        constant = Sample.from_items(get(metric), _always(group, answer))
        pair = panel.sample(group.key).pair_with(constant) if constant and group.key in panel else None
        change = difference(*pair) if pair and share < 1 else None
        better = change is not None and change.p <= ALPHA and (change.value > 0) == get(metric).higher_is_better
        singles[group.key] = SingleAnswer(answer=answer, share=share, change=change, better=better)
    return singles


def _commonest(group: Group) -> tuple[str, float] | None:
    """Return the commonest answer and its share; None where the choices differ from item to item."""
    if not group.records or group.records[0].tasks[0].kind not in ("classification", "multiple_choice"):
        return None
    if group.records[0].tasks[0].kind == "multiple_choice":
        choices = [set(options) for items in group.items.values() for options in items.choices]
        if any(options != choices[0] for options in choices):
            return None
    answers = list(chain.from_iterable(items.answers for items in group.items.values()))
    counts = Counter(answer for answer in answers if answer is not None)
    if not counts:
        return None
    answer, count = counts.most_common(1)[0]
    return answer, count / len(answers)


def _always(group: Group, answer: str) -> list[Items]:
    """Give one answer to every item of each seed."""
    return [items.with_answers([answer] * len(items)) for items in group.items.values()]
