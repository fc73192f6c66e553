"""Commands about data, archives, strategies, suites and kept artifacts."""

from __future__ import annotations

import shlex
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import click
import typer

from harness.cli.application import command, completion_script
from harness.cli.common import (
    RequiredSuite,
    Strict,
    TerminalOrJson,
    echo,
    progress_console,
    repeatable,
    show,
    show_json,
    strategy_names,
)
from harness.errors import HarnessError

if TYPE_CHECKING:
    from harness.api import Kind
    from harness.data.kind_inference import Inference


@command("Measure")
def data(
    suite: RequiredSuite,
    *,
    task: Annotated[list[str] | None, repeatable("--task", "NAME", "Only this task")] = None,
    model: Annotated[
        str | None, typer.Option("--model", metavar="NAME", help="Model whose tokenizer counts the tokens.")
    ] = None,
    strict: Strict = False,
    form: TerminalOrJson = "terminal",
) -> None:
    """Inspect a suite's data: duplicates, leaks, labels, lengths.

    Also lists likely personal data. Only a tokenizer is loaded.
    """
    from harness.cli import commands
    from harness.plan.config import DEFAULT_MODEL
    from harness.render.plan import data_report

    inspection = commands.inspect_data(suite, task or (), model or DEFAULT_MODEL, progress_console(form), strict=strict)
    if form == "terminal":
        show(data_report.terminal(inspection))
    else:
        echo(data_report.as_json(inspection), nl=False)


@command("Set up")
def fetch(
    names: Annotated[
        list[str] | None,
        typer.Argument(metavar="NAME...", help="Models or data sets [default: all but optional ones]."),
    ] = None,
    *,
    only_list: Annotated[
        bool, typer.Option("--list", help="Only list what is pinned and what is in the cache.")
    ] = False,
) -> None:
    """Download the pinned models and data sets into the cache."""
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
    screen = progress_console()
    for archive in sources:
        with download_bar(screen, archive.name) as progress:
            path = archives.fetch(archive.name, progress)
        echo(f"{archive.name}: {path} ({archive.total_bytes / 1e6:.0f} MB, {archive.licence})")


@command("Set up")
def clean(*, yes: Annotated[bool, typer.Option("--yes", help="Do not ask for confirmation.")] = False) -> None:
    """Delete cached adapters, tuned weights and indexes.

    Results, models and data stay; a run that needs one trains it again.
    """
    from harness.data import cache
    from harness.trial import artifacts

    root = cache.root() / "artifacts"
    count, size_bytes = artifacts.size(root)
    echo(f"Cached adapters, tuned weights and indexes: {count}, {size_bytes / 1e6:,.0f} MB in all, in {root}.")
    if not count:
        return
    if not yes and not sys.stdin.isatty():
        raise HarnessError("no terminal to ask for confirmation: 'harness clean --yes' deletes them.")
    if yes or typer.confirm("Delete them? A run that needs one trains it again."):
        artifacts.remove(root)
        echo("Deleted.")


@command("Look up", "strategies")
def list_strategies(
    names: Annotated[
        list[str] | None,
        typer.Argument(metavar="NAME...", help="Show these with all their parameters.", autocompletion=strategy_names),
    ] = None,
    *,
    form: TerminalOrJson = "terminal",
) -> None:
    """List the strategies, or show some with their parameters."""
    from harness.plan import discover
    from harness.render.plan import listing, listing_json

    if form == "json":
        named = [discover.describe(name) for name in names or [one.name for one in discover.list_strategies()]]
        show_json(listing_json.strategies(named))
    elif names:
        show(listing.strategy_details([discover.describe(name) for name in names]))
    else:
        show(listing.strategies(discover.list_strategies()))


@command("Look up", "suites")
def list_suites(*, form: TerminalOrJson = "terminal") -> None:
    """List the suites with their tasks."""
    from harness.data import suite
    from harness.render.plan import listing, listing_json

    if form == "json":
        show_json(listing_json.suites(*suite.list_suites()))
    else:
        show(listing.suites(*suite.list_suites()))


@command("Set up")
def completion(
    shell: Annotated[Literal["bash", "zsh", "fish"], typer.Argument(metavar="bash|zsh|fish", help="Your shell.")],
) -> None:
    """Print the completion script of a shell.

    bash: harness completion bash >> ~/.bashrc. zsh: harness completion zsh > a file _harness in $fpath.
    fish: harness completion fish > ~/.config/fish/completions/harness.fish.
    """
    echo(completion_script(shell))


