"""Commands about releases: name a baseline, hold a candidate against it, and see what moved and why."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from harness.cli.common import Results, app, console, many, show, write_file
from harness.errors import HarnessError

if TYPE_CHECKING:
    from harness.store.baselines import Baseline
    from harness.store.results_store import Store, StoredTrial

DEFAULT = Path("results")

baseline = typer.Typer(
    name="baseline", help="Name finished results for good: set, list, show, remove.", rich_markup_mode=None
)
app.add_typer(baseline)

Name = Annotated[str, typer.Argument(metavar="NAME", help="What it is called.")]
Plain = Annotated[Literal["terminal", "json"], typer.Option("--format", help="How it is written.")]


@baseline.command("set")
def set_(  # noqa: PLR0913 - one for each flag
    name: Name,
    run: Annotated[
        str | None, typer.Argument(metavar="RUN", help="A suite, a record's folder, or the beginning of a key.")
    ] = None,
    *,
    strategy: Annotated[list[str] | None, many("--strategy", "TEXT", "Only this strategy")] = None,
    model: Annotated[list[str] | None, many("--model", "NAME", "Only this model")] = None,
    note: Annotated[str, typer.Option("--note", metavar="TEXT", help="What to remember of it.")] = "",
    results: Results = None,
) -> None:
    """Keep what is measured now under a name; it never changes again."""
    from harness.store.results_store import Store
    from harness.store.trial_lookup import choose

    store = Store(results or DEFAULT)
    keep(store, name, choose(store, run, strategy or (), model or ()), note)


def keep(store: Store, name: str, trials: Sequence[StoredTrial], note: str = "") -> None:
    """Set a baseline, and say what it holds."""
    from harness.store import baselines

    made = baselines.set_baseline(store, name, trials, note)
    size = sum(path.stat().st_size for path in made.folder.rglob("*") if path.is_file())
    count = len(made.trials)
    what = f"{count} {'trial' if count == 1 else 'trials'}, {size / 1e3:,.0f} kB"
    typer.echo(f"Baseline {name} of {made.manifest.suite}: {what} in {made.folder}.")


@baseline.command("list")
def list_(*, results: Results = None) -> None:
    """List the baselines, oldest first."""
    from harness.render.release.history_report import baselines as listed
    from harness.store.baselines import list_baselines

    show(listed(*list_baselines((results or DEFAULT).absolute())))


@baseline.command("show")
def show_(name: Name, *, results: Results = None) -> None:
    """Show what a baseline holds and what it was measured with."""
    from harness.compare.report.comparison import compare
    from harness.compare.trials.stored_trials import read
    from harness.render.release.history_report import baselines as listed
    from harness.render.report import terminal

    found = _baseline(name, results)
    show([*listed([found], []), terminal.render(compare(read(found.trials)))])


@baseline.command("remove")
def remove(
    name: Name,
    *,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
    results: Results = None,
) -> None:
    """Delete a baseline."""
    from harness.store.baselines import folder_of, remove_baseline

    folder = folder_of(name, (results or DEFAULT).absolute())
    if not yes and not sys.stdin.isatty():
        raise HarnessError(f"nobody is there to be asked: 'harness baseline remove {name} --yes' deletes {folder}.")
    if yes or typer.confirm(f"Delete {folder}?"):
        remove_baseline(folder)
        typer.echo(f"Removed: {folder}.")


@app.command()
def gate(  # noqa: PLR0913 - one for each flag
    suite: Annotated[str, typer.Argument(metavar="SUITE", help="A suite's name, or the path of its folder.")],
    *,
    named: Annotated[str, typer.Option("--baseline", metavar="NAME", help="What to compare with; or its folder.")],
    margin: Annotated[
        list[str] | None, many("--margin", "TASK.METRIC=X", "Loss of score put up with [default: 5 % of its range]")
    ] = None,
    slowdown: Annotated[
        str | None, typer.Option("--max-slowdown", metavar="P%", help="'off': not checked [default: 10%].")
    ] = None,
    memory: Annotated[
        str | None, typer.Option("--max-memory", metavar="P%", help="'off': not checked [default: 5%].")
    ] = None,
    cost: Annotated[
        str | None, typer.Option("--max-cost", metavar="P%", help="'off': not checked [default: 10%].")
    ] = None,
    strategy: Annotated[list[str] | None, many("--strategy", "TEXT", "Only this strategy")] = None,
    against: Annotated[
        str | None, typer.Option("--against", metavar="TEXT", help="The baseline's strategy, if it has another name.")
    ] = None,
    unlike: Annotated[
        bool, typer.Option("--unlike-hardware", help="Compare seconds and bytes of unlike machines too.")
    ] = False,
    junit: Annotated[Path | None, typer.Option("--junit", metavar="FILE", help="Write JUnit XML there.")] = None,
    summary: Annotated[
        Path | None, typer.Option("--summary", metavar="FILE", help="Add Markdown to it, e.g. $GITHUB_STEP_SUMMARY.")
    ] = None,
    results: Results = None,
    form: Plain = "terminal",
) -> None:
    """May it be released? 0 pass, 1 fail, 3 inconclusive, 2 misuse."""
    from harness.compare.release import outcome
    from harness.compare.release.gate_limits import parse_limits
    from harness.compare.release.run_noise import read_noise
    from harness.render.release import gate_report as shown
    from harness.render.release.junit import render as as_junit

    if against and len(strategy or ()) != 1:
        raise HarnessError("--against names the baseline's strategy: name the candidate's too, by one --strategy.")
    limits = parse_limits(margin or (), {"slowdown": slowdown, "memory": memory, "cost": cost}, unlike=unlike)
    before = _baseline(named, results)
    after, notes = _candidate(suite, before, results)
    pairing = outcome.pairing_of(before.trials, after, strategy or (), against)
    noise = read_noise(results or DEFAULT)
    told = (before.manifest.suite, before.name, before.manifest.set_at)
    found = outcome.gate(told, pairing, limits, noise, notes)
    if junit:
        write_file(junit, as_junit(found))
    if summary:
        write_file(summary, shown.markdown_summary(found), add=True)
    typer.echo(shown.as_json(found), nl=False) if form == "json" else _show(shown.report(found))
    raise typer.Exit(found.exit_code)


@app.command()
def explain(
    first: Annotated[str, typer.Argument(metavar="A", help="A baseline, a record's folder, or beginning of a key.")],
    second: Annotated[str, typer.Argument(metavar="B", help="The same; or a suite: what is measured now.")],
    *,
    results: Results = None,
    form: Plain = "terminal",
) -> None:
    """List all that differs between two releases, and how to tell causes apart."""
    from harness.compare.release import outcome
    from harness.render.release import gate_report as shown

    before, after = _side(first, results), _side(second, results)
    wanted, against = list[str](), None
    if len(before) == len(after) == 1:  # two records are compared whatever they are called
        wanted, against = [after[0].record.trial.label], before[0].record.trial.label
    found = outcome.explain((first, second), outcome.pairing_of(before, after, wanted, against))
    typer.echo(shown.as_json(found), nl=False) if form == "json" else _show(shown.explanation(found))


@app.command()
def history(  # noqa: PLR0913 - one for each flag
    suite: Annotated[str, typer.Argument(metavar="SUITE", help="A suite's name, or the path of its folder.")],
    *,
    strategy: Annotated[list[str] | None, many("--strategy", "TEXT", "Only this strategy")] = None,
    metric: Annotated[list[str] | None, many("--metric", "NAME", "This metric [default: the task's first]")] = None,
    results: Results = None,
    html: Annotated[
        Path | None, typer.Option("--html", metavar="FILE", help="Write it as one HTML file that needs no other.")
    ] = None,
    form: Plain = "terminal",
) -> None:
    """Show how scores, memory, speed and cost moved from baseline to baseline."""
    from harness.cli.pages import history_of, write_html
    from harness.render.release import history_report as shown
    from harness.store.results_store import Store

    store = Store(results or DEFAULT)
    found = history_of(store, _suite_name(suite), strategy or (), metric or ())
    if html:
        from harness.render.html import history_page as page

        write_html(html, page.render(found))
    else:
        typer.echo(shown.as_json(found), nl=False) if form == "json" else _show(shown.report(found))


def _baseline(name: str, results: Path | None) -> Baseline:
    """Find a baseline beside the results, or in the default folder: a candidate may lie in a folder of its own."""
    from harness.store.baselines import find_baseline

    return find_baseline(name, [results or DEFAULT, DEFAULT])


def _candidate(suite: str, before: Baseline, results: Path | None) -> tuple[list[StoredTrial], list[str]]:
    """Read what is measured now; notes tell what of the store was left out."""
    from harness.store.results_store import Store, newest

    name = _suite_name(suite)
    if name != before.manifest.suite:
        raise HarnessError(
            f"baseline {before.name!r} is of {before.manifest.suite}, not of {name}: name one of its own."
        )
    store = Store(results or DEFAULT)
    chosen = newest(store.load(name))
    if not chosen.trials:
        run = f"'harness run {suite} --results {results or DEFAULT}'"
        raise HarnessError(f"{store.root} has no results of {name}: {run} makes them.")
    return list(chosen.trials), [*chosen.notes, *store.problems]


def _side(name: str, results: Path | None) -> list[StoredTrial]:
    """Find one side of an explanation: a baseline, or what is in the store."""
    from harness.store.baselines import is_baseline
    from harness.store.results_store import Store
    from harness.store.trial_lookup import choose

    if is_baseline(name, [results or DEFAULT, DEFAULT]):
        return list(_baseline(name, results).trials)
    return choose(Store(results or DEFAULT), name)


def _suite_name(suite: str) -> str:
    from harness.data.suite import load_suite

    return load_suite(suite).name if (Path(suite) / "suite.toml").is_file() else suite


def _show(parts: Sequence[Any]) -> None:
    """Print parts; a line of its own is never broken, so that a command in it can be copied."""
    from rich.text import Text

    screen = console()
    for part in parts:
        screen.print(part, soft_wrap=isinstance(part, Text))
