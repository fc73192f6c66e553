"""Calibrated reading of scored labels: what a model favours whatever is asked is taken off each label's score.

A label's calibrated score is its log-likelihood, less a part of the label's prior over its share. The prior is the mean
log-probability of each label over validation inputs (batch calibration, Zhou et al. 2024, arXiv:2309.17249); with too
few of them, over content-free questions (contextual calibration, Zhao et al. 2021, arXiv:2102.09690). No training item
is asked: what a model was tuned on says little of its bias. The shares are those of the training labels; without
any, all are equal. The part, from none to all, is the one under which the validation labels are likeliest (Zhou et al.,
section 3.3, learn it too): a tuned model whose labels are right already is left as it is, a prompt that always gives
one label is not.

Every system that scores fixed labels is read like that, whichever strategy made it. Choices that differ from item to
item are compared by their log-likelihood a byte instead, and written answers are not calibrated.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from math import exp, log

from harness.api import Example, ProgressCallback, Query, System, Task, TaskData
from harness.errors import HarnessError
from harness.predict.answering import Prediction, most_likely, predict, scorer_of
from harness.records.measurements import LabelCalibration

CALIBRATED = True
"""The reading of every scored label, chosen on validation splits (`tests/benchmarks/choose_reading.py`)."""
CONTENT_FREE = ("N/A", "[MASK]", "")
"""Questions that say nothing (Zhao et al. 2021, section 5)."""
MIN_INPUTS = 4
"""Validation inputs from which a batch prior is measured: worse than one of 48, and better than a content-free one."""
MAX_INPUTS = 128
STRENGTHS = (1.0, 0.75, 0.5, 0.25, 0.0)
"""Parts of the shift that are tried; of equals the first."""
_FLOOR = -1e4
"""Least mean log-probability, nats: a label that is impossible everywhere stays so, without infinities."""


def calibrate(
    system: System, material: TaskData, progress: ProgressCallback | None = None
) -> tuple[System, LabelCalibration | None, list[Prediction]]:
    """Measure a finished system's prior.

    Args:
        system: as it will answer.
        material: of its task.
        progress: called with (inputs done, inputs in all).

    Returns:
        The system that reads its answers by the default; its calibration, None where no fixed labels are scored; and
        what was asked for it.

    Raises:
        HarnessError: the model gives no numbers, or no prompt fits the context window.
    """
    system = system.replace(prior=())
    if not scores_labels(system):
        return system, None, []
    single = system.reasoning and replace(system.reasoning, samples=1)
    predictions = predict(system.replace(reasoning=single), prior_queries(material), progress)
    scored = [index for index, prediction in enumerate(predictions) if prediction.raw.choice_scores]
    if not scored:
        raise HarnessError(
            "no validation item fits the model's window as it is asked: use fewer exemplars, shorter inputs or a model "
            "with a longer window."
        )
    scores = [predictions[index].raw.choice_scores for index in scored]
    labels = [material.validation[index].references[0] for index in scored] if has_batch_prior(material) else None
    calibration = calibration_of(scores, material.train, system.task, labels)
    return system.replace(prior=calibration.shift if CALIBRATED else ()), calibration, predictions


def scores_labels(system: System) -> bool:
    """Tell whether a system's answers are scored labels that are the same for every item."""
    task = system.task
    return task.kind == "classification" and bool(task.choices) and scorer_of(system) is not None


def has_batch_prior(material: TaskData) -> bool:
    """Tell whether a task has validation items enough for a batch prior."""
    return len(material.validation) >= MIN_INPUTS


def count_inputs(material: TaskData) -> int:
    """Count what is asked to measure the prior."""
    return min(len(material.validation), MAX_INPUTS) if has_batch_prior(material) else len(CONTENT_FREE)


def prior_queries(material: TaskData) -> list[Query]:
    """Return what is asked to measure the prior: validation inputs, or content-free questions where they are too few.

    Content-free questions are asked as somebody who may read what everybody may.
    """
    if has_batch_prior(material):
        return [example.query for example in material.validation[:MAX_INPUTS]]
    return [Query(f"content-free/{index}", text) for index, text in enumerate(CONTENT_FREE)]


