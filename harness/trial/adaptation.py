"""Adapt a system by the steps of a chain; a step that an earlier trial has kept is loaded instead."""

from __future__ import annotations

import random
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import partial, reduce
from pathlib import Path
from typing import Any

from harness.api import Context, CorpusFigures, Example, HoldsWeights, Model, Step, System, TaskData, TrainingRun
from harness.data.content_hash import folder_hash
from harness.errors import HarnessError, first_line
from harness.measure.environment import gpu_name, package_versions
from harness.models import footprint, registry
from harness.plan import chain
from harness.plan.chain import Link
from harness.plan.discover import find_step
from harness.records.measurements import CorpusLearning, Held, Span
from harness.records.record import PROTOCOL_VERSION
from harness.trial import artifacts, handed_on
from harness.trial.artifacts import Account, Artifact
from harness.trial.recorder import Recorder, largest
from harness.trial.window_fit import without_long_items


def adapt(
    recorder: Recorder,
    system: System,
    steps: Sequence[Mapping[str, Any]],
    material: Sequence[TaskData],
    test: Sequence[Example],
) -> System:
    """Take every step of the chain.

    Args:
        recorder: gathers what is measured.
        system: the bare model, asked the trial's task.
        steps: the chain, as in `Trial.steps`.
        material: of the trial's task, then of the others that a step learns from.
        test: items of the trial's task that no step sees: rows that a step writes are held against them.
    """
    fitting = [without_long_items(recorder, system.model, data) for data in material]
    with artifacts.in_use(_artifacts_folder(recorder)):
        return _take_steps(recorder, system, steps, fitting, test)


def _take_steps(
    recorder: Recorder,
    system: System,
    steps: Sequence[Mapping[str, Any]],
    material: Sequence[TaskData],
    test: Sequence[Example],
) -> System:
    recorder.add_memory(Held(weights_bytes=footprint.weights_bytes(system.model)))
    chain_key = artifacts.artifact_key(
        {
            "model": system.model.info.model_dump(exclude={"endpoint"}),
            "seed": recorder.seed,
            "packages": package_versions(),
            **({"gpu": gpu} if (gpu := gpu_name()) else {}),  # what was measured is charged to later trials
        }
    )
    for link in chain.restore(steps, find_step):
        train_data = _train_data(link, material)
        is_target = train_data.task.name == material[0].task.name
        tasks = {train_data.task.name: system.task} if is_target else {}
        parts = train_data.parts or (train_data,)
        data = [[str(tasks.get(part.task.name, part.task)), part.hash] for part in parts]
        chain_key = artifacts.artifact_key({"before": chain_key, "data": data, **_step_key(link)})
        if is_target:
            system = _take(recorder, link, system, train_data, chain_key)
            system, material = _hand_on(recorder, system, material, test)
        else:  # tuned on another task as that one is asked, then asked this one as before
            tuned = _take(recorder, link, System(system.model, train_data.task), train_data, chain_key)
            system = system.replace(model=tuned.model)
    return system


def _hand_on(
    recorder: Recorder, system: System, material: Sequence[TaskData], test: Sequence[Example]
) -> tuple[System, Sequence[TaskData]]:
    """Let the later steps learn from what a step handed on, without what is nearly like a test item."""
    if system.material is None or system.material is material[0]:
        return system, material
    handover = handed_on.hand_on(system.material, material[0], test)
    recorder.synthetic = handed_on.merge(recorder.synthetic, handover.rows, recorder.row_counts)
    return system.replace(material=handover.task_data), [handover.task_data, *material[1:]]


def _train_data(link: Link, material: Sequence[TaskData]) -> TaskData:
    """Return what a step learns from: the trial's own task, unless it names others."""
    if not link.tasks:
        return material[0]
    suite_order = sorted(material, key=lambda task_data: task_data.order)
    parts = tuple(part for part in suite_order if "all" in link.tasks or part.task.name in link.tasks)
    lead = material[0] if any(part is material[0] for part in parts) else parts[0]
    return lead if len(parts) == 1 else replace(lead, parts=parts)


def _step_key(link: Link) -> dict[str, Any]:
    """Identify a step, down to the bytes of the models that it names: one name can mean other weights tomorrow."""
    sources = [_source_identity(source) for source in link.step.sources()]
    return {"step": link.name, "parameters": link.step.model_dump(mode="json"), "sources": sources}


def _source_identity(reference: str) -> str:
    """Identify a model that a step brings; one that is elsewhere by what its backend says of it."""
    source = registry.identify(reference, "embedder")
    return folder_hash(_source_folder(reference)) if source.backend == "local" else source.identity


def _open_source(reference: str, cache: Path) -> Model:
    source = registry.identify(reference)
    registry.prepare(source.reference, cache, by=source.backend)
    return registry.open_model(source.reference, cache, by=source.backend)


def _source_folder(reference: str) -> Any:
    folder = registry.fetch(reference)
    if folder is None:
        raise HarnessError(f"{reference!r} has no weights on this machine, which a step needs.")
    return folder


