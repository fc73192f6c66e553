"""What every group of commands shares: the application, its options, and how things are printed."""

from __future__ import annotations

from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

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


def many(flag: str, metavar: str, text: str) -> Any:
    """Make an option that can be given several times."""
    return typer.Option(flag, metavar=metavar, help=f"{text}; repeatable.")


SuiteName = Annotated[str | None, typer.Argument(metavar="SUITE", help="A suite's name, or the path of its folder.")]
Results = Annotated[Path | None, typer.Option("--results", metavar="DIR", help="Where records are [default: results].")]
Format = Literal["terminal", "json", "markdown", "csv"]


def show_report(store: Store, suite: str | None, form: Format, screen: Console) -> None:
    """Print what is stored as a report; no model is loaded."""
    from harness.compare.comparison import compare
    from harness.compare.stored import read
    from harness.data.suite import load_suite
    from harness.errors import unknown
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
    screen.print(text) if form == "terminal" else typer.echo(text, nl=False)


def console() -> Console:
    """Return what prints to the terminal."""
    from rich.console import Console

    return Console()


def show(parts: Any) -> None:
    """Print the parts of a listing."""
    screen = console()
    for part in parts:
        screen.print(part)
