"""Self-tests of a finished system: its first test items asked again, in ways that should change nothing, or that tell.

It is the last thing that is asked of a system: its weights are not what they were afterwards.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from harness.api import Example, HoldsWeights, System
from harness.data.prepare import PreparedTask
from harness.errors import HarnessError
from harness.predict import answering, prediction_rows
from harness.predict.answering import Prediction
from harness.records.measurements import Check
from harness.records.record import Row, TaskInfo
from harness.training import weight_formats
from harness.trial import ablations
from harness.trial.recorder import Recorder


@dataclass(frozen=True)
class SelfTestOutcome:
    """What the self-tests have found.

    Attributes:
        checks: what should change nothing.
        tasks: the other ways of asking, as tasks of role ``control``; rows: what was answered so.
    """

    checks: tuple[Check, ...] = ()
    tasks: tuple[TaskInfo, ...] = ()
    rows: tuple[Row, ...] = ()


def check(stage: Recorder, system: System, target: PreparedTask, rows: Sequence[Row], limit: int) -> SelfTestOutcome:
    """Ask the first test items again, measured as the phase ``check``.

    Args:
        stage: gathers what is measured.
        system: finished; nothing can be asked of it afterwards.
        target: the task that it answers.
        rows: what it has answered.
        limit: the most items of each test; 0: none are made.
    """
    own, asked = _other_weights(system), target.test[:limit]
    ways = ablations.ways(system, target, rows, limit, stage.seed) if limit else []
    if not limit or not (own or ways):
        return SelfTestOutcome()
    told: list[Row] = []
    with stage.span("check"):
        answers = [_ask(stage, way.system, way.items) for way in ways]
        for way, found in zip(ways, answers, strict=True):
            told += prediction_rows.rows_of(way.system.task, way.items, found, "control")
        if ways:  # asked before and after, but any way will do, and the answers to the first one are there
            first = AnsweredItems(ways[0].system, ways[0].items, answers[0])
        else:
            first = AnsweredItems(system, asked, _ask(stage, system, asked))
        checks = _compared(stage, first, own)
    return SelfTestOutcome(tuple(checks), tuple(way.info(target.info) for way in ways), tuple(told))


Change = Callable[[Any], Any]


@dataclass(frozen=True)
class AnsweredItems:
    """Items with a system's answers to them."""

    system: System
    items: Sequence[Example]
    answers: list[Prediction]


def _other_weights(system: System) -> dict[str, Change]:
    """Name what can be done to the weights that should change no answer, in the order in which it is done."""
    if not isinstance(system.model, HoldsWeights):
        return {}
    known = weight_formats
    changes: dict[str, Change] = {"precision": known.full_precision} if known.in_four_bits(system.model) else {}
    return changes | ({"merged": known.merged} if known.mergeable(system.model) else {})


def _compared(stage: Recorder, start: AnsweredItems, changes: dict[str, Change]) -> list[Check]:
    """Change the weights step by step, and compare the answers with those from before each step."""
    found: list[Check] = []
    system, before = start.system, start.answers
    for name, change in changes.items():
        try:
            system = system.replace(model=change(system.model))
        except HarnessError as error:
            found.append(Check(name=name, items=0, agreeing=0, note=f"not made: {error}"))
            break
        after = _ask(stage, system, start.items)
        found.append(_check(name, before, after))
        before = after
    return found


def _check(name: str, before: Sequence[Prediction], after: Sequence[Prediction]) -> Check:
    pairs = list(zip(before, after, strict=True))
    moved = [
        abs(one - other)
        for first, second in pairs
        for one, other in zip(first.raw.choice_scores, second.raw.choice_scores, strict=True)
    ]
    return Check(
        name=name,
        items=len(pairs),
        agreeing=sum(first.answer == second.answer for first, second in pairs),
        note=f"log-likelihoods differ by at most {max(moved):.2g} nats" if moved else None,
    )


def _ask(stage: Recorder, system: System, examples: Sequence[Example]) -> list[Prediction]:
    """Ask items; progress is told under the name of the task that they stand for."""
    progress = stage.reporter("check", system.task.name)
    found = answering.ask(system, [one.query for one in examples], progress)
    stage.meter.tokens(**prediction_rows.tokens_of(found))
    return found
