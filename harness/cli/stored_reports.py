"""Reports of stored results in the terminal: of a suite, and the list of suites that have results."""

from __future__ import annotations

import shlex
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

from harness.cli.application import is_quiet, is_verbose
from harness.cli.common import DEFAULT_RESULTS, Format, echo, select, show, without_garbage_collection
from harness.cli.option_groups import ReportOptions

if TYPE_CHECKING:
    from rich.console import Console

    from harness.compare.cost.pricing import Economics
    from harness.compare.table.result import Comparison
    from harness.compare.trials.stored_trials import StoredTrialItems
    from harness.render.report.terminal import ReportView
    from harness.store.results_store import Store

MOST_PROBLEMS = 3
"""Records that cannot be read, of which the list of suites names each."""


@without_garbage_collection()
def show_report(  # noqa: PLR0913 - one for each flag
    store: Store,
    suite: str | None,
    form: Format,
    screen: Console,
    economics: Economics | None = None,
    *,
    view: ReportOptions | None = None,
    heading: dict[str, Any] | None = None,
) -> None:
    """Print the report of the stored trials; no model is loaded.

    Args:
        store: has the trials.
        suite: only this one; None: all.
        form: of the report.
        screen: where the terminal's report is printed.
        economics: usage and prices.
        view: what of the terminal's report is shown.
        heading: keys that JSON begins with.
    """
    from harness.compare.report.comparison import compare
    from harness.compare.trials.stored_trials import read_trials
    from harness.render.report import json as as_json
    from harness.render.report import terminal
    from harness.render.text.json_text import json_text

    selection = select(store, suite)
    notes = [*selection.notes, *store.problems]
    trials = read_trials(selection.trials)
    comparison = compare(trials, notes, economics, each_seed=form == "json")
    if form == "terminal":
        shown = _view(store, comparison, trials, economics, view or ReportOptions())
        screen.print(terminal.render(comparison, shown))
    elif form == "json":
        echo(json_text({**(heading or {}), **as_json.document(comparison)}), nl=False)
    else:
        echo(import_module(f"harness.render.report.{form}").render(comparison), nl=False)


def list_suites_with_results(store: Store) -> None:
    """Print a line for each suite that has results, and how to see one."""
    from harness.compare.report.suite_overview import overview
    from harness.render.report.overview_table import terminal

    suites = overview(store.load())
    show(terminal(suites, str(store.root), _flags(store)))
    for problem in store.problems[:MOST_PROBLEMS]:
        echo(problem, err=True)
    if (more := len(store.problems) - MOST_PROBLEMS) > 0:
        echo(f"{more} more records cannot be read.", err=True)


def _view(
    store: Store,
    comparison: Comparison,
    trials: list[StoredTrialItems],
    economics: Economics | None,
    options: ReportOptions,
) -> ReportView:
    from harness.cli.pages import decisions_of
    from harness.render.report.terminal import ReportView
    from harness.render.text.priority_table import split_columns

    decisions = {decision.suite: decision for decision in decisions_of(comparison, trials, economics)}
    return ReportView(
        columns=split_columns(options.columns),
        legend=options.legend or is_verbose(),
        details=is_verbose(),
        brief=is_quiet(),
        verdicts={name: decision.verdict for name, decision in decisions.items()},
        next_commands={
            suite.name: _next(store, suite.name, decides=suite.name in decisions) for suite in comparison.suites
        },
    )


def _next(store: Store, suite: str, *, decides: bool) -> list[str]:
    """Name the commands that show more of a suite."""
    name, flags = shlex.quote(suite), _flags(store)
    decide = [f"harness decide {name}{flags}"] if decides else []
    return [*decide, f"harness report {name} --open{flags}"]


def _flags(store: Store) -> str:
    if store.root.absolute() == DEFAULT_RESULTS.absolute():
        return ""
    folder = store.root.absolute()
    shown = folder.relative_to(Path.cwd()) if folder.is_relative_to(Path.cwd()) else folder
    return f" --results {shlex.quote(str(shown))}"
