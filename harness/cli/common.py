"""What every group of commands shares: the application, its options, and how things are printed."""

from __future__ import annotations

import gc
from collections.abc import Generator
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


def many(flag: str, metavar: str, text: str) -> Any:
    """Make an option that can be given several times."""
    return typer.Option(flag, metavar=metavar, help=f"{text}; repeatable.")


SuiteName = Annotated[str | None, typer.Argument(metavar="SUITE", help="A suite's name, or the path of its folder.")]
Results = Annotated[Path | None, typer.Option("--results", metavar="DIR", help="Where records are [default: results].")]
Format = Literal["terminal", "json", "markdown", "csv"]


Volume = Annotated[
    float | None, typer.Option("--volume", metavar="N", min=0, help="Requests a month [default: 100000].")
]
Months = Annotated[float | None, typer.Option("--months", metavar="N", help="Horizon of costs [default: 12].")]
UpdateEvery = Annotated[
    str | None,
    typer.Option("--update-every", metavar="7d", help="How often facts change: h, d, w or m [default: never]."),
]
Prices = Annotated[
    Path | None,
    typer.Option("--prices", metavar="FILE", help="TOML with prices of your own, by the names of the table."),
]
Hardware = Annotated[
    str | None, typer.Option("--hardware", metavar="NAME", help="Price every machine as this entry of the table.")
]
NoLabels = Annotated[bool, typer.Option("--no-labels", help="Leave out what labels of training items cost.")]
Engineering = Annotated[
    float, typer.Option("--engineering-hours", metavar="H", min=0, help="Work on each strategy that trains or indexes.")
]


@contextmanager
def no_collection() -> Generator[None]:
    """Look for no reference cycles meanwhile: what is read is kept, and passing over it again and again takes long.

    Around a whole function, so that what it read is gone when it ends; or the next look would pass over all of it.
    """
    collects = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if collects:
            gc.enable()


@no_collection()
def show_report(
    store: Store, suite: str | None, form: Format, screen: Console, economics: Economics | None = None
) -> None:
    """Print what is stored as a report; no model is loaded."""
    from harness.compare.report.comparison import compare
    from harness.compare.trials.stored_trials import read

    chosen = select(store, suite)
    notes = [*chosen.notes, *store.problems]
    comparison = compare(read(chosen.trials), notes, economics, each_seed=form == "json")
    text = import_module(f"harness.render.report.{form}").render(comparison)
    screen.print(text) if form == "terminal" else typer.echo(text, nl=False)


def select(store: Store, suite: str | None) -> Selection:
    """Choose the records of a suite, or of all, that belong in one report.

    Raises:
        HarnessError: nothing is stored of that suite.
    """
    from harness.errors import unknown
    from harness.store.results_store import newest

    if suite and (Path(suite) / "suite.toml").is_file():
        from harness.data.suite import load_suite

        suite = load_suite(suite).name
    stored = store.load(suite)
    if suite and not stored and not store.problems:
        hint = f"'harness run {suite}' makes records."
        raise unknown("suite", suite, store.suites(), where=str(store.root), hint=hint)
    return newest(stored)


def pricing(  # noqa: PLR0913 - one for each flag
    *,
    volume: float | None = None,
    months: float | None = None,
    update_every: str | None = None,
    prices: Path | None = None,
    hardware: str | None = None,
    no_labels: bool = False,
    engineering_hours: float = 0,
) -> Economics:
    """Build what prices measurements from the flags that commands share.

    Raises:
        HarnessError: the prices cannot be read, the hardware is not in them, or an interval is no such thing.
    """
    from harness.compare.cost.pricing import make_economics

    return make_economics(
        (volume, months, update_every),
        prices=prices,
        hardware=hardware,
        labels=not no_labels,
        engineering_hours=engineering_hours,
    )


def console() -> Console:
    """Return what prints to the terminal."""
    from rich.console import Console

    return Console()


def write_file(path: Path, text: str, *, add: bool = False) -> None:
    """Write a text, or add it to what is there.

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


def show(parts: Any) -> None:
    """Print the parts of a listing."""
    screen = console()
    for part in parts:
        screen.print(part)
