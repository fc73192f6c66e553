"""Commands about releases: baselines, gates, explanations and histories."""

from __future__ import annotations

import shlex
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from harness.cli.application import CommandGroup, app, command
from harness.cli.common import (
    DEFAULT_RESULTS,
    RequiredSuite,
    Results,
    TerminalOrJson,
    echo,
    open_store,
    repeatable,
    show,
    write_file,
)
from harness.errors import HarnessError

if TYPE_CHECKING:
    from harness.store.baselines import Baseline
    from harness.store.results_store import Store, StoredTrial

baselines = typer.Typer(
    name="baseline", cls=CommandGroup, help="Save results under a name: set, list, show, remove.", rich_markup_mode=None
)
app.add_typer(baselines, rich_help_panel="Release")

Name = Annotated[str, typer.Argument(metavar="NAME", help="Name of the baseline.")]


@command(None, "set", baselines)
def set_(  # noqa: PLR0913 - one for each flag
    name: Name,
    run: Annotated[
        str | None, typer.Argument(metavar="RUN", help="Suite, folder of a record, or beginning of a trial's key.")
    ] = None,
    *,
    strategy: Annotated[list[str] | None, repeatable("--strategy", "TEXT", "Only this strategy")] = None,
    model: Annotated[list[str] | None, repeatable("--model", "NAME", "Only this model")] = None,
    note: Annotated[str, typer.Option("--note", metavar="TEXT", help="Note on the baseline.")] = "",
    results: Results = None,
) -> None:
    """Save the current results as a baseline, which never changes."""
    from harness.store.trial_lookup import find_trials

    store = open_store(results)
    keep(store, name, find_trials(store, run, strategy or (), model or ()), note)


def keep(store: Store, name: str, trials: Sequence[StoredTrial], note: str = "") -> None:
    """Set a baseline, and print what it holds."""
    from harness.store.baselines import set_baseline

    baseline = set_baseline(store, name, trials, note)
    size_bytes = sum(path.stat().st_size for path in baseline.folder.rglob("*") if path.is_file())
    count = len(baseline.trials)
    contents = f"{count} {'trial' if count == 1 else 'trials'}, {size_bytes / 1e3:,.0f} kB"
    echo(f"Baseline {name} of {baseline.manifest.suite}: {contents} in {baseline.folder}.")


@command(None, "list", baselines)
def list_(*, results: Results = None) -> None:
    """List the baselines, oldest first."""
    from harness.render.release import history_report
    from harness.store.baselines import list_baselines

    show(history_report.baseline_list(*list_baselines((results or DEFAULT_RESULTS).absolute())))


@command(None, "show", baselines)
def show_(name: Name, *, results: Results = None) -> None:
    """Show the results and the environment of a baseline."""
    from harness.compare.report.comparison import compare
    from harness.compare.trials.stored_trials import read_trials
    from harness.render.release import history_report
    from harness.render.report import terminal

    baseline = _baseline(name, results)
    show([*history_report.baseline_list([baseline], []), terminal.render(compare(read_trials(baseline.trials)))])


@command(None, "remove", baselines)
def remove(
    name: Name,
    *,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask for confirmation.")] = False,
    results: Results = None,
) -> None:
    """Delete a baseline."""
    from harness.store.baselines import baseline_folder, remove_baseline

    folder = baseline_folder(name, (results or DEFAULT_RESULTS).absolute())
    if not yes and not sys.stdin.isatty():
        command = f"harness baseline remove {shlex.quote(name)} --yes"
        raise HarnessError(f"no terminal to ask for confirmation: '{command}' deletes {folder}.")
    from harness.render.text.escape import neutral

    if yes or typer.confirm(neutral(f"Delete {folder}?")):
        remove_baseline(folder)
        echo(f"Removed: {folder}.")


