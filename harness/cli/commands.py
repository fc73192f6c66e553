"""Work of the commands between flags and output: plan, fetch models, run, repeat, inspect data, compare drift."""

from __future__ import annotations

import shutil
from collections.abc import Generator, Sequence
from contextlib import contextmanager, redirect_stderr
from dataclasses import dataclass, replace
from io import StringIO
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Literal

from rich.console import Console

from harness.cli.endpoint_runs import EndpointOptions, delete_ledger, forget_answers, with_endpoints
from harness.compare.cost.prices import load_prices
from harness.compare.drift import fresh_scores
from harness.compare.drift.data_shift import Drift, ShiftSource, shifts_of, texts_of
from harness.compare.release.pairing import MeasuredTrial, read_measured
from harness.compare.release.repeats import RepeatSummary, summarise_repeats
from harness.compare.release.run_noise import read_noise, write_noise
from harness.data import cache
from harness.data.fresh import parse_split
from harness.data.inspection import DataInspection, TaskInspection, inspect
from harness.data.prepare import PreparedTask, prepare
from harness.data.suite import load_suite
from harness.errors import HarnessError
from harness.execute.local_executor import RunCounts, execute
from harness.forecast.embedder import embedding_notes
from harness.forecast.forecast_run import ForecastOptions, add_forecasts
from harness.measure import energy, gpu
from harness.models import registry
from harness.plan.config import RunConfig
from harness.plan.planner import Plan, TaskPlan, make_plan
from harness.records.planned_trial import PlannedTrial
from harness.records.run_limits import NO_LIMITS, RunLimits
from harness.render.plan.live import busy, download_bar, watch
from harness.store.results_store import Store

EMBEDDER = "minilm"
"""The embedder that `rag` takes unless another is named."""
ForecastChoice = Literal["on", "off", "recalibrated"]
REPEATS = ".repeats"
"""Folder of a results folder with the repeats until all are done; no report reads it."""


@dataclass(frozen=True)
class PlannedRun:
    """A run that can start: its plan, the store that it writes to, and the trials yet to be run."""

    plan: Plan
    store: Store
    pending: Sequence[PlannedTrial]
    forecasts: ForecastChoice = "on"


def plan(config: RunConfig, console: Console, forecasts: ForecastChoice = "on") -> PlannedRun:
    """Plan a run, with a forecast of every trial whose model is on this machine.

    Args:
        config: the run.
        console: shows downloads, and that this machine is measured.
        forecasts: whether they are made; ``recalibrated``: after this machine is measured again.
    """
    with download_bar(console, "data") as progress:
        trials = make_plan(config, progress)
    return _planned_run(_annotated(trials, console, forecasts), store_of(config), forecasts)


def store_of(config: RunConfig) -> Store:
    """Give the store that a run writes to; answers to fresh items have a folder of their own for each file."""
    if not config.split:
        return Store(config.results)
    return Store(parse_split(load_suite(config.suite), config.split, config.tasks).folder(config.results))


def _planned_run(plan: Plan, store: Store, forecasts: ForecastChoice = "on") -> PlannedRun:
    pending = [planned for planned in plan.trials if not planned.skip and not store.is_completed(planned.trial.key)]
    return PlannedRun(plan, store, pending, forecasts)


def _annotated(plan: Plan, console: Console, forecasts: ForecastChoice) -> Plan:
    """Add notes on what embedders read, and forecasts."""
    tasks = tuple(_with_embedding_notes(task, plan) for task in plan.tasks)
    plan = replace(plan, tasks=tasks)
    return plan if forecasts == "off" else _with_forecasts(plan, console, recalibrate=forecasts == "recalibrated")


def _with_forecasts(plan: Plan, console: Console, *, recalibrate: bool = False) -> Plan:
    def warn(text: str) -> None:
        console.print(text, markup=False, highlight=False, soft_wrap=True)

    options = ForecastOptions(cache.root(), lambda activity: busy(console, activity), warn, recalibrate)
    return replace(plan, trials=tuple(add_forecasts(plan.trials, plan.prepared, options)))