def calibration_of(
    scores: Sequence[Sequence[float]], train: Sequence[Example], task: Task, labels: Sequence[str] | None
) -> LabelCalibration:
    """Return the calibration that scores behind some inputs give.

    Args:
        scores: log-likelihoods of the labels, nats: [inputs][labels].
        train: training items, whose labels give the shares.
        task: with the labels.
        labels: the right one behind each input; None: the inputs were content-free questions.
    """
    calibration = LabelCalibration(
        source="content-free" if labels is None else "validation",
        inputs=len(scores),
        prior=contextual_prior(scores) if labels is None else batch_prior(scores),
        shares=label_shares(train, task.choices),
        share_labels=len(train),
        default=CALIBRATED,
    )
    if labels is None:
        return calibration
    return calibration.model_copy(update={"strength": likeliest_strength(scores, labels, calibration.shift, task)})


def likeliest_strength(
    scores: Sequence[Sequence[float]], labels: Sequence[str], shift: Sequence[float], task: Task
) -> float:
    """Return the part of a shift, in [0, 1], under which labels are likeliest among all labels.

    Args:
        scores: log-likelihoods of the labels behind each input, nats: [inputs][labels].
        labels: the right one behind each input; one that is no label of the task does not count.
        shift: what is taken off each label's score in full, nats.
        task: with the labels.
    """
    places = {label: place for place, label in enumerate(task.choices)}
    known = [(row, places[label]) for row, label in zip(scores, labels, strict=True) if label in places]

    def likelihood(strength: float) -> float:
        total = 0.0
        for row, place in known:
            total += log_probabilities([score - strength * offset for score, offset in zip(row, shift, strict=True)])[
                place
            ]
        return total

    return max(STRENGTHS, key=likelihood)


def reread(
    predictions: Sequence[Prediction],
    train: Sequence[Example],
    task: Task,
    validation: Sequence[Example],
    inputs: Sequence[Prediction] | None = None,
) -> list[Prediction]:
    """Read raw predictions by the default reading, while a system is still looked for: nothing is asked again.

    Args:
        predictions: read by the raw scores. After a vote, answers stay.
        train: training items, whose labels give the shares.
        task: with the labels.
        validation: items behind `inputs`.
        inputs: raw predictions of the validation items, which give the prior; None: `predictions` are such.
    """
    measured = [
        (prediction.raw.choice_scores, example.references[0])
        for prediction, example in zip(predictions if inputs is None else inputs, validation, strict=True)
        if prediction.raw.choice_scores
    ]
    voted = any(prediction.raw.votes for prediction in predictions)
    if not CALIBRATED or voted or task.kind != "classification" or not measured:
        return list(predictions)
    scores, labels = zip(*measured, strict=True)
    shift = calibration_of(scores, train, task, labels).shift
    return [
        replace(prediction, answer=most_likely(prediction.raw.choice_scores, task.choices, task, shift))
        if prediction.raw.choice_scores
        else prediction
        for prediction in predictions
    ]


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
    return tuple(max(_FLOOR, sum(column) / len(rows)) for column in zip(*rows, strict=True))


def contextual_prior(scores: Sequence[Sequence[float]]) -> tuple[float, ...]:
    """Return the logarithm of each label's mean probability behind content-free inputs, nats.

    Dividing a label's probability by that mean is the diagonal W of Zhao et al. 2021 (arXiv:2102.09690, section 5).

    Args:
        scores: log-likelihoods of the labels behind each input, nats: [inputs][labels].
    """
    rows = [[exp(logp) for logp in log_probabilities(row)] for row in scores]
    means = [sum(column) / len(rows) for column in zip(*rows, strict=True)]
    return tuple(max(_FLOOR, log(mean)) if mean else _FLOOR for mean in means)


def label_shares(train: Sequence[Example], labels: Sequence[str]) -> tuple[float, ...]:
    """Return each label's share of the training items in (0, 1), add-one smoothed; equal shares without items."""
    counts = Counter(example.references[0] for example in train)
    return tuple((counts[label] + 1) / (sum(counts[name] for name in labels) + len(labels)) for label in labels)
