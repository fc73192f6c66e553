"""Run one trial: prepare, adapt, predict, score, record. No strategy and no format is known by name."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from functools import cache as remembered
from functools import partial
from importlib import import_module
from pathlib import Path

from harness.api import AnswersQueries, Example, Model, System, TaskData
from harness.data import canaries
from harness.data.prepare import PreparedTask, prepare
from harness.data.suite import Suite, load_suite
from harness.endpoints.endpoint_notes import endpoint_notes
from harness.endpoints.session import begin as begin_session
from harness.errors import HarnessError
from harness.measure.environment import current_environment
from harness.measure.meter import Meter
from harness.metrics import Items, get
from harness.metrics.metric import CHOICE_KINDS
from harness.models import registry
from harness.plan.discover import find_step
from harness.predict import answering, label_calibration, prediction_rows
from harness.records.measurements import Phase
from harness.records.planned_trial import MANY_LABELS, PlannedTrial
from harness.records.record import PROTOCOL_VERSION, Completed, Role, Row, TaskInfo
from harness.trial import prompt_form, self_tests
from harness.trial.ablations import retrieved_passages
from harness.trial.adaptation import adapt, seed_everything
from harness.trial.hyperparameter_search import search
from harness.trial.open_planned import open_planned, pass_sizes
from harness.trial.recorder import Emit, Recorder
from harness.trial.serving import serve
from harness.trial.warm_prefix import keep_prefix
from harness.trial.window_fit import note_unanswered

PHASES: dict[Role, Phase] = {"target": "predict", "probe": "probe", "train": "seen"}
"""The phase in which items are asked, by their role."""


def run_trial(planned: PlannedTrial, *, cache: Path, emit: Emit) -> tuple[Completed, list[Row]]:
    """Run one trial in this process.

    Args:
        planned: the trial.
        cache: for converted models and for artifacts.
        emit: called with progress events: ``phase``, and as known ``step``, ``done`` and ``total``.

    Raises:
        HarnessError: something that the user can put right.
    """
    started_at = datetime.now(UTC).isoformat(timespec="seconds")
    if registry.backend(planned.backend).computes_here or planned.sources:
        import_module("torch")  # so that it is seeded before anything is computed
    begin_session(planned.endpoints, planned.trial.key)
    suite = load_suite(planned.suite_folder)
    prepared = _prepare(suite, planned)
    target, probes = prepared[planned.trial.task], [prepared[name] for name in planned.probes]
    seed_everything(planned.trial.seed)
    measurement = planned.measurement
    recorder = Recorder(cache, emit, planned.trial.seed, meter=Meter(energy=measurement.energy))
    train_tasks = [task.task_data for task in prepared.values() if task.info.role == "target" and task is not target]
    material = [target.task_data, *train_tasks]
    _check_model(planned, cache)
    target, material, model = _choose_form(recorder, planned, target, material)
    if planned.trial.budget:
        model = None  # each candidate of the search opens its own
    hyperparameters = search(recorder, planned, target, material) if planned.trial.budget else None
    model = model or _open(recorder, planned)
    steps = hyperparameters.steps if hyperparameters else planned.trial.steps
    system = adapt(recorder, System(model, target.task_data.task), steps, material, target.test)
    system, target = _calibrate(recorder, keep_prefix(recorder, system), target)
    system = system.replace(best_only=len(target.info.labels) >= MANY_LABELS and not measurement.all_scores)
    rows = _ask(recorder, system, target.test, "target")
    note_unanswered(recorder, rows, suite.config.max_bad_rows)
    serving, batch_checks = serve(recorder, system, target.test if _is_measured(system) else (), rows, planned)
    for probe in probes:
        answers = _ask(recorder, System(system.model, probe.task_data.task), probe.test, "probe")
        note_unanswered(recorder, answers, suite.config.max_bad_rows)
        rows += answers
    secrets = [probe for probe in target.canaries if _answerable(probe, system)]
    for probe in secrets:
        rows += _ask(recorder, canaries.probe_system(system, probe.task_data.task), probe.test, "probe")
    if measurement.seen_items:  # of a shuffled split; last, so that nothing that is compared waits for it
        learned = (system.material or target.task_data).train
        examples = [example for example in learned if example.query.id not in target.planted_ids]
        rows += _ask(recorder, system, examples[: min(measurement.seen_items, len(target.test))], "train")
    tests = self_tests.check(recorder, system, target, rows, measurement.check_items)
    rows += tests.rows
    scored_tasks = (target, *probes, *secrets)
    with recorder.span("score"):
        k = retrieved_passages(system, target) or _told_passages(system, rows)
        depths = [(target, k), *((probe, 0) for probe in probes), *((secret, k) for secret in secrets)]
        scores = {name: value for task, depth in depths for name, value in _scores(task, rows, depth).items()}
    record = Completed(
        protocol=PROTOCOL_VERSION,
        trial=planned.trial,
        started_at=started_at,
        suite_version=suite.version,
        suite_hash=suite.hash,
        model=system.model.info,
        tasks=(*(_with_reading(task.info, rows) for task in scored_tasks), *tests.tasks),
        spans=recorder.spans if _is_measured(system) else (),
        scores=scores,
        adapted_bytes=recorder.adapted_bytes,
        trained_parameters=recorder.trained_parameters,
        curves=tuple(recorder.curves),
        trainings=tuple(recorder.trainings),
        search=hyperparameters,
        forecast=planned.forecast,
        serving=serving,
        held=recorder.held,
        synthetic=recorder.synthetic,
        corpus=tuple(recorder.corpus),
        checks=(*batch_checks, *tests.checks),
        notes=(*recorder.notes, *endpoint_notes(system.model.info.endpoint)),
        environment=current_environment(energy_source=recorder.meter.energy_source),
        pass_sizes=pass_sizes(system.model),
    )
    return record, rows


def _open(recorder: Recorder, planned: PlannedTrial) -> Model:
    with recorder.span("load"):
        return open_planned(planned, recorder.cache)


def _choose_form(
    recorder: Recorder, planned: PlannedTrial, target: PreparedTask, material: Sequence[TaskData]
) -> tuple[PreparedTask, Sequence[TaskData], Model | None]:
    """Choose the form of each task that leaves it open; the model comes back if it was opened for that."""
    if not all(find_step(str(step["step"])).asks_model for step in planned.trial.steps):
        return target, material, None
    identity = planned.model_identity or planned.model_reference
    open_once = remembered(partial(_open, recorder, planned))
    material, choice = prompt_form.choose(recorder, material, identity, open_once)
    info = target.info.model_copy(update={"form": choice})
    model = open_once() if open_once.cache_info().currsize else None
    return replace(target, task_data=material[0], info=info), material, model


def _prepare(suite: Suite, planned: PlannedTrial) -> Mapping[str, PreparedTask]:
    """Read every task of the trial, and check its data against the hash that it was planned with.

    Raises:
        HarnessError: a file changed in between.
    """
    fresh = Path(planned.fresh_file) if planned.fresh_file else None
    target = planned.trial.task
    prepared = {
        name: prepare(
            suite, name, limits=planned.limits, fresh=fresh if name == target else None, draw=planned.trial.seed
        )
        for name in (target, *planned.probes, *planned.train_tasks)
    }
    for name, task in prepared.items():
        if planned.data_hashes.get(name, task.info.data_hash) != task.info.data_hash:
            raise HarnessError(
                f"the data of task {name!r} of {suite.file} changed after this trial was planned: run again."
            )
    if not planned.trial.answers:
        return prepared
    return {name: task if name in planned.probes else _written(task) for name, task in prepared.items()}


def _written(task: PreparedTask) -> PreparedTask:
    """Return a task whose choices are written; one without choices as it is."""
    if task.info.kind not in CHOICE_KINDS:
        return task
    definition = replace(task.task_data.task, written=True)
    return replace(task, task_data=replace(task.task_data, task=definition))


def _check_model(planned: PlannedTrial, cache: Path) -> None:
    """Make the model ready to load and hash its files, before anything is measured.

    Raises:
        HarnessError: it is no longer the one that the trial was planned with.
    """
    registry.prepare(planned.model_reference, cache, by=planned.backend)
    identity = registry.identity(planned.model_reference, by=planned.backend)
    if identity and planned.model_identity and identity != planned.model_identity:
        raise HarnessError(f"the model {planned.trial.model!r} changed after this trial was planned: run again.")


def _calibrate(recorder: Recorder, system: System, target: PreparedTask) -> tuple[System, PreparedTask]:
    """Measure how a finished system's label scores are to be read; a probe's are raw, before and after tuning."""
    if target.info.role != "target" or not label_calibration.scores_labels(system):
        return system, target
    with recorder.span("calibrate"):
        system, calibration, asked = label_calibration.calibrate(
            system, target.task_data, recorder.reporter("calibrate")
        )
        recorder.meter.count_tokens(**prediction_rows.count_tokens(asked))
        recorder.meter.set_timing(**prediction_rows.sum_timing(asked))
    return system, replace(target, info=target.info.model_copy(update={"calibration": calibration}))


def _answerable(canary: PreparedTask, system: System) -> bool:
    scored = canaries.probe_system(system, canary.task_data.task)
    return canary.info.kind != "multiple_choice" or answering.scorer_of(scored) is not None


def _ask(recorder: Recorder, system: System, examples: Sequence[Example], role: Role) -> list[Row]:
    """Ask items of a task, measured as the phase of their role."""
    phase = PHASES[role]
    with recorder.span(phase):
        queries = [example.query for example in examples]
        predictions = answering.predict(system, queries, recorder.reporter(phase))
        recorder.meter.count_tokens(**prediction_rows.count_tokens(predictions))
        recorder.meter.set_timing(**prediction_rows.sum_timing(predictions))
    return prediction_rows.build_rows(system.task, examples, predictions, role)


def _with_reading(task: TaskInfo, rows: Sequence[Row]) -> TaskInfo:
    """Say how the answers of a task were had; of several ways, the commonest."""
    readings = Counter(row.reading for row in rows if row.task == task.name and row.role != "control")
    return task.model_copy(update={"reading": readings.most_common(1)[0][0]}) if readings else task


def _is_measured(system: System) -> bool:
    """Tell whether seconds are the system's: answers that were made elsewhere took others, which nobody knows."""
    return not isinstance(system.model, AnswersQueries) or system.model.measured


def _told_passages(system: System, rows: Sequence[Row]) -> int:
    """Return the most passages that a system elsewhere named for a question of its task."""
    if not isinstance(system.model, AnswersQueries):
        return 0
    return max((len(row.passages) for row in rows if row.role == "target"), default=0)


def _scores(task: PreparedTask, rows: Sequence[Row], k: int) -> dict[str, float]:
    """Return the value of each metric of a task by ``task/metric``; one that is undefined here is left out.

    Args:
        task: that was answered.
        rows: of all tasks.
        k: passages that a query of this task gets at most, 0 without a retriever.
    """
    name = task.info.name
    task_rows = [row for row in rows if row.task == name and row.role in ("target", "probe")]
    items = Items.from_rows(task_rows, task.info.labels)
    retrieval = [f"recall@{k}", "mrr"] if k and any(row.evidence for row in task_rows) else []
    retrieval += ["cited"] if k and task.info.kind in get("cited").kinds else []
    values = {metric: get(metric).value(items) for metric in dict.fromkeys([*task.info.metrics, *retrieval])}
    return {f"{name}/{metric}": value for metric, value in values.items() if value is not None}