def _with_embedding_notes(task: TaskPlan, plan: Plan) -> TaskPlan:
    if task.name not in plan.prepared:
        return task
    trials = (planned for planned in plan.trials if planned.trial.task == task.name and not planned.skip)
    sources = (source for planned in trials for source in planned.sources)
    notes = embedding_notes(sources, plan.prepared[task.name].task_data.corpus, _folder_here)
    return replace(task, warnings=(*task.warnings, *notes))


def _folder_here(reference: str) -> Path | None:
    return registry.present(reference, cache.root())


def run(  # noqa: PLR0913 - one for each option of a run
    planned: PlannedRun,
    console: Console,
    *,
    share_gpu: bool = False,
    limits: RunLimits = NO_LIMITS,
    skip_interrupted: bool = False,
    cache_folder: Path | None = None,
    endpoints: EndpointOptions | None = None,
) -> RunCounts:
    """Run a plan and return how many trials ended how.

    Args:
        planned: the run.
        console: shows the progress.
        share_gpu: run though other processes hold memory of the GPU.
        limits: of each trial and of the run.
        skip_interrupted: leave out the trial that was running when an earlier run died.
        cache_folder: has the artifacts of earlier trials; None: the usual one.
        endpoints: money of models that are asked over HTTP; None: the table's prices and the usual limit.

    Raises:
        HarnessError: a model cannot be had, the GPU is busy, or joules are asked for and cannot be measured.
        KeyboardInterrupt: Ctrl-C; what is finished is stored.
    """
    if any(trial.measurement.energy for trial in planned.pending):
        energy.require_codecarbon()
    if planned.pending and not share_gpu:
        gpu.refuse_busy()
    models = {(trial.model_reference, trial.backend) for trial in planned.pending}
    sources = {source for trial in planned.pending for source in trial.sources}
    models |= {(source, registry.identify(source, "embedder").backend) for source in sources}
    for reference, backend in sorted(models):
        _fetch(reference, console, backend)
    absent = any(trial.forecast is None for trial in planned.pending)  # their models were not here when it was planned
    if absent and planned.forecasts != "off":
        planned = _planned_run(_with_forecasts(planned.plan, console), planned.store)
    endpoints = endpoints or EndpointOptions(load_prices())
    trials = with_endpoints(planned.plan.trials, endpoints, planned.store.root)
    if endpoints.fresh:
        forget_answers(trials)
    try:
        with watch(console, planned.pending) as observe:
            return execute(
                trials,
                planned.store,
                cache=cache_folder or cache.root(),
                observe=observe,
                limits=limits,
                skip_interrupted=skip_interrupted,
            )
    finally:
        delete_ledger(trials)


def repeat(config: RunConfig, times: int, console: Console) -> tuple[RepeatSummary, Path]:
    """Run the same trials several times, each from scratch, and keep how far their figures differ.

    Finished runs are kept until all are done, so that the same command goes on after an interruption.

    Returns:
        The summary of the repeats, and the file with their noise.

    Raises:
        HarnessError: fewer than two repeats, a trial failed, or anything that `run` raises.
    """
    if times < 2:
        raise HarnessError(f"--times {times}: at least two runs are needed to see how far they differ.")
    plan_once = plan(config, console).plan
    root = config.results / REPEATS
    runs: list[list[MeasuredTrial]] = []
    for number in range(1, times + 1):
        store = Store(root / str(number))
        console.print(f"run {number} of {times}", style="dim")
        with _cache_without_artifacts() as folder:
            planned = _planned_run(plan_once, store)
            failed = run(planned, console, share_gpu=config.share_gpu, cache_folder=folder).failed
        if failed:
            raise HarnessError(
                f"{failed} trials of run {number} failed: 'harness report --results {store.root}' says why."
            )
        runs.append(read_measured(store.load(plan_once.suite)))
    summary = summarise_repeats(plan_once.suite, runs, read_noise(config.results))
    path = write_noise(config.results, summary.noise)
    shutil.rmtree(root)
    return summary, path


@contextmanager
def _cache_without_artifacts() -> Generator[Path]:
    """Give a cache with the converted models of the usual one and no artifact of a trial."""
    with TemporaryDirectory(dir=cache.folder(), prefix=".repeat-") as name:
        (Path(name) / "converted").symlink_to(cache.folder("converted"))
        yield Path(name)


