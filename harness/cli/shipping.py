"""Commands that take results out of the store: a system as files that others load, figures as tables."""

from __future__ import annotations

import os
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Literal

import typer

from harness.cli.common import Results, app, console, many
from harness.errors import HarnessError


@app.command()
def deploy(  # noqa: PLR0913 - one for each flag
    run: Annotated[
        str | None, typer.Argument(metavar="RUN", help="A suite, a record's folder, or the beginning of a key.")
    ] = None,
    *,
    to: Annotated[Path, typer.Option("--to", metavar="DIR", help="A new folder.")],
    strategy: Annotated[list[str] | None, many("--strategy", "TEXT", "Which one, as the report names it")] = None,
    task: Annotated[str | None, typer.Option("--task", metavar="NAME", help="Of which task.")] = None,
    model: Annotated[list[str] | None, many("--model", "NAME", "With this model")] = None,
    seed: Annotated[int | None, typer.Option("--seed", metavar="S", help="Of which seed [default: the first].")] = None,
    suite: Annotated[str | None, typer.Option("--suite", metavar="PATH", help="Folder of a suite of your own.")] = None,
    adapter: Annotated[bool, typer.Option("--adapter", help="The adapter alone, not merged into the weights.")] = False,
    results: Results = None,
) -> None:
    """Write a measured system as files: weights, prompt, index, samples, model card."""
    from harness.compare.prose.numbers import metric_title, score
    from harness.compare.report.comparison import compare
    from harness.compare.trials.stored_trials import read
    from harness.data import cache
    from harness.deploy.write_system import deploy as write
    from harness.records.record import Completed
    from harness.render.plan.live import busy
    from harness.store.results_store import Store
    from harness.store.trial_lookup import choose

    found = choose(Store(results or Path("results")), run, strategy or (), model or ())
    found = [one for one in found if task in (None, one.record.trial.task) and seed in (None, one.record.trial.seed)]
    seeds = {one.record.trial.seed for one in found}
    found = [one for one in found if one.record.trial.seed == min(seeds)]
    if len(found) != 1:
        names = ", ".join(f"{one.record.trial.label} on {one.record.trial.task}" for one in found[:8])
        what = f"{len(found)} trials fit ({names})" if found else "no finished trial fits"
        raise HarnessError(f"{what}: name one with --task and --strategy, or by the beginning of its key.")
    record = found[0].record
    assert isinstance(record, Completed)  # noqa: S101 - only finished ones are chosen
    (table,) = (task for one in compare(read(found)).suites for task in one.tasks)
    told = [f"{metric_title(name)} {score(value)}, {value.n} items" for name, value in table.rows[0].scores.items()]
    with busy(console(), f"writing {record.trial.label}"), _libraries_silent():
        made = write(record, found[0].rows(), to, cache.root(), suite=suite, adapter=adapter, scores=told)
    what = "adapter" if made.adapter else "weights"
    typer.echo(f"Written: {made.folder} ({what}, prompt, samples, model card).")
    typer.echo(f"{made.alike} of {made.samples} stored answers are given again by what was written.")


@contextmanager
def _libraries_silent() -> Generator[None]:
    """Leave the terminal to the progress: what libraries write to standard error goes nowhere meanwhile."""
    terminal = os.dup(2)
    try:
        with Path(os.devnull).open("w", encoding="utf-8") as nowhere:
            os.dup2(nowhere.fileno(), 2)
            yield
    finally:
        os.dup2(terminal, 2)
        os.close(terminal)


@app.command()
def export(
    suite: Annotated[str | None, typer.Argument(metavar="SUITE", help="Only this suite.")] = None,
    *,
    to: Annotated[Literal["csv", "parquet", "mlflow"], typer.Option("--to", help="For which tool.")],
    out: Annotated[
        str | None,
        typer.Option("--out", metavar="DIR|URI", help="A folder; for mlflow, e.g. sqlite:///mlflow.db."),
    ] = None,
    results: Results = None,
) -> None:
    """Write what is stored for other tools: a row a trial and a row an answer, or runs of MLflow."""
    from harness.errors import unknown
    from harness.store import export as exporting
    from harness.store.results_store import Store

    store = Store(results or Path("results"))
    stored = store.load(suite)
    for problem in store.problems:
        typer.echo(f"left out: {problem}", err=True)
    if not stored:
        if suite:
            raise unknown("suite", suite, store.suites(), where=str(store.root))
        raise HarnessError(f"{store.root} has no results: 'harness run SUITE' makes some.")
    if to == "mlflow":
        where = out or "sqlite:///mlflow.db"
        typer.echo(f"{exporting.mlflow(stored, where)} new runs in {where}, of {len(stored)} trials.")
        return
    for path in exporting.tables(stored, Path(out or "export"), to):
        typer.echo(f"Written: {path}")
