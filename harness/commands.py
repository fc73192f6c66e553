"""What ``harness run`` does between its flags and its report: plan, fetch what is not here yet, run."""

from __future__ import annotations

from collections.abc import Sequence

from rich.console import Console

from harness.config import RunConfig
from harness.data import cache
from harness.data.locate import locate
from harness.execute.local import execute
from harness.models import converted
from harness.plan import Plan, make_plan
from harness.planned import Planned
from harness.render.live import busy, download_bar, watch
from harness.store import Store


def plan(config: RunConfig, console: Console) -> tuple[Plan, Store, list[Planned]]:
    """Plan a run; return the plan, the store, and the trials that have yet to be run."""
    with download_bar(console, "data") as told:
        made = make_plan(config, told)
    store = Store(config.results)
    return made, store, [one for one in made.trials if not one.skip and not store.completed(one.trial.key)]


def run(planned: Plan, store: Store, waiting: Sequence[Planned], console: Console) -> int:
    """Run a plan and return how many trials failed.

    Raises:
        HarnessError: a model cannot be had.
        KeyboardInterrupt: Ctrl-C; what is finished is stored.
    """
    for name in dict.fromkeys(name for one in waiting for name in (one.model, *one.sources)):
        _bring(name, console)
    with watch(console, waiting) as observe:
        return execute(planned.trials, store, cache=cache.root(), observe=observe).failed


def _bring(name: str, console: Console) -> None:
    """Fetch a model and make it ready to load: a trial measures neither."""
    with download_bar(console, name) as told:
        path = locate(name, told).path
    if not converted.is_ready(path, cache.root()):
        with busy(console, f"converting {name} (once)"):
            converted.convert_apart(path, cache.root())
