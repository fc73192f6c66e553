"""The command ``harness``: argv becomes one call each. Nothing else in the project prints or exits.

Every command imports what it needs when it runs, so that ``harness --help`` loads no more than the parser.
"""

from __future__ import annotations

import os
import sys
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from harness.errors import HarnessError, unknown

if TYPE_CHECKING:
    from rich.console import Console

    from harness.store import Store

app = typer.Typer(
    name="harness",
    help="Compare ways of customising a language model on the same tasks.",
    rich_markup_mode=None,
    add_completion=False,
    pretty_exceptions_enable=False,
)


def _many(flag: str, metavar: str, text: str) -> Any:
    return typer.Option(flag, metavar=metavar, help=f"{text}; repeatable.")


SuiteName = Annotated[str | None, typer.Argument(metavar="SUITE", help="A suite's name, or the path of its folder.")]
Results = Annotated[Path | None, typer.Option("--results", metavar="DIR", help="Where records are [default: results].")]
Format = Literal["terminal", "json", "markdown", "csv"]


def main() -> None:
    """Run the command line and exit: 0 done, 1 a trial failed, 2 the user can put it right, 130 interrupted."""
    sys.exit(_main())


@app.callback(invoke_without_command=True)
def _harness(
    context: typer.Context, *, version: Annotated[bool, typer.Option("--version", help="Show the version.")] = False
) -> None:
    if version:
        from importlib.metadata import version as installed

        typer.echo(f"adaptbench {installed('adaptbench')}")
    elif context.invoked_subcommand is None:
        typer.echo(context.get_help())


@app.command("plan", help="Show the trials of a run, and the smallest difference it can show.")
@app.command("run", help="Run what is missing, and print the report.")
def run(  # noqa: PLR0913 - one for each flag
    context: typer.Context,
    suite: SuiteName = None,
    *,
    strategy: Annotated[list[str] | None, _many("--strategy", "TEXT", "E.g. 'rag(k=1)+lora'")] = None,
    model: Annotated[list[str] | None, _many("--model", "NAME", "A pinned model, a folder or a hub id")] = None,
    task: Annotated[list[str] | None, _many("--task", "NAME", "Only this task")] = None,
    seeds: Annotated[int | None, typer.Option("--seeds", metavar="N", help="How many seeds: 0 to N-1.")] = None,
    seed: Annotated[list[int] | None, _many("--seed", "S", "This seed")] = None,
    limit: Annotated[list[str] | None, _many("--limit", "SPLIT=N", "Most items of a split, e.g. test=40")] = None,
    train_sizes: Annotated[
        str | None, typer.Option("--train-sizes", metavar="N,N,...", help="Learning curves: so many training items.")
    ] = None,
    budget: Annotated[
        str | None, typer.Option("--budget", metavar="N", help="Search parameters: N trials, tokens=N or seconds=N.")
    ] = None,
    results: Results = None,
    threads: Annotated[int | None, typer.Option("--threads", metavar="N", help="Threads of one operator.")] = None,
    config: Annotated[
        Path | None, typer.Option("--config", metavar="FILE", help="TOML with the same settings; flags win.")
    ] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Run nothing: the same as 'harness plan'.")] = False,
) -> None:
    """Plan what was asked for, show it or run it, and print the report."""
    from harness import commands
    from harness.config import choose_seeds, load_config, parse_limits, parse_sizes

    flags = {
        "suite": suite,
        "strategies": strategy,
        "models": model,
        "tasks": task,
        "seeds": choose_seeds(seeds, seed or ()),
        "limits": parse_limits(limit or ()),
        "train_sizes": parse_sizes(train_sizes),
        "budget": budget,
        "results": results,
        "threads": threads,
    }
    console = _console()
    plan, store, waiting = commands.plan(load_config(flags, config), console)
    if dry_run or context.info_name == "plan":
        from harness.render import listing

        _print(listing.plan(plan, waiting))
        return
    try:
        failed = commands.run(plan, store, waiting, console)
    except KeyboardInterrupt:
        typer.echo("\nStopped; what is finished is stored. The same command goes on from here.", err=True)
        raise
    _report(store, plan.suite, "terminal", console)
    if failed:
        raise typer.Exit(1)


@app.command()
def report(
    suite: SuiteName = None,
    *,
    results: Results = None,
    form: Annotated[Format, typer.Option("--format", help="How it is written.")] = "terminal",
) -> None:
    """Print the report of what is stored; no model is loaded."""
    from harness.store import Store

    _report(Store(results or Path("results")), suite, form, _console())


@app.command()
def data(
    suite: Annotated[str, typer.Argument(metavar="SUITE", help="A suite's name, or the path of its folder.")],
    *,
    task: Annotated[list[str] | None, _many("--task", "NAME", "Only this task")] = None,
    model: Annotated[str | None, typer.Option("--model", metavar="NAME", help="Whose tokens are counted.")] = None,
    form: Annotated[Literal["terminal", "json"], typer.Option("--format", help="How it is written.")] = "terminal",
) -> None:
    """Look at a suite's data: repeats, leaks, labels, lengths, likely personal data."""
    from harness import commands
    from harness.config import DEFAULT_MODEL
    from harness.render import data as shown

    found = commands.inspect_data(suite, task or (), model or DEFAULT_MODEL, _console())
    _print(shown.terminal(found)) if form == "terminal" else typer.echo(shown.as_json(found), nl=False)


