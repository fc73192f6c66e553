"""A judge's pass rates by system, corrected by people's labels where there are enough of them."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from harness.judge.judged_rates import (
    FEWEST_LABELS,
    FEWEST_PAIR_LABELS,
    Numbers,
    Rate,
    kappa,
    poststratified,
    prediction_powered_mean,
)
from harness.judge.judgements import Judgements, Labels, answer_key, answer_text
from harness.judge.judging import JudgedTask, System, verdicts_of
from harness.records.measurements import StoredModel
from harness.records.record import Row


class RateModel(StoredModel):
    """A share or difference with its 95 % interval."""

    value: float
    low: float
    high: float


class JudgedRow(StoredModel):
    """One system as judged.

    Attributes:
        items: that it answered; judged, passed: by the judge.
        length_correlation: of its verdicts with the logarithm of an answer's length; None where one is constant.
        same_family: whether judge and system are of one model or provider.
        labels: of people; agreement, kappa: of the judge with them; gap: the judge's pass rate minus theirs.
        corrected: pass rate by judge and labels; None: too few labels, or items in clusters.
        to_first: this minus the first row, by PPI++; None: too few labels.
    """

    strategy: str
    model: str
    items: int
    judged: int
    passed: int
    length_correlation: float | None = None
    same_family: bool = False
    labels: int = 0
    agreement: float | None = None
    kappa: float | None = None
    gap: float | None = None
    corrected: RateModel | None = None
    to_first: RateModel | None = None


class JudgedTable(StoredModel):
    """All rows of a task as judged; clustered: no interval was simulated for items in clusters."""

    task: str
    judgements: Judgements
    rows: tuple[JudgedRow, ...]
    clustered: bool = False


def judged_table(task: JudgedTask, judgements: Judgements, labels: Labels | None) -> JudgedTable:
    """Put judgements and labels together; without labels, no row makes a claim."""
    first = next(iter(task.rows))
    clusters = [row.cluster for row in task.rows[first] if row.cluster is not None]
    clustered = len(set(clusters)) < len(clusters)
    rows = [
        _row(task, system, judgements, labels, None if system == first else first, clustered=clustered)
        for system in task.rows
    ]
    return JudgedTable(task=task.task, judgements=judgements, rows=tuple(rows), clustered=clustered)


def _row(  # noqa: PLR0913 - a row of a table
    task: JudgedTask,
    system: System,
    judgements: Judgements,
    labels: Labels | None,
    first: System | None,
    *,
    clustered: bool,
) -> JudgedRow:
    answers = task.rows[system]
    verdicts = verdicts_of(judgements, answers)
    passes = np.array([float(verdict == "pass") for verdict in verdicts])
    row = JudgedRow(
        strategy=system[0],
        model=system[1],
        items=len(answers),
        judged=sum(verdict is not None for verdict in verdicts),
        passed=int(passes.sum()),
        length_correlation=_correlation(passes, answers),
        same_family=_family(judgements.judge) == _family(system[1]),
    )
    if labels is None:
        return row
    human, labelled = _labels_of(answers, labels)
    if not labelled.any():
        return row
    sampled = passes[labelled]
    usable = not clustered and not judgements.struck
    enough = usable and len(human) >= FEWEST_LABELS
    return row.model_copy(
        update={
            "labels": len(human),
            "agreement": float((human == sampled).mean()),
            "kappa": kappa(human, sampled),
            "gap": float(sampled.mean() - human.mean()),
            "corrected": _model(poststratified(human, sampled, passes)) if enough else None,
            "to_first": _difference(task, system, first, judgements, labels) if usable else None,
        }
    )


def _difference(
    task: JudgedTask, system: System, first: System | None, judgements: Judgements, labels: Labels
) -> RateModel | None:
    """Return a system minus the first, on the items that both answered."""
    if first is None:
        return None
    theirs = {row.id: row for row in task.rows[first]}
    pairs = [(row, theirs[row.id]) for row in task.rows[system] if row.id in theirs]
    known = [_is_labelled(a, labels) and _is_labelled(b, labels) for a, b in pairs]
    if sum(known) < FEWEST_PAIR_LABELS:
        return None
    judged = np.array([_passes(a, judgements) - _passes(b, judgements) for a, b in pairs])
    human = np.array(
        [
            float(labels.labels[answer_key(a)] - labels.labels[answer_key(b)])
            for (a, b), is_known in zip(pairs, known, strict=True)
            if is_known
        ]
    )
    mask = np.array(known)
    return _model(prediction_powered_mean(human, judged[mask], judged[~mask]))


def _labels_of(answers: Sequence[Row], labels: Labels) -> tuple[Numbers, NDArray[np.bool_]]:
    mask = np.array([_is_labelled(row, labels) for row in answers])
    human = [float(labels.labels[answer_key(row)]) for row in answers if _is_labelled(row, labels)]
    return np.array(human), mask


def _is_labelled(row: Row, labels: Labels) -> bool:
    """Tell whether an answer is of the sample; an equal answer to an item outside it has no label."""
    return row.id in labels.items and answer_key(row) in labels.labels


def _passes(row: Row, judgements: Judgements) -> float:
    return float(judgements.verdicts.get(answer_key(row)) == "pass")


def _correlation(passes: Numbers, answers: Sequence[Row]) -> float | None:
    lengths = np.log1p([len(answer_text(row)) for row in answers])
    if len(answers) < 2 or not passes.std() or not lengths.std():
        return None
    return float(np.corrcoef(passes, lengths)[0, 1])


def _family(name: str) -> str:
    """Return the provider of a reference, or else the model's first word."""
    return name.partition(":")[0].partition("-")[0].rpartition("/")[2].lower()


def _model(rate: Rate) -> RateModel:
    return RateModel(value=rate.value, low=rate.low, high=rate.high)
