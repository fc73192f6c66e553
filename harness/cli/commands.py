"""What commands do between their flags and what they print: plan, fetch what is not here yet, run, look at data."""

from __future__ import annotations

import shutil
from collections.abc import Generator, Sequence
from contextlib import contextmanager, redirect_stderr
from dataclasses import replace
from io import StringIO
from pathlib import Path
from tempfile import TemporaryDirectory

from rich.console import Console

from harness.compare.drift import fresh_scores
from harness.compare.drift.data_shift import Drift, ShiftSource, shifts_of, texts_of
from harness.compare.release.pairing import MeasuredTrial, measured
from harness.compare.release.repeats import RepeatSummary, repeated
from harness.compare.release.run_noise import read_noise, write_noise
from harness.data import cache
from harness.data.fresh import choose
from harness.data.inspection import DataInspection, inspect
from harness.data.prepare import prepare
from harness.data.suite import load_suite
from harness.errors import HarnessError
from harness.execute.local_executor import execute
from harness.forecast.forecast_run import ForecastMachine, forecasted
from harness.measure import energy, gpu
from harness.models import registry, tokenizer
from harness.plan.config import RunConfig
from harness.plan.planner import Plan, make_plan
from harness.records.planned_trial import PlannedTrial
from harness.render.plan.live import busy, download_bar, watch
from harness.retrieval import dense
from harness.store.results_store import Store

REPEATS = ".repeats"
"""Folder of a results folder in which repeats lie until all are done; no report sees it."""


def plan(config: RunConfig, console: Console, *, recalibrate: bool = False) -> tuple[Plan, Store, list[PlannedTrial]]:
    """Plan a run; return the plan with what is forecast, the store, and the trials that have yet to be run.

    Args:
        config: what to run.
        console: shows downloads, and that this machine is measured.
        recalibrate: whether it is measured even where it was before.
    """
    with download_bar(console, "data") as told:
        made = make_plan(config, told)
    store = store_of(config)
    made = _with_forecasts(made, console, again=recalibrate)
    return made, store, _waiting(made, store)


def store_of(config: RunConfig) -> Store:
    """Give the store that a run writes to: what was asked of fresh items has a folder of its own for each file."""
    if not config.split:
        return Store(config.results)
    return Store(choose(load_suite(config.suite), config.split, config.tasks).folder(config.results))


def _waiting(made: Plan, store: Store) -> list[PlannedTrial]:
    return [one for one in made.trials if not one.skip and not store.completed(one.trial.key)]


def _note(console: Console, text: str) -> None:
    console.print(text, markup=False, highlight=False, soft_wrap=True)


def _with_forecasts(made: Plan, console: Console, *, again: bool = False) -> Plan:
    """Return a plan with forecasts of every trial whose model is here."""
    here = ForecastMachine(cache.root(), lambda what: busy(console, what), lambda text: _note(console, text), again)
    return replace(made, trials=tuple(forecasted(made.trials, made.prepared, here)))


def run(  # noqa: PLR0913 - what to run, where it goes, and two ways of doing it
    planned: Plan,
    store: Store,
    waiting: Sequence[PlannedTrial],
    console: Console,
    *,
    share_gpu: bool = False,
    kept: Path | None = None,
) -> int:
    """Run a plan and return how many trials failed.

    Args:
        planned: what to run.
        store: where records go.
        waiting: the trials that have yet to be run.
        console: shows the progress.
        share_gpu: whether to run though others hold memory of the GPU.
        kept: cache with what earlier trials have made; None: the usual one.

    Raises:
        HarnessError: a model cannot be had, the GPU is busy, or joules are asked for and cannot be measured.
        KeyboardInterrupt: Ctrl-C; what is finished is stored.
    """
    if any(one.measurement.energy for one in waiting):
        energy.require()
    if waiting and not share_gpu:
        gpu.refuse_busy()
    models = {(trial.model_reference, trial.backend) for trial in waiting}
    for reference, backend in sorted(models | {(source, "local") for trial in waiting for source in trial.sources}):
        _fetch(reference, console, backend)
    if any(one.forecast is None for one in waiting):  # their models were not here when the plan was made
        planned = _with_forecasts(planned, console)
        waiting = _waiting(planned, store)
    with watch(console, waiting) as observe:
        return execute(planned.trials, store, cache=kept or cache.root(), observe=observe).failed