@command("Release")
def gate(  # noqa: PLR0913 - one for each flag
    suite: RequiredSuite,
    *,
    baseline_name: Annotated[
        str, typer.Option("--baseline", metavar="NAME", help="Baseline to compare with, or its folder.")
    ],
    margin: Annotated[
        list[str] | None,
        repeatable("--margin", "TASK.METRIC=X", "Acceptable loss of score [default: 5 % of the metric's range]"),
    ] = None,
    slowdown: Annotated[
        str | None, typer.Option("--max-slowdown", metavar="P%", help="Acceptable increase, or 'off' [default: 10%].")
    ] = None,
    memory: Annotated[
        str | None, typer.Option("--max-memory", metavar="P%", help="Acceptable increase, or 'off' [default: 5%].")
    ] = None,
    cost: Annotated[
        str | None, typer.Option("--max-cost", metavar="P%", help="Acceptable increase, or 'off' [default: 10%].")
    ] = None,
    strategy: Annotated[list[str] | None, repeatable("--strategy", "TEXT", "Only this strategy")] = None,
    system: Annotated[
        list[str] | None, repeatable("--system", "TASK.STRATEGY", "Only this system: gate what ships, not every row")
    ] = None,
    inconclusive: Annotated[
        Literal["pass", "warn", "fail"] | None,
        typer.Option("--inconclusive", help="How an inconclusive outcome counts [default: exit code 3]."),
    ] = None,
    against: Annotated[
        str | None,
        typer.Option("--against", metavar="TEXT", help="Name of the strategy in the baseline, if it differs."),
    ] = None,
    unlike: Annotated[
        bool, typer.Option("--unlike-hardware", help="Compare time and memory across different hardware too.")
    ] = False,
    junit_file: Annotated[
        Path | None, typer.Option("--junit", metavar="FILE", help="Write JUnit XML to this file.")
    ] = None,
    summary: Annotated[
        Path | None,
        typer.Option("--summary", metavar="FILE", help="Append Markdown to this file, e.g. $GITHUB_STEP_SUMMARY."),
    ] = None,
    results: Results = None,
    form: TerminalOrJson = "terminal",
) -> None:
    """Check a release against a baseline.

    Exit codes: 0 pass, 1 fail, 3 inconclusive (0 with --inconclusive pass or warn, 1 with fail), 2 usage error.
    """
    from harness.compare.release import outcome
    from harness.compare.release.gate_limits import parse_limits
    from harness.compare.release.pairing import only_systems
    from harness.compare.release.run_noise import read_noise
    from harness.render.release import gate_report, junit

    if against and len(strategy or ()) != 1:
        raise HarnessError("--against names the baseline's strategy: name the candidate's too, by one --strategy.")
    limits = parse_limits(margin or (), {"slowdown": slowdown, "memory": memory, "cost": cost}, unlike=unlike)
    baseline = find_own_baseline(suite, baseline_name, results)
    candidate, notes = _candidate(suite, results)
    pairing = only_systems(outcome.pair_releases(baseline.trials, candidate, strategy or (), against), system or ())
    noise = read_noise(results or DEFAULT_RESULTS)
    repeat = _repeat_command(suite, baseline_name, results)
    gated = outcome.gate(baseline.manifest, pairing, limits, noise, notes, inconclusive=inconclusive, repeat=repeat)
    if junit_file:
        write_file(junit_file, junit.render(gated))
    if summary:
        write_file(summary, gate_report.markdown_summary(gated), add=True)
    if form == "json":
        echo(gate_report.as_json(gated), nl=False)
    else:
        show(gate_report.report(gated), unbroken=True)
    if gated.verdict.outcome == "inconclusive" and inconclusive == "warn":
        warning = f"the gate of {gated.suite} against {gated.baseline} is inconclusive."
        echo(f"Warning: {warning}", err=True)
    raise typer.Exit(gated.exit_code)