@dataclass(frozen=True)
class InitOptions:
    """Tables and columns of a new suite."""

    data: Annotated[
        str | None,
        typer.Option("--data", metavar="FILE", help="Table: CSV, TSV, JSON, JSONL, Parquet, .xlsx or hf://ORG/NAME."),
    ] = None
    test: Annotated[
        Path | None,
        typer.Option("--test", metavar="FILE", help="Table of test items; --data is then the training data."),
    ] = None
    lm_eval: Annotated[
        Path | None,
        typer.Option("--lm-eval", metavar="TASK.yaml", help="Task of lm-evaluation-harness, instead of columns."),
    ] = None
    column: Annotated[
        str | None, typer.Option("--input", metavar="COLUMN", help="Column with the question or text.")
    ] = None
    reference: Annotated[
        str | None,
        typer.Option("--reference", metavar="COLUMN", help="Column with the answer; conversations need none."),
    ] = None
    choices: Annotated[
        str | None,
        typer.Option("--choices", metavar="COLUMN", help="Column with the list of choices: multiple choice."),
    ] = None
    user: Annotated[
        str | None, typer.Option("--user", metavar="COLUMN", help="Column with who asks, for restricted passages.")
    ] = None
    row_id: Annotated[str | None, typer.Option("--id", metavar="COLUMN", help="Column with the id of a row.")] = None
    cluster: Annotated[
        str | None,
        typer.Option("--cluster", metavar="COLUMN", help="Column with the group of a row; groups stay in one split."),
    ] = None
    group: Annotated[
        list[str] | None,
        typer.Option("--group", metavar="COLUMN", help="Column that divides the items into slices; again for more."),
    ] = None
    separator: Annotated[
        str | None, typer.Option("--separator", metavar="TEXT", help="What separates several labels in one cell.")
    ] = None
    evidence: Annotated[
        str | None,
        typer.Option("--evidence", metavar="COLUMN", help="Column with the passage or file that holds the answer."),
    ] = None
    corpus: Annotated[
        Path | None, typer.Option("--corpus", metavar="PATH", help="Folder of documents, or a table of passages.")
    ] = None
    kind: Annotated[
        Literal["classification", "multi_label", "qa", "generation"] | None,
        typer.Option("--kind", help="Kind of the task [default: inferred from the answers]."),
    ] = None
    synthesise: Annotated[
        int | None,
        typer.Option("--synthesise", metavar="N", min=1, help="No table yet: N questions, written from --corpus."),
    ] = None
    teacher: Annotated[
        str | None, typer.Option("--teacher", metavar="REF", help="Model that writes them: a name or PROVIDER:MODEL.")
    ] = None
    accepted: Annotated[
        Path | None,
        typer.Option("--accepted", metavar="FILE", help="Sheet of such questions: those with 1 as 'accept'."),
    ] = None
    prices: Annotated[Path | None, typer.Option("--prices", metavar="FILE", help="TOML with prices of tokens.")] = None
    max_usd: Annotated[
        str | None, typer.Option("--max-usd", metavar="X", help="Most that a teacher may cost [default: 1]; none: any.")
    ] = None


@command("Measure")
def init(
    name: Annotated[str, typer.Argument(metavar="NAME", help="Name of the suite and of its folder.")],
    *,
    options: InitOptions,
    folder: Annotated[Path, typer.Option("--folder", metavar="DIR", help="Parent folder of the suite.")] = Path(),
) -> None:
    """Create a suite from your own data."""
    from harness.cli.new_suite import collect
    from harness.cli.synthetic_questions import next_step
    from harness.data.scaffold import init_suite

    with collect(options) as material:
        suite = init_suite(name, material, folder, _ask_kind if sys.stdin.isatty() else None)
    for note in suite.notes:
        echo(f"- {note}")
    echo(f"{suite.inferred}\nWritten: {suite.path}. Next: harness run {shlex.quote(str(suite.path))}")
    if step := next_step(name, options, suite.path):
        echo(step)


def _ask_kind(inference: Inference) -> Kind:
    """Ask which of two kinds it is."""
    echo(inference.reason)
    kinds: list[Kind] = [inference.kind, inference.alternative]
    answer: str = typer.prompt("Kind of the task", type=click.Choice(kinds), default=inference.kind)
    return next(kind for kind in kinds if kind == answer)