def repeat(config: RunConfig, times: int, console: Console) -> tuple[RepeatSummary, Path]:
    """Run the same trials several times, each from scratch, and keep how far their figures differ.

    What is finished is kept until all is done, so that the same command goes on after an interruption.

    Returns:
        What the repeats have shown, and the file that their noise is in.

    Raises:
        HarnessError: fewer than two repeats, a trial failed, or anything that `run` raises.
    """
    if times < 2:
        raise HarnessError(f"--times {times}: at least two runs are needed to see how far they differ.")
    made, _, _ = plan(config, console)
    root = config.results / REPEATS
    runs: list[list[MeasuredTrial]] = []
    for number in range(1, times + 1):
        store = Store(root / str(number))
        console.print(f"run {number} of {times}", style="dim")
        with _nothing_kept() as fresh:
            failed = run(made, store, _waiting(made, store), console, share_gpu=config.share_gpu, kept=fresh)
        if failed:
            raise HarnessError(
                f"{failed} trials of run {number} failed: 'harness report --results {store.root}' says why."
            )
        runs.append(measured(store.load(made.suite)))
    found = repeated(made.suite, runs, read_noise(config.results))
    path = write_noise(config.results, found.noise)
    shutil.rmtree(root)
    return found, path


@contextmanager
def _nothing_kept() -> Generator[Path]:
    """Give a cache with the converted models of the usual one, and with nothing that a trial has made."""
    with TemporaryDirectory(dir=cache.folder(), prefix=".repeat-") as name:
        for part in ("converted", "hashes"):
            (Path(name) / part).symlink_to(cache.folder(part))
        yield Path(name)


def inspect_data(suite_name: str, tasks: Sequence[str], model: str, console: Console) -> DataInspection:
    """Look at a suite's data as a model would be sent them; only its tokenizer is loaded.

    Args:
        suite_name: or the path of its folder.
        tasks: names; empty: all.
        model: whose tokens are counted.
        console: shows downloads.

    Raises:
        HarnessError: the suite, a task or the model is unknown, or the data are wrong.
    """
    suite = load_suite(suite_name)
    wanted = [suite.task(name).name for name in tasks] or [task.name for task in suite.tasks]
    with download_bar(console, "data") as told:
        prepared = [prepare(suite, name, progress=told) for name in wanted]
    with download_bar(console, model) as progress:
        folder = registry.fetch(registry.identify(model).reference, progress)
    if folder is None:
        raise HarnessError(f"{model!r} has no tokenizer on this machine: name a model that has one.")
    tokens = tokenizer.open_tokenizer(folder, model, cache.root())
    return DataInspection(
        suite=suite.name,
        version=suite.version,
        model=model,
        window=tokens.window,
        tasks=tuple(inspect(one, tokens) for one in prepared),
    )


def drift(config: RunConfig, embedder: str, console: Console) -> Drift:
    """Compare fresh items with the test split: what is asked, and how strategies do that have answered both.

    Args:
        config: suite, split, tasks, limits and results.
        embedder: of what is asked: a pinned name, a folder or a hub id.
        console: shows downloads.

    Raises:
        HarnessError: the suite, the task, the file or the embedder is wrong, or there are too few items.
    """
    suite = load_suite(config.suite)
    fresh = choose(suite, config.split or "", config.tasks)
    limits = {name: size for name, size in config.limits.model_dump().items() if size is not None}
    with download_bar(console, "data") as progress:
        before = prepare(suite, fresh.task, limits=limits, progress=progress)
    after = prepare(suite, fresh.task, limits=limits, fresh=fresh.file)
    embedder_folder = _fetch(embedder, console)
    with busy(console, "embedding what is asked"), redirect_stderr(StringIO()):  # what libraries say as they load
        model = dense.open_embedder(Path(str(embedder_folder)))
        vectors = dense.embed(model, [*texts_of(before), *texts_of(after)])
    own, apart = Store(config.results), Store(fresh.folder(config.results))
    sides = (
        fresh_scores.TaskTrials(before, own.load(suite.name)),
        fresh_scores.TaskTrials(after, apart.load(suite.name)),
    )
    told = ShiftSource(suite.name, fresh.label, embedder)
    found = shifts_of(told, before, after, vectors)
    quality, notes = fresh_scores.quality_of(*sides)
    flags = {"--split": f"fresh={fresh.file}", "--results": str(config.results)}
    flags |= {"--limit": ",".join(f"{name}={size}" for name, size in limits.items())} if limits else {}
    missing = fresh_scores.commands_for(config.suite, fresh.task, sides, flags)
    notes = (*found.notes, *notes, *own.problems, *apart.problems)
    return found.model_copy(update={"quality": quality, "commands": missing, "notes": notes})


def _fetch(reference: str, console: Console, backend: str = "local") -> Path | None:
    """Fetch a model and make it ready to load, which no trial measures; return its folder, if it has one."""
    with download_bar(console, reference) as progress:
        folder = registry.fetch(reference, progress, by=backend)
    registry.prepare(reference, cache.root(), lambda text: busy(console, text), by=backend)
    return folder
