"""The application, options of several commands, and printing: shared by every group of commands."""

from __future__ import annotations

import gc
import shlex
from collections.abc import Generator, Iterable
from contextlib import contextmanager
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

if TYPE_CHECKING:
    from rich.console import Console

    from harness.compare.cost.pricing import Economics
    from harness.store.results_store import Selection, Store

app = typer.Typer(
    name="harness",
    help="Compare ways of customising a language model on the same tasks.",
    rich_markup_mode=None,
    add_completion=False,
    pretty_exceptions_enable=False,
)


def repeatable(flag: str, metavar: str, text: str) -> Any:
    """Make an option that can be given several times."""
    return typer.Option(flag, metavar=metavar, help=f"{text}; repeatable.")


SuiteName = Annotated[str | None, typer.Argument(metavar="SUITE", help="A suite's name, or the path of its folder.")]
RequiredSuite = Annotated[str, typer.Argument(metavar="SUITE", help="A suite's name, or the path of its folder.")]
Results = Annotated[Path | None, typer.Option("--results", metavar="DIR", help="Where records are [default: results].")]
Format = Literal["terminal", "json", "markdown", "csv"]
Strict = Annotated[bool, typer.Option("--strict", help="An error for each row that would be left out.")]
TerminalOrJson = Annotated[Literal["terminal", "json"], typer.Option("--format", help="How it is written.")]
TerminalJsonOrMarkdown = Annotated[
    Literal["terminal", "json", "markdown"], typer.Option("--format", help="How it is written.")
]
DEFAULT_RESULTS = Path("results")


def open_store(results: Path | None) -> Store:
    """Open the store that ``--results`` names, or the default one."""
    from harness.store.results_store import Store

    return Store(results or DEFAULT_RESULTS)


@contextmanager
def without_garbage_collection() -> Generator[None]:
    """Disable the garbage collector for the duration: records that are read stay, and scanning them again takes long.

    Put it around a whole function, so that its records are freed before the collector scans again.
    """
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if enabled:
            gc.enable()


@without_garbage_collection()
def show_report(
    store: Store, suite: str | None, form: Format, screen: Console, economics: Economics | None = None
) -> None:
    """Print the report of the stored trials; no model is loaded."""
    from harness.compare.report.comparison import compare
    from harness.compare.trials.stored_trials import read_trials

    selection = select(store, suite)
    notes = [*selection.notes, *store.problems]
    comparison = compare(read_trials(selection.trials), notes, economics, each_seed=form == "json")
    text = import_module(f"harness.render.report.{form}").render(comparison)
    screen.print(text) if form == "terminal" else echo(text, nl=False)


def select(store: Store, suite: str | None) -> Selection:
    """Select the records of a suite, or of all suites, that belong in one report.

    Raises:
        HarnessError: that suite has no records.
    """
    from harness.errors import unknown
    from harness.store.results_store import select_newest

    if suite and (Path(suite) / "suite.toml").is_file():
        from harness.data.suite import load_suite

        suite = load_suite(suite).name
    stored = store.load(suite)
    if suite and not stored and not store.problems:
        hint = f"'harness run {shlex.quote(suite)}' makes records."
        raise unknown("suite", suite, store.suites(), where=str(store.root), hint=hint)
    return select_newest(stored)


def console(*, stderr: bool = False) -> Console:
    """Return the console of standard output or standard error."""
    from harness.render.text.safe_console import SafeConsole

    return SafeConsole(stderr=stderr, emoji=False)  # 'endpoint:house:' is no picture of a house


def echo(text: str, *, err: bool = False, nl: bool = True) -> None:
    """Write a text that steers neither a terminal nor continuous integration, whatever it holds.

    Args:
        text: of any number of lines.
        err: whether to standard error.
        nl: whether a line end follows.
    """
    from harness.render.text.escape import neutral

    typer.echo(neutral(text), err=err, nl=nl)


def write_file(path: Path, text: str, *, add: bool = False) -> None:
    """Write a text to a file, or append it.

    Raises:
        HarnessError: it cannot be written.
    """
    from harness.errors import HarnessError

    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("a" if add else "w", encoding="utf-8") as file:
            file.write(text)
    except OSError as error:
        raise HarnessError(f"{path} cannot be written ({error.strerror or error}): free or change it.") from error


def show(parts: Iterable[Any], *, unbroken: bool = False) -> None:
    """Print the parts of a report.

    Args:
        parts: what rich can print.
        unbroken: whether a text is a line of its own that is never broken, so that a command in it can be copied.
    """
    from rich.text import Text

    screen = console()
    for part in parts:
        screen.print(part, soft_wrap=unbroken and isinstance(part, Text))
