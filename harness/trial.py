"""One trial: prepare → adapt → predict → score → record. Knows no strategy and no format by name."""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

from harness import artifacts, chain, models
from harness.api import Context, ModelInfo, System, TaskData
from harness.chain import Link
from harness.data.locate import locate
from harness.data.prepare import Prepared, prepare
from harness.data.suite import load_suite
from harness.discover import find_step
from harness.measure.environment import environment
from harness.measure.meter import Meter
from harness.metrics import Items, get
from harness.modelref import folder_hash
from harness.planned import Planned
from harness.records import Completed, Phase, Row, Span

Emit = Callable[[Mapping[str, Any]], None]


def run_trial(planned: Planned, *, cache: Path, emit: Emit) -> tuple[Completed, list[Row]]:
    """Run one trial in this process.

    Args:
        planned: what to run.
        cache: for converted models and for artifacts.
        emit: told the progress: ``phase``, and as known ``step``, ``done`` and ``total``.

    Raises:
        HarnessError: something that the user can put right.
    """
    started_at = datetime.now(UTC).isoformat(timespec="seconds")
    suite = load_suite(planned.suite)
    prepared = {
        name: prepare(suite, name, limits=planned.limits)
        for name in (planned.trial.task, *planned.probes, *planned.learned)
    }
    target, probes = prepared[planned.trial.task], [prepared[name] for name in planned.probes]
    seed_everything(planned.trial.seed)
    stage = Stage(cache, emit, planned.trial.seed)
    with stage.span("load"):
        model = _load(planned.model, cache)
    material = [one.task_data for one in prepared.values() if one.info.role == "target"]
    system = _adapt(stage, System(model, target.task_data.task), planned, material)
    rows = _ask(stage, "predict", system, target)
    for probe in probes:
        asked = System(system.model, probe.task_data.task)
        rows += _ask(stage, "probe", asked, probe)
    with stage.span("score"):
        scores = {name: value for one in (target, *probes) for name, value in _scores(one, rows).items()}
    record = Completed(
        trial=planned.trial,
        started_at=started_at,
        suite_version=suite.version,
        suite_hash=suite.hash,
        model=model.info,
        tasks=tuple(one.info for one in (target, *probes)),
        spans=stage.spans,
        scores=scores,
        adapted_bytes=stage.adapted_bytes,
        trained_parameters=stage.trained_parameters,
        curves=tuple(stage.curves),
        environment=environment(),
    )
    return record, rows


@dataclass
class Stage:
    """What a trial gathers as it goes: spans, curves, and the account of what was made or taken from an earlier one."""

    cache: Path
    emit: Emit
    seed: int = 0
    meter: Meter = field(default_factory=Meter)
    charged: list[Span] = field(default_factory=list[Span])
    curves: list[dict[str, float]] = field(default_factory=list[dict[str, float]])
    adapted_bytes: int | None = None
    trained_parameters: int | None = None

    @property
    def spans(self) -> tuple[Span, ...]:
        """Spans measured here, and those of reused artifacts."""
        return (*self.meter.spans, *self.charged)

    def span(self, phase: Phase, step: str | None = None) -> Any:
        """Begin a phase: tell of it, and measure it."""
        self.emit({"phase": phase, "step": step})
        return self.meter.span(phase, step)

    def reporter(self, phase: Phase, step: str | None = None) -> Callable[[int, int], None]:
        """Return what tells how far a phase is."""
        return lambda done, total: self.emit({"phase": phase, "step": step, "done": done, "total": total})

    def charge(self, account: artifacts.Account) -> None:
        """Take over what an artifact cost: its span, if an earlier trial made it, and its size."""
        if account.size_bytes is not None:
            self.adapted_bytes = (self.adapted_bytes or 0) + account.size_bytes
        if account.trained_parameters is not None:
            self.trained_parameters = (self.trained_parameters or 0) + account.trained_parameters
        self.curves += account.curves


def _load(reference: str, cache: Path) -> Any:
    found = locate(reference)
    info = ModelInfo(name=reference, revision=found.revision, licence=found.licence, note=found.note)
    return models.loading.open_model(found.path, info, cache)


def _adapt(stage: Stage, system: System, planned: Planned, material: Sequence[TaskData]) -> System:
    """Take every step of the chain.

    Args:
        stage: gathers what is measured.
        system: the bare model, asked the trial's task.
        planned: names the steps.
        material: of the trial's task, then of the others that a step learns from.
    """
    before = artifacts.artifact_key(
        {
            "model": system.model.info.model_dump(),
            "seed": planned.trial.seed,
            "packages": environment().packages,
        }
    )
    for link in chain.restore(planned.trial.steps, find_step):
        learned = _learned(link, material)
        data = [_identity(part) for part in learned.parts or (learned,)]
        before = artifacts.artifact_key({"before": before, "data": data, **_named(link)})
        if learned.task.name == material[0].task.name:
            system = _take(stage, link, system, learned, before)
        else:  # tuned on another task as that one is asked, then asked this one as before
            other = _take(stage, link, System(system.model, learned.task), learned, before)
            system = system.having(model=other.model)
    return system