@app.command()
def fetch(
    names: Annotated[list[str] | None, typer.Argument(metavar="NAME...", help="Default: all of them.")] = None,
    *,
    only_list: Annotated[
        bool, typer.Option("--list", help="Fetch nothing: show what is pinned and what is here.")
    ] = False,
) -> None:
    """Bring the pinned models and data sets into the cache."""
    from harness.data.fetch import fetch as bring
    from harness.data.fetch import is_fetched
    from harness.data.sources import all_sources, source
    from harness.render.live import download_bar

    wanted = [source(name) for name in names or []] or list(all_sources())
    if only_list:
        from harness.render import listing

        _print(listing.sources([(one, is_fetched(one)) for one in wanted]))
        return
    console = _console()
    for one in wanted:
        with download_bar(console, one.name) as told:
            path = bring(one.name, told)
        typer.echo(f"{one.name}: {path} ({one.size_bytes / 1e6:.0f} MB, {one.licence})")


@app.command()
def clean(*, yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False) -> None:
    """Remove the tuned weights and indexes kept for later runs; records, models and data stay."""
    from harness import artifacts
    from harness.data import cache

    root = cache.root() / "artifacts"
    count, size_bytes = artifacts.size(root)
    typer.echo(f"Kept adapters, tuned weights and indexes: {count}, {size_bytes / 1e6:,.0f} MB in all, in {root}.")
    if not count:
        return
    if not yes and not sys.stdin.isatty():
        raise HarnessError("nobody is there to be asked: 'harness clean --yes' removes them.")
    if yes or typer.confirm("Remove them? A run that needs one makes it again."):
        artifacts.remove(root)
        typer.echo("Removed.")


@app.command("strategies")
def list_strategies(
    names: Annotated[
        list[str] | None, typer.Argument(metavar="NAME...", help="Show these with all that they take.")
    ] = None,
) -> None:
    """List the strategies, or show some with their parameters."""
    from harness.discover import describe
    from harness.discover import list_strategies as listed
    from harness.render import listing

    _print(listing.strategy_details([describe(name) for name in names]) if names else listing.strategies(listed()))


@app.command("suites")
def list_suites() -> None:
    """List the suites with their tasks."""
    from harness.data.suite import list_suites as listed
    from harness.render import listing

    _print(listing.suites(*listed()))


@app.command()
def init(  # noqa: PLR0913 - one for each flag
    name: Annotated[str, typer.Argument(metavar="NAME", help="Name of the suite and its folder.")],
    *,
    data: Annotated[Path, typer.Option("--data", metavar="FILE", help="CSV, TSV, JSONL or Parquet.")],
    column: Annotated[str, typer.Option("--input", metavar="COLUMN", help="Column that is asked.")],
    reference: Annotated[str, typer.Option("--reference", metavar="COLUMN", help="Column with the right answer.")],
    corpus: Annotated[
        Path | None, typer.Option("--corpus", metavar="PATH", help="Folder of .txt and .md files, or a table.")
    ] = None,
    folder: Annotated[Path, typer.Option("--folder", metavar="DIR", help="Where the suite's folder is made.")] = Path(),
) -> None:
    """Write a suite from your own data."""
    from harness.init import init_suite

    made = init_suite(name, data=data, input=column, reference=reference, corpus=corpus, folder=folder)
    typer.echo(f"{made.inferred}\nWritten: {made.path}. Next: harness run {made.path}")


def _main() -> int:
    try:
        code: Any = app(standalone_mode=False, prog_name="harness")
        sys.stdout.flush()
    except HarnessError as error:
        return _complain(str(error))
    except typer.TyperException as error:
        return _complain(f"{error.format_message().rstrip('.')}. 'harness --help' shows what there is.")
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # or Python complains once more when it ends
        return 141
    return code if isinstance(code, int) else 0


def _complain(message: str) -> int:
    typer.echo(f"error: {' '.join(message.split())}", err=True)
    return 2


def _report(store: Store, suite: str | None, form: Format, console: Console) -> None:
    from harness.compare.comparison import compare
    from harness.compare.stored import read
    from harness.data.suite import load_suite
    from harness.store import newest

    if suite and (Path(suite) / "suite.toml").is_file():
        suite = load_suite(suite).name
    stored = store.load(suite)
    if suite and not stored and not store.problems:
        hint = f"'harness run {suite}' makes records."
        raise unknown("suite", suite, store.suites(), where=str(store.root), hint=hint)
    chosen = newest(stored)
    comparison = compare(read(chosen.trials), [*chosen.notes, *store.problems])
    text = import_module(f"harness.render.{form}").render(comparison)
    console.print(text) if form == "terminal" else typer.echo(text, nl=False)


def _console() -> Console:
    from rich.console import Console

    return Console()


def _print(parts: Any) -> None:
    console = _console()
    for part in parts:
        console.print(part)
