"""What commands do between their flags and what they print: plan, fetch what is not here yet, run, look at data."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from rich.console import Console

from harness import models
from harness.config import RunConfig
from harness.data import cache
from harness.data.inspection import DataInspection, inspect
from harness.data.locate import locate
from harness.data.prepare import prepare
from harness.data.suite import load_suite
from harness.execute.local import execute
from harness.forecast.run import Here, forecasted
from harness.measure import energy, gpu
from harness.models import converted
from harness.plan import Plan, make_plan
from harness.planned import Planned
from harness.render.live import busy, download_bar, watch
from harness.store import Store


def plan(config: RunConfig, console: Console, *, recalibrate: bool = False) -> tuple[Plan, Store, list[Planned]]:
    """Plan a run; return the plan with what is forecast, the store, and the trials that have yet to be run.

    Args:
        config: what to run.
        console: shows downloads, and that this machine is measured.
        recalibrate: whether it is measured even where it was before.
    """
    with download_bar(console, "data") as told:
        made = make_plan(config, told)
    store = Store(config.results)
    made = _with_forecasts(made, console, again=recalibrate)
    return made, store, _waiting(made, store)


def _waiting(made: Plan, store: Store) -> list[Planned]:
    return [one for one in made.trials if not one.skip and not store.completed(one.trial.key)]


def _note(console: Console, text: str) -> None:
    console.print(text, markup=False, highlight=False, soft_wrap=True)


def _with_forecasts(made: Plan, console: Console, *, again: bool = False) -> Plan:
    """Return a plan with forecasts of every trial whose model is here."""
    here = Here(cache.root(), lambda what: busy(console, what), lambda text: _note(console, text), again)
    return replace(made, trials=tuple(forecasted(made.trials, made.prepared, here)))


def run(planned: Plan, store: Store, waiting: Sequence[Planned], console: Console, *, share_gpu: bool = False) -> int:
    """Run a plan and return how many trials failed.

    Args:
        planned: what to run.
        store: where records go.
        waiting: the trials that have yet to be run.
        console: shows the progress.
        share_gpu: whether to run though others hold memory of the GPU.

    Raises:
        HarnessError: a model cannot be had, the GPU is busy, or joules are asked for and cannot be measured.
        KeyboardInterrupt: Ctrl-C; what is finished is stored.
    """
    if any(one.energy for one in waiting):
        energy.require()
    if waiting and not share_gpu:
        gpu.refuse_busy()
    for name in dict.fromkeys(name for one in waiting for name in (one.model, *one.sources)):
        _bring(name, console)
    if any(one.forecast is None for one in waiting):  # their models were not here when the plan was made
        planned = _with_forecasts(planned, console)
        waiting = _waiting(planned, store)
    with watch(console, waiting) as observe:
        return execute(planned.trials, store, cache=cache.root(), observe=observe).failed


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
        prepared = [prepare(suite, name, report=told) for name in wanted]
    with download_bar(console, model) as told:
        folder = locate(model, told).path
    tokens = models.tokenizer.open_tokenizer(folder, model, cache.root())
    return DataInspection(
        suite=suite.name,
        version=suite.version,
        model=model,
        window=tokens.window,
        tasks=tuple(inspect(one, tokens) for one in prepared),
    )


def _bring(name: str, console: Console) -> None:
    """Fetch a model and make it ready to load: a trial measures neither."""
    with download_bar(console, name) as told:
        path = locate(name, told).path
    if not converted.is_ready(path, cache.root()):
        with busy(console, f"converting {name} (once)"):
            converted.convert_apart(path, cache.root())
