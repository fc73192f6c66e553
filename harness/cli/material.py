"""Commands about data, archives, strategies, suites and kept artifacts."""

from __future__ import annotations

import shlex
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import click
import typer

from harness.cli.common import RequiredSuite, Strict, TerminalOrJson, app, console, echo, repeatable, show
from harness.cli.option_groups import with_option_groups
from harness.errors import HarnessError

if TYPE_CHECKING:
    from harness.api import Kind
    from harness.data.kind_inference import Inference


@app.command()
def data(
    suite: RequiredSuite,
    *,
    task: Annotated[list[str] | None, repeatable("--task", "NAME", "Only this task")] = None,
    model: Annotated[str | None, typer.Option("--model", metavar="NAME", help="Whose tokens are counted.")] = None,
    strict: Strict = False,
    form: TerminalOrJson = "terminal",
) -> None:
    """Look at a suite's data: repeats, leaks, labels, lengths, likely personal data."""
    from harness.cli import commands
    from harness.plan.config import DEFAULT_MODEL
    from harness.render.plan import data_report

    inspection = commands.inspect_data(suite, task or (), model or DEFAULT_MODEL, console(), strict=strict)
    if form == "terminal":
        show(data_report.terminal(inspection))
    else:
        echo(data_report.as_json(inspection), nl=False)


@app.command()
def fetch(
    names: Annotated[
        list[str] | None, typer.Argument(metavar="NAME...", help="Default: all but optional ones.")
    ] = None,
    *,
    only_list: Annotated[
        bool, typer.Option("--list", help="Fetch nothing: show what is pinned and what is here.")
    ] = False,
) -> None:
    """Bring the pinned models and data sets into the cache."""
    from harness.data import fetch as archives
    from harness.data.sources import all_sources, source
    from harness.render.plan.live import download_bar

    sources = [source(name) for name in names or []] or [
        pinned for pinned in all_sources() if only_list or not pinned.optional
    ]
    if only_list:
        from harness.render.plan import listing

        show(listing.sources([(archive, archives.is_fetched(archive)) for archive in sources]))
        return
    screen = console()
    for archive in sources:
        with download_bar(screen, archive.name) as progress:
            path = archives.fetch(archive.name, progress)
        echo(f"{archive.name}: {path} ({archive.total_bytes / 1e6:.0f} MB, {archive.licence})")


@app.command()
def clean(*, yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False) -> None:
    """Remove the tuned weights and indexes kept for later runs; records, models and data stay."""
    from harness.data import cache
    from harness.trial import artifacts

    root = cache.root() / "artifacts"
    count, size_bytes = artifacts.size(root)
    echo(f"Kept adapters, tuned weights and indexes: {count}, {size_bytes / 1e6:,.0f} MB in all, in {root}.")
    if not count:
        return
    if not yes and not sys.stdin.isatty():
        raise HarnessError("nobody is there to be asked: 'harness clean --yes' removes them.")
    if yes or typer.confirm("Remove them? A run that needs one makes it again."):
        artifacts.remove(root)
        echo("Removed.")


@app.command("strategies")
def list_strategies(
    names: Annotated[
        list[str] | None, typer.Argument(metavar="NAME...", help="Show these with all that they take.")
    ] = None,
) -> None:
    """List the strategies, or show some with their parameters."""
    from harness.plan import discover
    from harness.render.plan import listing

    if names:
        show(listing.strategy_details([discover.describe(name) for name in names]))
    else:
        show(listing.strategies(discover.list_strategies()))


@app.command("suites")
def list_suites() -> None:
    """List the suites with their tasks."""
    from harness.data import suite
    from harness.render.plan import listing

    show(listing.suites(*suite.list_suites()))


@dataclass(frozen=True)
class InitOptions:
    """Tables and columns of a new suite."""

    data: Annotated[
        str | None,
        typer.Option("--data", metavar="FILE", help="CSV, TSV, JSON, JSONL, Parquet or .xlsx; or hf://ORG/NAME."),
    ] = None
    test: Annotated[
        Path | None, typer.Option("--test", metavar="FILE", help="Test items; --data is trained on then.")
    ] = None
    lm_eval: Annotated[
        Path | None, typer.Option("--lm-eval", metavar="TASK.yaml", help="A task of lm-evaluation-harness instead.")
    ] = None
    column: Annotated[str | None, typer.Option("--input", metavar="COLUMN", help="Column that is asked.")] = None
    reference: Annotated[
        str | None, typer.Option("--reference", metavar="COLUMN", help="Column with the right answer.")
    ] = None
    row_id: Annotated[str | None, typer.Option("--id", metavar="COLUMN", help="Column that names each row.")] = None
    cluster: Annotated[
        str | None, typer.Option("--cluster", metavar="COLUMN", help="Rows that belong together: kept in one split.")
    ] = None
    group: Annotated[
        list[str] | None,
        typer.Option("--group", metavar="COLUMN", help="Column that divides the items into slices; again for more."),
    ] = None
    evidence: Annotated[
        str | None, typer.Option("--evidence", metavar="COLUMN", help="Passage or file of the corpus with the answer.")
    ] = None
    corpus: Annotated[
        Path | None, typer.Option("--corpus", metavar="PATH", help="Folder of documents, or a table.")
    ] = None
    kind: Annotated[
        Literal["classification", "qa", "generation"] | None,
        typer.Option("--kind", help="Kind of the task; inferred from the references if left out."),
    ] = None


@app.command()
@with_option_groups
def init(
    name: Annotated[str, typer.Argument(metavar="NAME", help="Name of the suite and its folder.")],
    *,
    options: InitOptions,
    folder: Annotated[Path, typer.Option("--folder", metavar="DIR", help="Where the suite's folder is made.")] = Path(),
) -> None:
    """Write a suite from your own data."""
    from harness.cli.new_suite import collect
    from harness.data.scaffold import init_suite

    with collect(options) as material:
        suite = init_suite(name, material, folder, _ask_kind if sys.stdin.isatty() else None)
    for note in suite.notes:
        echo(f"- {note}")
    echo(f"{suite.inferred}\nWritten: {suite.path}. Next: harness run {shlex.quote(str(suite.path))}")


def _ask_kind(inference: Inference) -> Kind:
    """Ask which of two kinds it is."""
    echo(inference.reason)
    kinds: list[Kind] = [inference.kind, inference.alternative]
    answer: str = typer.prompt("Kind of the task", type=click.Choice(kinds), default=inference.kind)
    return next(kind for kind in kinds if kind == answer)
