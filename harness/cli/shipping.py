"""Commands that export from the store: a system as files that other libraries load, results as tables."""

from __future__ import annotations

import os
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from harness.cli.application import command
from harness.cli.common import Results, echo, open_store, progress_console, repeatable
from harness.errors import HarnessError
from harness.records.home_path import without_home

if TYPE_CHECKING:
    from harness.store.results_store import StoredTrial


@command("Deploy and export")
def deploy(  # noqa: PLR0913 - one for each flag
    run: Annotated[
        str | None, typer.Argument(metavar="RUN", help="Suite, folder of a record, or beginning of a trial's key.")
    ] = None,
    *,
    to: Annotated[Path, typer.Option("--to", metavar="DIR", help="New folder for the files.")],
    strategy: Annotated[list[str] | None, repeatable("--strategy", "TEXT", "Strategy, as the report names it")] = None,
    task: Annotated[str | None, typer.Option("--task", metavar="NAME", help="Only this task.")] = None,
    model: Annotated[list[str] | None, repeatable("--model", "NAME", "Only this model")] = None,
    seed: Annotated[int | None, typer.Option("--seed", metavar="S", help="Seed [default: the first].")] = None,
    suite: Annotated[str | None, typer.Option("--suite", metavar="PATH", help="Folder of your own suite.")] = None,
    adapter: Annotated[
        bool, typer.Option("--adapter", help="Write the adapter alone instead of merged weights.")
    ] = False,
    results: Results = None,
) -> None:
    """Export a measured system as files.

    Writes weights or adapter, prompt, index, samples and model card, and checks them against stored answers.
    """
    from harness.compare.prose.numbers import metric_title, score
    from harness.compare.report.comparison import compare
    from harness.compare.trials.stored_trials import read_trials
    from harness.data import cache
    from harness.deploy.write_system import deploy as write
    from harness.records.record import Completed
    from harness.render.plan.live import busy
    from harness.store.trial_lookup import find_trials

    trials = find_trials(open_store(results), run, without_home(strategy or ()), without_home(model or ()))
    stored = _single_trial(trials, task, seed)
    record = stored.record
    assert isinstance(record, Completed)  # noqa: S101 - only finished trials are chosen
    (table,) = (task for suite in compare(read_trials([stored])).suites for task in suite.tasks)
    scores = [f"{metric_title(name)} {score(value)}, {value.n} items" for name, value in table.rows[0].scores.items()]
    with busy(progress_console(), f"writing {record.trial.label}"), _libraries_silent():
        files = write(record, stored.rows(), to, cache.root(), suite=suite, adapter=adapter, scores=scores)
    weights = "adapter" if files.adapter else "weights"
    echo(f"Written: {files.folder} ({weights}, prompt, samples, model card).")
    echo(f"Check: {files.reproduced} of {files.samples} stored answers reproduced by the exported model.")


def _single_trial(trials: Sequence[StoredTrial], task: str | None, seed: int | None) -> StoredTrial:
    """Select the trial of a task and seed, or of the first seed.

    Raises:
        HarnessError: none or several fit.
    """
    fitting = [
        stored
        for stored in trials
        if task in (None, stored.record.trial.task) and seed in (None, stored.record.trial.seed)
    ]
    first_seed = min((stored.record.trial.seed for stored in fitting), default=0)
    fitting = [stored for stored in fitting if stored.record.trial.seed == first_seed]
    if len(fitting) != 1:
        names = ", ".join(f"{stored.record.trial.label} on {stored.record.trial.task}" for stored in fitting[:8])
        reason = f"{len(fitting)} trials fit ({names})" if fitting else "no finished trial fits"
        raise HarnessError(f"{reason}: name one with --task and --strategy, or by the beginning of its key.")
    return fitting[0]


@contextmanager
def _libraries_silent() -> Generator[None]:
    """Discard what libraries write to standard error, so that the terminal shows the progress only."""
    terminal = os.dup(2)
    try:
        with Path(os.devnull).open("w", encoding="utf-8") as nowhere:
            os.dup2(nowhere.fileno(), 2)
            yield
    finally:
        os.dup2(terminal, 2)
        os.close(terminal)


@command("Deploy and export")
def export(
    suite: Annotated[str | None, typer.Argument(metavar="SUITE", help="Only this suite.")] = None,
    *,
    to: Annotated[Literal["csv", "parquet", "mlflow"], typer.Option("--to", help="Target format.")],
    out: Annotated[
        str | None,
        typer.Option("--out", metavar="DIR|URI", help="Folder; for mlflow a tracking URI, e.g. sqlite:///mlflow.db."),
    ] = None,
    redact: Annotated[bool, typer.Option("--redact", help="Leave out texts of restricted rows.")] = False,
    results: Results = None,
) -> None:
    """Export results as tables or to MLflow.

    Tables have a row per trial and a row per answer.
    """
    from harness.errors import unknown
    from harness.store import export as exporting

    store = open_store(results)
    stored = store.load(suite)
    for problem in store.problems:
        echo(f"left out: {problem}", err=True)
    if not stored:
        if suite:
            raise unknown("suite", suite, store.suites(), where=str(store.root))
        raise HarnessError(f"{store.root} has no results: 'harness run SUITE' makes some.")
    if to == "mlflow":
        uri = out or "sqlite:///mlflow.db"
        echo(f"{exporting.log_to_mlflow(stored, uri)} new runs in {uri}, of {len(stored)} trials.")
        return
    for path in exporting.write_tables(stored, Path(out or "export"), to, redacted=redact):
        echo(f"Written: {path}")
