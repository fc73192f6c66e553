"""Self-tests and ablations of a finished system: its first test items are asked again.

A self-test changes the weights' form, which should change no answer; an ablation changes the wording or the passages.
They come last in a trial: afterwards the weights are no longer what they were.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from harness.api import Example, HoldsWeights, System
from harness.data.prepare import PreparedTask
from harness.errors import HarnessError, memory_in_one_line
from harness.predict import answering, prediction_rows
from harness.predict.answering import Prediction
from harness.records.measurements import Check
from harness.records.record import Row, TaskInfo
from harness.trial.ablations import ablations
from harness.trial.recorder import Recorder

if TYPE_CHECKING:  # a model that is elsewhere has no weights, and its trial loads no torch
    from harness.models.local_model import LocalModel

    WeightChange = Callable[[LocalModel], LocalModel]


@dataclass(frozen=True)
class SelfTestOutcome:
    """Results of self-tests and ablations.

    Attributes:
        checks: the self-tests.
        tasks: the ablations, as tasks of role ``control``; rows: their answers.
    """

    checks: tuple[Check, ...] = ()
    tasks: tuple[TaskInfo, ...] = ()
    rows: tuple[Row, ...] = ()


def check(recorder: Recorder, system: System, target: PreparedTask, rows: Sequence[Row], limit: int) -> SelfTestOutcome:
    """Ask the first test items again, measured as the phase ``check``.

    Args:
        recorder: gathers what is measured.
        system: finished; nothing can be asked of it afterwards.
        target: the task that it answers.
        rows: its answers so far.
        limit: the most items of each test; 0: none are made.
    """
    weight_changes = _weight_changes(system)
    variants = ablations(system, target, rows, limit, recorder.seed) if limit else []
    if not limit or not (weight_changes or variants):
        return SelfTestOutcome()
    control_rows: list[Row] = []
    with recorder.span("check"):
        predictions = [_ask(recorder, ablation.system, ablation.examples) for ablation in variants]
        for ablation, answers in zip(variants, predictions, strict=True):
            control_rows += prediction_rows.build_rows(ablation.system.task, ablation.examples, answers, "control")
        # any form of the questions serves to compare weights, and an ablation's answers are there already
        if variants:
            reference = _Reference(variants[0].system, variants[0].examples, predictions[0])
        else:
            examples = target.test[:limit]
            reference = _Reference(system, examples, _ask(recorder, system, examples))
        checks = _compare(recorder, reference, weight_changes)
    return SelfTestOutcome(
        tuple(checks), tuple(ablation.info(target.info) for ablation in variants), tuple(control_rows)
    )


@dataclass(frozen=True)
class _Reference:
    """Answers that changed weights are compared with."""

    system: System
    examples: Sequence[Example]
    predictions: list[Prediction]


def _weight_changes(system: System) -> dict[str, WeightChange]:
    """Return the changes of the weights' form that should change no answer, in the order in which they are made."""
    if not isinstance(system.model, HoldsWeights):
        return {}
    from harness.models.local_model import LocalModel  # noqa: PLC0415 - see above
    from harness.training import weight_formats  # noqa: PLC0415 - see above

    if not isinstance(system.model, LocalModel):
        return {}
    changes: dict[str, WeightChange] = {}
    if weight_formats.is_four_bit(system.model):
        changes["precision"] = weight_formats.dequantise
    if weight_formats.is_mergeable(system.model):
        changes["merged"] = weight_formats.merge_adapter
    return changes


def _compare(recorder: Recorder, reference: _Reference, changes: Mapping[str, WeightChange]) -> list[Check]:
    """Change the weights step by step; compare the answers with those from before each step."""
    if not changes:
        return []
    from harness.models.local_model import require_local  # noqa: PLC0415 - see above

    checks: list[Check] = []
    system, before = reference.system, reference.predictions
    for name, change in changes.items():
        try:
            with memory_in_one_line():
                system = system.replace(model=change(require_local(system.model)))
                after = _ask(recorder, system, reference.examples)
        except HarnessError as error:
            checks.append(Check(name=name, items=0, agreeing=0, note=f"not made: {error}"))
            break
        checks.append(_check(name, before, after))
        before = after
    return checks


def _check(name: str, before: Sequence[Prediction], after: Sequence[Prediction]) -> Check:
    pairs = list(zip(before, after, strict=True))
    differences = [
        abs(first - second)
        for earlier, later in pairs
        for first, second in zip(earlier.raw.choice_scores, later.raw.choice_scores, strict=True)
        if math.isfinite(first) and math.isfinite(second)  # else not read
    ]
    return Check(
        name=name,
        items=len(pairs),
        agreeing=sum(earlier.answer == later.answer for earlier, later in pairs),
        largest_difference=max(differences, default=None),
    )


def _ask(recorder: Recorder, system: System, examples: Sequence[Example]) -> list[Prediction]:
    """Ask items; progress is reported under the name of the task that they belong to."""
    progress = recorder.reporter("check", system.task.name)
    predictions = answering.predict(system, [example.query for example in examples], progress)
    recorder.meter.count_tokens(**prediction_rows.count_tokens(predictions))
    return predictions