def _learned(link: Link, material: Sequence[TaskData]) -> TaskData:
    """Give what a step learns from: the trial's own task, unless it names others."""
    if not link.tasks:
        return material[0]
    suite_order = sorted(material, key=lambda one: one.order)
    parts = tuple(one for one in suite_order if "all" in link.tasks or one.task.name in link.tasks)
    lead = material[0] if any(part is material[0] for part in parts) else parts[0]
    return lead if len(parts) == 1 else replace(lead, parts=parts)


def _identity(data: TaskData) -> list[str]:
    """Name a task's wording and training material."""
    return [str(data.task), data.hash]


def _named(link: Link) -> dict[str, Any]:
    """Say what a step is, down to the bytes of the models that it names: one name can mean other weights tomorrow."""
    sources = [folder_hash(locate(source).path) for source in link.step.sources()]
    return {"step": link.name, "parameters": link.step.model_dump(mode="json"), "sources": sources}


def _take(stage: Stage, link: Link, system: System, task: TaskData, chain_key: str) -> System:
    """Take one step, or take up what an earlier trial kept of it; `chain_key` names the chain up to and with it."""
    step, root = link.step, stage.cache / "artifacts"
    sources = _named(link)["sources"]
    key = artifacts.artifact_key(
        {"depends_on": step.depends_on(chain_key, task), "step": link.name, "sources": sources}
    )
    kept = artifacts.find(root, key) if step.keeps else None
    curves: list[dict[str, float]] = []
    context = Context(
        seed=stage.seed,
        report=stage.reporter(step.phase, link.name),
        count=lambda tokens: stage.meter.tokens(tokens_in=tokens),
        log=lambda point: curves.append(dict(point)),
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
    if step.keeps:
        trained = system.model.trained_parameters if step.changes_weights else None
        account = artifacts.Account(span=stage.meter.spans[-1], curves=tuple(curves), trained_parameters=trained)
        stage.charge(artifacts.keep(root, key, partial(step.save, system), account).account)
    return system


def _ask(stage: Stage, phase: Phase, system: System, prepared: Prepared) -> list[Row]:
    """Ask a task's test queries, measured."""
    with stage.span(phase):
        predictions = models.answering.ask(system, [example.query for example in prepared.test], stage.reporter(phase))
        generated = not any(p.raw.choice_scores for p in predictions)
        read, written = (sum(getattr(p.raw, name) for p in predictions) for name in ("prompt_tokens", "output_tokens"))
        stage.meter.tokens(tokens_in=read if generated else read + written, tokens_out=written if generated else None)
    return [
        Row(
            task=prepared.info.name,
            role="probe" if phase == "probe" else "target",
            id=example.query.id,
            cluster=example.cluster,
            references=example.references,
            choices=example.query.choices or system.task.choices,
            input=example.query.input,
            prompt=p.raw.text,
            output=p.raw.output,
            answer=p.answer,
            parsed=p.parsed,
            choice_scores=p.raw.choice_scores,
            passages=tuple(
                passage.id for passage in p.prompt.passages[: len(p.prompt.passages) - p.raw.dropped_passages]
            ),
            evidence=example.evidence,
            dropped_passages=p.raw.dropped_passages,
            prompt_tokens=p.raw.prompt_tokens,
            output_tokens=p.raw.output_tokens,
        )
        for example, p in zip(prepared.test, predictions, strict=True)
    ]


def _scores(prepared: Prepared, rows: Sequence[Row]) -> dict[str, float]:
    """Return the value of each metric of a task by ``task/metric``; one that is undefined here is left out."""
    name = prepared.info.name
    own = [row for row in rows if row.task == name]
    items = Items.from_rows(own, prepared.info.labels)
    k = max((len(row.passages) for row in own), default=0)
    retrieval = [f"recall@{k}", "mrr"] if k and any(row.evidence for row in own) else []
    values = {metric: get(metric).value(items) for metric in dict.fromkeys([*prepared.info.metrics, *retrieval])}
    return {f"{name}/{metric}": value for metric, value in values.items() if value is not None}


def seed_everything(seed: int) -> None:
    """Seed Python, numpy and torch."""
    import numpy as np  # noqa: PLC0415 - what is seeded is what the steps use, after they are loaded
    import torch  # noqa: PLC0415

    random.seed(seed)
    np.random.seed(seed)  # noqa: NPY002 - libraries draw from the global generator
    torch.manual_seed(seed)
