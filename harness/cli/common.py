"""Options of several commands, and printing: shared by every group of commands."""

from __future__ import annotations

import gc
import shlex
from collections.abc import Generator, Iterable
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from harness.cli.application import is_quiet

if TYPE_CHECKING:
    from pydantic import BaseModel
    from rich.console import Console

    from harness.store.results_store import Selection, Store


def repeatable(flag: str, metavar: str, text: str) -> Any:
    """Make an option that can be given several times."""
    names = strategy_names if flag == "--strategy" else None
    return typer.Option(flag, metavar=metavar, help=f"{text}; repeatable.", autocompletion=names)


def suite_names() -> list[str]:
    """Names of the built-in suites, for completion."""
    from harness.data import builtin_suites

    return list(builtin_suites.folders())


def strategy_names() -> list[str]:
    """Names of the built-in strategies, for completion."""
    from harness.plan import discover

    return list(discover.builtin_names())


_SUITE = typer.Argument(metavar="SUITE", help="Name of a suite, or path of its folder.", autocompletion=suite_names)
SuiteName = Annotated[str | None, _SUITE]
RequiredSuite = Annotated[str, _SUITE]
Results = Annotated[Path | None, typer.Option("--results", metavar="DIR", help="Results folder [default: results].")]
Format = Literal["terminal", "json", "markdown", "csv"]
Strict = Annotated[bool, typer.Option("--strict", help="Stop at the first invalid row instead of leaving it out.")]
_FORMAT = typer.Option("--format", help="Output format.")
TerminalOrJson = Annotated[Literal["terminal", "json"], _FORMAT]
TerminalJsonOrMarkdown = Annotated[Literal["terminal", "json", "markdown"], _FORMAT]
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


def console() -> Console:
    """Return the console of standard output."""
    from harness.render.text.safe_console import SafeConsole

    return SafeConsole(emoji=False)  # 'endpoint:house:' is no picture of a house


def progress_console(form: str = "terminal") -> Console:
    """Return the console of progress: silent with ``-q``, standard error where the output is for machines."""
    from harness.render.text.safe_console import SafeConsole

    return SafeConsole(emoji=False, stderr=form != "terminal", quiet=is_quiet())


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


def show_json(document: BaseModel) -> None:
    """Print a document as JSON: unknown is null, and its keys are those of `docs/json.md`."""
    from harness.render.text.json_text import json_text

    echo(json_text(document.model_dump(mode="json")), nl=False)


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
