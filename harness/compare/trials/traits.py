"""Traits of a strategy that rules and prices depend on, inferred from its steps, never from its name."""

from __future__ import annotations

import json
from collections.abc import Collection, Sequence
from functools import cache
from typing import Any

from harness.api import Step
from harness.api.architecture import Architecture, Linear
from harness.endpoints.providers import Destination, find_destination
from harness.errors import HarnessError
from harness.plan.discover import RESERVED, RETIRED, find_step
from harness.records.measurements import StoredModel
from harness.records.record import Completed

LEARNS_FROM = frozenset({"train", "preferences"})
"""Parts of a task that people had to label."""


_ANY_SHAPE = Architecture(
    hidden=1, layers=1, heads=1, kv_width=1, intermediate=1, vocab=1, linears=(Linear("linear", 1, 1),)
)
"""For what a footprint says of any model, such as exemplars and bits a weight."""


class Traits(StoredModel):
    """Traits of a strategy.

    Attributes:
        changes_weights: it trains the model's weights, or added ones.
        searches_corpus: its answers come from retrieved passages; the index can be rebuilt without the rest.
        uses_examples: training items are in the prompt, or decide what is in it; weights do not change.
        uses_preferences: it learns from pairs of a better and a worse answer, or from a reward.
        labels: labelled training items that it needs; None: not known.
        constant: it gives one answer whatever is asked, without a model.
        steps: number of steps in its chain; settings: number of their parameters that differ from the defaults.
        trained_share: trained parameters over the model's; None: none was trained, or not known.
        sends_to: hosts outside this machine and the house that are sent what is asked or learned from.
        weight_bits: that a weight of the blocks is rounded to; None: it is not.
    """

    changes_weights: bool = False
    searches_corpus: bool = False
    uses_examples: bool = False
    uses_preferences: bool = False
    labels: int | None = None
    constant: bool = False
    steps: int = 1
    settings: int = 0
    trained_share: float | None = None
    weight_bits: float | None = None
    sends_to: tuple[str, ...] = ()


def infer_traits(records: Sequence[Completed]) -> Traits:
    """Infer a strategy's traits; of a step that is not installed any more, from its phases and trained parameters.

    Args:
        records: one a seed, at least one, all of the same strategy.
    """
    record = records[0]
    steps = [_step(entry) for entry in record.trial.steps if entry["step"] not in RETIRED]
    installed = [step for step in steps if step is not None]
    phases = {span.phase for span in record.spans}
    trained = any(record.trained_parameters for record in records)
    weights = trained or any(step.changes_weights for step in installed)
    needs = {need for step in installed for need in step.requirements().task}
    uninstalled = len(installed) < len(steps)
    learns = bool(needs & LEARNS_FROM) or (trained and uninstalled)
    return Traits(
        changes_weights=weights,
        searches_corpus="index" in phases or any(map(_retrieves, installed)),
        uses_examples=learns and not weights,
        uses_preferences=bool(needs & {"preferences", "reward"}),
        labels=_count_labels(record, installed, needs) if learns else None if uninstalled else 0,
        constant=not all(step.asks_model for step in installed),
        steps=len(record.trial.steps),
        settings=sum(len(step.model_dump(exclude_defaults=True)) for step in installed),
        trained_share=_share(record),
        sends_to=_hosts(records, installed),
        weight_bits=next((bits for step in installed if (bits := step.footprint(_ANY_SHAPE).weight_bits)), None),
    )


def _hosts(records: Sequence[Completed], steps: Sequence[Step]) -> tuple[str, ...]:
    """Name the hosts elsewhere: of the model, of a whole system, and of models that steps ask."""
    endpoints = [record.model.endpoint for record in records]
    hosts = {endpoint.host for endpoint in endpoints if endpoint and endpoint.away}
    destinations = [_destination(source) for step in steps for source in step.sources()]
    return tuple(sorted(hosts | {place.host for place in destinations if place and place.away}))


def _destination(source: str) -> Destination | None:
    """Return what a source's name means; None where it is no endpoint, or no entry says so any more."""
    try:
        return find_destination(source)
    except HarnessError:
        return None


def _retrieves(step: Step) -> bool:
    return "corpus" in step.requirements().task and not step.learns_corpus


def _step(entry: dict[str, Any]) -> Step | None:
    """Rebuild a step from its record; None where it is not installed, or has other parameters now."""
    try:
        return _build(json.dumps(entry, sort_keys=True))
    except (HarnessError, ValueError):
        return None


@cache
def _build(entry: str) -> Step:
    """Build a step; cached, because thousands of trials have a few dozen distinct steps."""
    values: dict[str, Any] = json.loads(entry)
    name = str(values["step"])
    kind = find_step(name)
    return kind.model_validate({key: part for key, part in values.items() if key not in {*RESERVED, *kind.retired}})


def _count_labels(record: Completed, steps: Sequence[Step], needs: Collection[str]) -> int:
    """Count the labels that a strategy needs: all training items, or only the exemplars if all prompts share them."""
    size = record.tasks[0].sizes.get("train", 0)
    labels = size if record.trial.train_items is None else min(size, record.trial.train_items)
    learning = [step for step in steps if step.requirements().task & LEARNS_FROM]
    # an artifact worth keeping was searched for, on more items than the prompt then shows
    footprints = [step.footprint(_ANY_SHAPE) for step in learning if not (step.changes_weights or step.keeps_artifact)]
    if (
        needs
        and len(footprints) == len(learning)
        and all(footprint.exemplars and footprint.shared_exemplars for footprint in footprints)
    ):
        return min(labels, sum(footprint.exemplars for footprint in footprints))
    return labels


def _share(record: Completed) -> float | None:
    trained, all_parameters = record.trained_parameters, record.model.parameters
    return trained / all_parameters if trained and all_parameters else None