def _take(recorder: Recorder, link: Link, system: System, task: TaskData, chain_key: str) -> System:
    """Take one step, or load what an earlier trial kept of it; `chain_key` names the chain up to and with it."""
    step = link.step
    key = artifacts.artifact_key(
        {
            "depends_on": step.depends_on(chain_key, task),
            "step": link.name,
            "sources": _step_key(link)["sources"],
            "packages": package_versions(),
            "protocol": PROTOCOL_VERSION,
        }
    )
    artifact = _find_artifact(recorder, link, key) if recorder.keeps(step) else None
    curves: list[dict[str, float]] = []
    latest: dict[str, float] = {}
    sizes: list[Held] = []
    trainings: list[TrainingRun] = []
    row_counts: dict[str, int] = {}

    def log(point: Mapping[str, float]) -> None:
        curves.append(dict(point))
        latest.update(point)

    context = Context(
        seed=recorder.seed,
        progress=recorder.reporter(step.phase, link.name, latest),
        count_tokens=lambda tokens: recorder.meter.count_tokens(tokens_in=tokens),
        log=log,
        record_memory=lambda gradients, states: sizes.append(Held(gradient_bytes=gradients, optimizer_bytes=states)),
        record_training=trainings.append,
        locate=_source_folder,
        open_model=partial(_open_source, cache=recorder.cache),
        count_rows=row_counts.update,
    )
    if artifact:
        with recorder.span("load", link.name):
            system = step.load(system, task, context, artifact.folder)
        spans = (artifact.account.span, *artifact.account.check_spans)
        recorder.charged += [span.model_copy(update={"reused": True}) for span in spans]
        recorder.charge(artifact.account)
        return system
    corpus_before, check_before = _measure_corpus(recorder, link, system, task, context)
    seed_everything(recorder.seed)  # or a step would depend on whether the one before it was kept
    with recorder.span(step.phase, link.name):
        system = step.adapt(system, task, context)
    adapt_span = recorder.measured(step.phase, link.name)
    corpus_after, check_after = _measure_corpus(recorder, link, system, task, context)
    account = Account(
        span=adapt_span,
        curves=tuple(curves),
        trainings=tuple(trainings),
        trained_parameters=_trained_parameters(step, system.model),
        held=_memory(system.model, sizes) if step.changes_weights else None,
        rows=row_counts,
        corpus=_corpus_learning(link.name, corpus_before, corpus_after),
        check_spans=(*check_before, *check_after),
    )
    if recorder.keeps(step):
        account = _keep(recorder, link, key, partial(step.save, system), account)
    recorder.charge(account)
    return system


def _measure_corpus(
    recorder: Recorder, link: Link, system: System, task: TaskData, context: Context
) -> tuple[CorpusFigures | None, tuple[Span, ...]]:
    """Measure how well the corpus is known, as a phase of its own, for a step that learns it; not within a search."""
    if not link.step.learns_corpus or recorder.within:
        return None, ()
    reporting_context = replace(context, progress=recorder.reporter("check", link.name))
    with recorder.span("check", link.name):
        figures = link.step.measure_corpus(system, task, reporting_context)
    return figures, (recorder.measured("check", link.name),)


def _corpus_learning(step: str, before: CorpusFigures | None, after: CorpusFigures | None) -> CorpusLearning | None:
    """Return both figures as they are stored; None where nothing was measured."""
    if before is None or after is None:
        return None
    return CorpusLearning(
        step=step,
        passages=after.passages,
        restricted_passages=after.restricted_passages,
        paraphrases=after.paraphrases,
        bits_per_byte_before=before.bits_per_byte,
        bits_per_byte_after=after.bits_per_byte,
        cloze_items=after.cloze_items,
        cloze_recall_before=before.cloze_recall,
        cloze_recall_after=after.cloze_recall,
    )


def _find_artifact(recorder: Recorder, link: Link, key: str) -> Artifact | None:
    """Return the kept artifact of a step; one that is damaged is noted and made again."""
    try:
        return artifacts.find(_artifacts_folder(recorder), key, private=recorder.within is not None)
    except HarnessError as error:
        recorder.notes.append(f"what was kept of {link.name} was damaged ({error}) and was made again.")
        return None


def _keep(recorder: Recorder, link: Link, key: str, save: Callable[[Path], None], account: Account) -> Account:
    """Keep what a step has made; where that fails, the trial goes on with what is in memory, and this is noted."""
    try:
        private = recorder.within is not None
        return artifacts.keep(_artifacts_folder(recorder), key, save, account, private=private).account
    except Exception as error:  # noqa: BLE001 - each library has its own error for a full disk, and training was long
        recorder.notes.append(
            f"what {link.name} made could not be kept ({first_line(error)}): later trials make it again."
        )
        return account


def _artifacts_folder(recorder: Recorder) -> Path:
    return recorder.cache / "artifacts"


def _trained_parameters(step: Step, model: Model) -> int | None:
    return model.trained_parameters if step.changes_weights and isinstance(model, HoldsWeights) else None


def _memory(model: Model, sizes: Sequence[Held]) -> Held:
    """Return the largest gradients and optimizer states of a step's loops, and the weights that it leaves."""
    return reduce(largest, sizes, Held(tuned_weights_bytes=footprint.weights_bytes(model)))


def seed_everything(seed: int) -> None:
    """Seed Python, numpy, and torch where a model computes with it: `run_trial` has loaded it then."""
    import numpy as np  # noqa: PLC0415 - what is seeded is what the steps use, after they are loaded

    random.seed(seed)
    np.random.seed(seed)  # noqa: NPY002 - libraries draw from the global generator
    if torch := sys.modules.get("torch"):
        torch.manual_seed(seed)
