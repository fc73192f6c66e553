"""Take a chain's steps one after the other, or take up what an earlier trial has kept of them."""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import partial, reduce
from pathlib import Path
from typing import Any

from harness.api import Context, ModelInfo, System, TaskData
from harness.data.locate import locate
from harness.measure.environment import versions
from harness.models import footprint, loading
from harness.plan import chain
from harness.plan.chain import Link
from harness.plan.discover import find_step
from harness.plan.model_identity import folder_hash
from harness.records.measurements import Held
from harness.trial import artifacts
from harness.trial.recorder import Recorder, largest


def open_model(reference: str, cache: Path) -> Any:
    """Open the model that a trial is about."""
    found = locate(reference)
    info = ModelInfo(name=reference, revision=found.revision, licence=found.licence, note=found.note)
    return loading.open_model(found.path, info, cache)


def adapt(stage: Recorder, system: System, steps: Sequence[Mapping[str, Any]], material: Sequence[TaskData]) -> System:
    """Take every step of the chain.

    Args:
        stage: gathers what is measured.
        system: the bare model, asked the trial's task.
        steps: the chain, as in `Trial.steps`.
        material: of the trial's task, then of the others that a step learns from.
    """
    stage.hold(Held(weights_bytes=footprint.weights_bytes(system.model)))
    before = artifacts.artifact_key(
        {
            "model": system.model.info.model_dump(),
            "seed": stage.seed,
            "packages": versions(),
        }
    )
    for link in chain.restore(steps, find_step):
        learned = _learned(link, material)
        own = learned.task.name == material[0].task.name
        asked = {learned.task.name: system.task} if own else {}
        data = [[str(asked.get(part.task.name, part.task)), part.hash] for part in learned.parts or (learned,)]
        before = artifacts.artifact_key({"before": before, "data": data, **_named(link)})
        if own:
            system = _take(stage, link, system, learned, before)
        else:  # tuned on another task as that one is asked, then asked this one as before
            other = _take(stage, link, System(system.model, learned.task), learned, before)
            system = system.replace(model=other.model)
    return system


def _learned(link: Link, material: Sequence[TaskData]) -> TaskData:
    """Give what a step learns from: the trial's own task, unless it names others."""
    if not link.tasks:
        return material[0]
    suite_order = sorted(material, key=lambda one: one.order)
    parts = tuple(one for one in suite_order if "all" in link.tasks or one.task.name in link.tasks)
    lead = material[0] if any(part is material[0] for part in parts) else parts[0]
    return lead if len(parts) == 1 else replace(lead, parts=parts)


def _named(link: Link) -> dict[str, Any]:
    """Say what a step is, down to the bytes of the models that it names: one name can mean other weights tomorrow."""
    sources = [folder_hash(locate(source).path) for source in link.step.sources()]
    return {"step": link.name, "parameters": link.step.model_dump(mode="json"), "sources": sources}


def _take(stage: Recorder, link: Link, system: System, task: TaskData, chain_key: str) -> System:
    """Take one step, or take up what an earlier trial kept of it; `chain_key` names the chain up to and with it."""
    step, root = link.step, stage.cache / "artifacts"
    sources = _named(link)["sources"]
    key = artifacts.artifact_key(
        {"depends_on": step.depends_on(chain_key, task), "step": link.name, "sources": sources}
    )
    kept = artifacts.find(root, key) if stage.keeps(step) else None
    curves: list[dict[str, float]] = []
    latest: dict[str, float] = {}
    sizes: list[Held] = []

    def log(point: Mapping[str, float]) -> None:
        curves.append(dict(point))
        latest.update(point)

    context = Context(
        seed=stage.seed,
        progress=stage.reporter(step.phase, link.name, latest),
        count_tokens=lambda tokens: stage.meter.tokens(tokens_in=tokens),
        log=log,
        record_memory=lambda gradients, states: sizes.append(Held(gradient_bytes=gradients, optimizer_bytes=states)),
        locate=lambda reference: locate(reference).path,
    )
    if kept:
        with stage.span("load", link.name):
            system = step.load(system, task, context, kept.folder)
        stage.charged.append(kept.account.span.model_copy(update={"reused": True}))
        stage.charge(kept.account)
        return system
    seed_everything(stage.seed)  # or a step would depend on whether the one before it was kept
    with stage.span(step.phase, link.name):
        system = step.adapt(system, task, context)
    trained = system.model.trained_parameters if step.changes_weights else None
    span = stage.measured(step.phase, link.name)
    held = _held(system, sizes) if step.changes_weights else None
    account = artifacts.Account(span=span, curves=tuple(curves), trained_parameters=trained, held=held)
    if stage.keeps(step):
        account = artifacts.keep(root, key, partial(step.save, system), account).account
    stage.charge(account)
    return system


def _held(system: System, sizes: Sequence[Held]) -> Held:
    """Say what a step held: the largest that its loops have told, and the weights that it leaves."""
    return reduce(largest, sizes, Held(tuned_weights_bytes=footprint.weights_bytes(system.model)))


def seed_everything(seed: int) -> None:
    """Seed Python, numpy and torch."""
    import numpy as np  # noqa: PLC0415 - what is seeded is what the steps use, after they are loaded
    import torch  # noqa: PLC0415

    random.seed(seed)
    np.random.seed(seed)  # noqa: NPY002 - libraries draw from the global generator
    torch.manual_seed(seed)