@command("Release")
def explain(
    first: Annotated[
        str, typer.Argument(metavar="A", help="Baseline, folder of a record, or beginning of a trial's key.")
    ],
    second: Annotated[str, typer.Argument(metavar="B", help="The same, or a suite: its current results.")],
    *,
    results: Results = None,
    form: TerminalOrJson = "terminal",
) -> None:
    """List what differs between two releases, and possible causes."""
    from harness.compare.release import outcome
    from harness.render.release import explanation_report, gate_report

    before, after = _side(first, results), _side(second, results)
    strategies, against = list[str](), None
    if len(before) == len(after) == 1:  # two records are compared whatever their strategies are called
        strategies, against = [after[0].record.trial.label], before[0].record.trial.label
    explanation = outcome.explain(first, second, outcome.pair_releases(before, after, strategies, against))
    if form == "json":
        echo(gate_report.as_json(explanation), nl=False)
    else:
        show(explanation_report.report(explanation), unbroken=True)


@command("Release")
def history(  # noqa: PLR0913 - one for each flag
    suite: RequiredSuite,
    *,
    strategy: Annotated[list[str] | None, repeatable("--strategy", "TEXT", "Only this strategy")] = None,
    metric: Annotated[
        list[str] | None, repeatable("--metric", "NAME", "Metric [default: the first of the task]")
    ] = None,
    results: Results = None,
    html: Annotated[
        Path | None, typer.Option("--html", metavar="FILE", help="Write the history as one self-contained HTML file.")
    ] = None,
    form: TerminalOrJson = "terminal",
) -> None:
    """Show scores, memory, speed and cost from baseline to baseline."""
    from harness.cli.pages import history_of, write_html
    from harness.render.release import history_report

    store = open_store(results)
    suite_history = history_of(store, _suite_name(suite), strategy or (), metric or ())
    if html:
        from harness.render.html import history_page

        write_html(html, history_page.render(suite_history))
    elif form == "json":
        echo(history_report.as_json(suite_history), nl=False)
    else:
        show(history_report.report(suite_history), unbroken=True)


def _baseline(name: str, results: Path | None) -> Baseline:
    """Find a baseline beside the results, or in the default folder: a candidate may lie in a folder of its own."""
    from harness.store.baselines import find_baseline

    return find_baseline(name, [results or DEFAULT_RESULTS, DEFAULT_RESULTS])


def find_own_baseline(suite: str, name: str, results: Path | None) -> Baseline:
    """Find a baseline of a suite.

    Raises:
        HarnessError: there is none of that name, or it is another suite's.
    """
    baseline, own = _baseline(name, results), _suite_name(suite)
    if own != baseline.manifest.suite:
        raise HarnessError(
            f"baseline {baseline.name!r} is of {baseline.manifest.suite}, not of {own}: name one of its own."
        )
    return baseline


def _candidate(suite: str, results: Path | None) -> tuple[list[StoredTrial], list[str]]:
    """Read the newest results, and notes on records that were left out."""
    from harness.store.results_store import select_newest

    name, store = _suite_name(suite), open_store(results)
    selection = select_newest(store.load(name))
    if not selection.trials:
        run = f"'harness run {shlex.quote(suite)} --results {shlex.quote(str(results or DEFAULT_RESULTS))}'"
        raise HarnessError(f"{store.root} has no results of {name}: {run} makes them.")
    return list(selection.trials), [*selection.notes, *store.problems]


def _repeat_command(suite: str, baseline: str, results: Path | None) -> str:
    """Write the command that measures a baseline and the candidate in turn, for this gate."""
    words = ["harness", "repeat", suite, "--against", baseline, *(["--results", str(results)] if results else [])]
    return shlex.join(words)


def _side(name: str, results: Path | None) -> list[StoredTrial]:
    """Find one side of an explanation: a baseline, or trials of the store."""
    from harness.store.baselines import is_baseline
    from harness.store.trial_lookup import find_trials

    if is_baseline(name, [results or DEFAULT_RESULTS, DEFAULT_RESULTS]):
        return list(_baseline(name, results).trials)
    return find_trials(open_store(results), name)


def _suite_name(suite: str) -> str:
    from harness.data.suite import load_suite

    return load_suite(suite).name if (Path(suite) / "suite.toml").is_file() else suite
