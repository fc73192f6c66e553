"""What a strategy does, as rules and prices need to know it: from its steps, never from its name."""

from __future__ import annotations

import json
from collections.abc import Collection, Sequence
from functools import cache
from typing import Any

from harness.api import Step
from harness.api.architecture import Architecture
from harness.errors import HarnessError
from harness.plan.discover import RESERVED, find_step
from harness.records.measurements import StoredModel
from harness.records.record import Completed

LEARNS_FROM = frozenset({"train", "preferences"})
"""What a task provides that somebody had to label."""


_ANY_SHAPE = Architecture(hidden=1, layers=1, heads=1, kv_width=1, intermediate=1, vocab=1, linears=())
"""How many exemplars stand in a prompt does not depend on a model's shape."""


class Traits(StoredModel):
    """What a strategy does to a system.

    Attributes:
        changes_weights: it trains the model's weights, or some that are added.
        searches_corpus: its answers come from passages that are found in an index, which can be made again alone.
        uses_examples: training items stand in the prompt, or decide what stands in it; weights are as they were.
        uses_preferences: it learns from pairs of a better and a worse answer, or from a reward.
        labels: training items that it needs, whose answers somebody had to write; None: not known.
        trained_share: parameters that took a gradient, of the model's; None: none did, or not known.
    """

    changes_weights: bool = False
    searches_corpus: bool = False
    uses_examples: bool = False
    uses_preferences: bool = False
    labels: int | None = None
    trained_share: float | None = None


def traits_of(records: Sequence[Completed]) -> Traits:
    """Tell what a strategy does; of a step that is no longer installed, what its phases and its training show.

    Args:
        records: one a seed, at least one, all of the same strategy.
    """
    record = records[0]
    steps = [_step(entry) for entry in record.trial.steps]
    known = [step for step in steps if step is not None]
    phases = {span.phase for span in record.spans}
    trained = any(one.trained_parameters for one in records)
    weights = trained or any(step.changes_weights for step in known)
    needed = {need for step in known for need in step.requirements().task}
    learns = bool(needed & LEARNS_FROM) or trained
    unknown = len(known) < len(steps)
    return Traits(
        changes_weights=weights,
        searches_corpus="index" in phases or "corpus" in needed,
        uses_examples=learns and not weights,
        uses_preferences=bool(needed & {"preferences", "reward"}),
        labels=_labels(record, known, needed) if learns else None if unknown else 0,
        trained_share=_share(record),
    )


def _step(entry: dict[str, Any]) -> Step | None:
    """Build a step again from its record; None where it is not installed, or takes other parameters now."""
    try:
        return _built(json.dumps(entry, sort_keys=True))
    except (HarnessError, ValueError):
        return None


@cache
def _built(entry: str) -> Step:
    """Build each step once: a report of thousands of trials has a few dozen."""
    values: dict[str, Any] = json.loads(entry)
    name = str(values["step"])
    return find_step(name).model_validate({key: value for key, value in values.items() if key not in RESERVED})


def _labels(record: Completed, known: Sequence[Step], needed: Collection[str]) -> int:
    """Count the items that it learned from: all it was given, or the few that stand in each prompt alike."""
    there = record.tasks[0].sizes.get("train", 0)
    given = there if record.trial.train_items is None else min(there, record.trial.train_items)
    learning = [step for step in known if step.requirements().task & LEARNS_FROM]
    # what is worth keeping was searched for, and judged by more items than the prompt then shows
    prints = [step.footprint(_ANY_SHAPE) for step in learning if not (step.changes_weights or step.keeps_artifact)]
    if needed and len(prints) == len(learning) and all(one.exemplars and one.alike for one in prints):
        return min(given, sum(one.exemplars for one in prints))
    return given


def _share(record: Completed) -> float | None:
    trained, all_parameters = record.trained_parameters, record.model.parameters
    return trained / all_parameters if trained and all_parameters else None