def inspect_data(
    suite_name: str, tasks: Sequence[str], model: str, console: Console, *, strict: bool = False
) -> DataInspection:
    """Inspect a suite's data as a model would be sent them; only its tokenizer is loaded.

    Args:
        suite_name: or the path of its folder.
        tasks: names; empty: all.
        model: whose tokens are counted.
        console: shows downloads.
        strict: whether one row that cannot be used is an error.

    Raises:
        HarnessError: the suite, a task or the model is unknown, or the data are wrong.
    """
    suite = load_suite(suite_name)
    suite = suite.strict if strict else suite
    names = [suite.task(name).name for name in tasks] or [task.name for task in suite.tasks]
    with download_bar(console, "data") as progress:
        prepared = [prepare(suite, name, progress=progress) for name in names]
    with download_bar(console, model) as progress:
        folder = registry.fetch(registry.identify(model).reference, progress)
    from harness.models import tokenizer

    if folder is None:
        raise HarnessError(f"{model!r} has no tokenizer on this machine: name a model that has one.")
    tokens = tokenizer.open_tokenizer(folder, model, cache.root())
    return DataInspection(
        suite=suite.name,
        version=suite.version,
        model=model,
        window=tokens.context_tokens,
        tasks=tuple(_with_embedder(inspect(task, tokens, repr(model)), task) for task in prepared),
    )


def _with_embedder(inspection: TaskInspection, task: PreparedTask) -> TaskInspection:
    notes = embedding_notes([EMBEDDER], task.task_data.corpus, _folder_here)
    return inspection.model_copy(update={"notes": (*inspection.notes, *notes)})


def drift(config: RunConfig, embedder: str, console: Console) -> Drift:
    """Compare fresh items with the test split: the inputs, and the scores of strategies that answered both.

    Args:
        config: suite, split, tasks, limits and results.
        embedder: of the inputs: a pinned name, a folder or a hub id.
        console: shows downloads.

    Raises:
        HarnessError: the suite, the task, the file or the embedder is wrong, or there are too few items.
    """
    from harness.retrieval import dense

    suite = load_suite(config.suite)
    fresh = parse_split(suite, config.split or "", config.tasks)
    limits = {name: size for name, size in config.limits.model_dump().items() if size is not None}
    with download_bar(console, "data") as progress:
        test_task = prepare(suite, fresh.task, limits=limits, progress=progress)
    fresh_task = prepare(suite, fresh.task, limits=limits, fresh=fresh.file)
    embedder_folder = _fetch(embedder, console)
    with busy(console, "embedding what is asked"), redirect_stderr(StringIO()):  # what libraries say as they load
        model = dense.open_embedder(Path(str(embedder_folder)))
        vectors = dense.embed(model, [*texts_of(test_task), *texts_of(fresh_task)], "query")
    shift = shifts_of(ShiftSource(suite.name, fresh.label, embedder), test_task, fresh_task, vectors)
    test_store, fresh_store = Store(config.results), Store(fresh.folder(config.results))
    test_trials = fresh_scores.TaskTrials(test_task, test_store.load(suite.name))
    fresh_trials = fresh_scores.TaskTrials(fresh_task, fresh_store.load(suite.name))
    quality, notes = fresh_scores.quality_of(test_trials, fresh_trials)
    flags = {"--split": f"fresh={fresh.file}", "--results": str(config.results)}
    flags |= {"--limit": ",".join(f"{name}={size}" for name, size in limits.items())} if limits else {}
    commands = fresh_scores.commands_for(config.suite, fresh.task, (test_trials, fresh_trials), flags)
    notes = (*shift.notes, *notes, *test_store.problems, *fresh_store.problems)
    return shift.model_copy(update={"quality": quality, "commands": commands, "notes": notes})


def _fetch(reference: str, console: Console, backend: str = "local") -> Path | None:
    """Fetch a model and make it ready to load, which no trial measures; return its folder, if it has one."""
    with download_bar(console, reference) as progress:
        folder = registry.fetch(reference, progress, by=backend)
    registry.prepare(reference, cache.root(), lambda activity: busy(console, activity), by=backend)
    return folder
