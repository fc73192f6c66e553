"""One trial: prepare → adapt → predict → score → record. Knows no strategy and no format by name."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

from harness.api import Example, ScoresChoices, System
from harness.data import canaries
from harness.data.prepare import PreparedTask, prepare
from harness.data.suite import load_suite
from harness.measure.environment import environment
from harness.measure.meter import Meter
from harness.metrics import Items, get
from harness.predict import answering, prediction_rows
from harness.records.measurements import Phase
from harness.records.planned_trial import PlannedTrial
from harness.records.record import Completed, Role, Row
from harness.trial import self_tests
from harness.trial.adaptation import adapt, open_model, seed_everything
from harness.trial.hyperparameter_search import search
from harness.trial.recorder import Emit, Recorder
from harness.trial.serving import serve

PHASES: dict[Role, Phase] = {"target": "predict", "probe": "probe", "train": "seen"}
"""The phase in which items are asked, by what they are to the system."""


def run_trial(planned: PlannedTrial, *, cache: Path, emit: Emit) -> tuple[Completed, list[Row]]:
    """Run one trial in this process.

    Args:
        planned: what to run.
        cache: for converted models and for artifacts.
        emit: told the progress: ``phase``, and as known ``step``, ``done`` and ``total``.

    Raises:
        HarnessError: something that the user can put right.
    """
    started_at = datetime.now(UTC).isoformat(timespec="seconds")
    suite, fresh = load_suite(planned.suite), Path(planned.fresh) if planned.fresh else None
    prepared = {
        name: prepare(suite, name, limits=planned.limits, fresh=fresh if name == planned.trial.task else None)
        for name in (planned.trial.task, *planned.probes, *planned.learned)
    }
    target, probes = prepared[planned.trial.task], [prepared[name] for name in planned.probes]
    seed_everything(planned.trial.seed)
    stage = Recorder(cache, emit, planned.trial.seed, meter=Meter(energy=planned.energy))
    others = [one.task_data for one in prepared.values() if one.info.role == "target" and one is not target]
    material = [target.task_data, *others]
    found = search(stage, planned, target.info, material) if planned.trial.budget else None
    with stage.span("load"):
        model = open_model(planned.model, cache)
    steps = found.steps if found else planned.trial.steps
    system = adapt(stage, System(model, target.task_data.task), steps, material)
    rows = _ask(stage, system, target.test, "target")
    serving, served_alike = serve(stage, system, target.test, rows, planned)
    for probe in probes:
        rows += _ask(stage, System(system.model, probe.task_data.task), probe.test, "probe")
    planted = [
        one for one in target.canaries if one.info.kind != "multiple_choice" or isinstance(system.model, ScoresChoices)
    ]
    for canary in planted:
        rows += _ask(stage, canaries.asking(system, canary.task_data.task), canary.test, "probe")
    if planned.seen_items:  # the first ones of a shuffled split; last, so that nothing that is compared waits for it
        own = [one for one in target.task_data.train if not one.query.id.startswith("canary-")]
        again = own[: min(planned.seen_items, len(target.test))]
        rows += _ask(stage, system, again, "train")
    checked = self_tests.check(stage, system, target, rows, planned.check_items)
    rows += checked.rows
    with stage.span("score"):
        scores = {name: value for one in (target, *probes, *planted) for name, value in _scores(one, rows).items()}
    record = Completed(
        trial=planned.trial,
        started_at=started_at,
        suite_version=suite.version,
        suite_hash=suite.hash,
        model=model.info,
        tasks=(*(one.info for one in (target, *probes, *planted)), *checked.tasks),
        spans=stage.spans,
        scores=scores,
        adapted_bytes=stage.adapted_bytes,
        trained_parameters=stage.trained_parameters,
        curves=tuple(stage.curves),
        search=found,
        forecast=planned.forecast,
        serving=serving,
        held=stage.held,
        checks=(*served_alike, *checked.checks),
        environment=environment(energy_source=stage.meter.energy_source),
    )
    return record, rows


def _ask(stage: Recorder, system: System, examples: Sequence[Example], role: Role) -> list[Row]:
    """Ask items of a task, measured as the phase of their role."""
    phase = PHASES[role]
    with stage.span(phase):
        predictions = answering.ask(system, [example.query for example in examples], stage.reporter(phase))
        stage.meter.tokens(**prediction_rows.tokens_of(predictions))
        stage.meter.passes(**prediction_rows.passes_of(predictions))
    return prediction_rows.rows_of(system.task, examples, predictions, role)


def _scores(prepared: PreparedTask, rows: Sequence[Row]) -> dict[str, float]:
    """Return the value of each metric of a task by ``task/metric``; one that is undefined here is left out."""
    name = prepared.info.name
    own = [row for row in rows if row.task == name and row.role in ("target", "probe")]
    items = Items.from_rows(own, prepared.info.labels)
    k = max((len(row.passages) for row in own), default=0)
    retrieval = [f"recall@{k}", "mrr"] if k and any(row.evidence for row in own) else []
    retrieval += ["cited"] if k and prepared.info.kind in get("cited").kinds else []
    values = {metric: get(metric).value(items) for metric in dict.fromkeys([*prepared.info.metrics, *retrieval])}
    return {f"{name}/{metric}": value for metric, value in values.items() if value is not None}
