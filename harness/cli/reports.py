"""Commands that read what is stored; none loads a model."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from harness.cli.application import command
from harness.cli.common import Format, Results, SuiteName, TerminalJsonOrMarkdown, console, echo, open_store
from harness.cli.option_groups import PricingOptions, ReportOptions
from harness.records.home_path import without_home


@command("Read results")
def report(  # noqa: PLR0913 - one for each flag
    suite: SuiteName = None,
    *,
    results: Results = None,
    prices: PricingOptions,
    view: ReportOptions,
    html: Annotated[
        Path | None, typer.Option("--html", metavar="FILE", help="Write the report as one self-contained HTML file.")
    ] = None,
    opened: Annotated[bool, typer.Option("--open", help="Open the HTML report in the browser.")] = False,
    redact: Annotated[
        bool, typer.Option("--redact", help="Leave texts of restricted items out of the HTML report.")
    ] = False,
    form: Annotated[Format, typer.Option("--format", help="Output format.")] = "terminal",
) -> None:
    """Print the report of a suite, or list suites with results.

    Without SUITE, --html and the formats json, markdown and csv have all suites. No model is loaded.
    """
    from harness.cli.stored_reports import list_suites_with_results, show_report

    economics = prices.economics()
    store = open_store(results)
    if html or opened:
        from harness.cli.pages import PageOptions, write_pages

        write_pages(store, suite, economics, PageOptions(html, redacted=redact, opened=opened))
    elif suite is None and form == "terminal":
        list_suites_with_results(store)
    else:
        show_report(store, suite, form, console(), economics, view=view)


@command("Read results", "compare")
def compare_two(  # noqa: PLR0913 - one for each flag
    first: Annotated[str, typer.Argument(metavar="A", help="A strategy, as the report names it.")],
    second: Annotated[str, typer.Argument(metavar="B", help="Another strategy.")],
    *,
    suite: Annotated[str | None, typer.Option("--suite", metavar="NAME", help="Only this suite.")] = None,
    task: Annotated[str | None, typer.Option("--task", metavar="NAME", help="Only this task.")] = None,
    metric: Annotated[str | None, typer.Option("--metric", metavar="NAME", help="Only this metric.")] = None,
    model: Annotated[str | None, typer.Option("--model", metavar="NAME", help="Only this model.")] = None,
    items: Annotated[int, typer.Option("--items", min=0, metavar="N", help="Number of disagreements to show.")] = 0,
    results: Results = None,
    view: ReportOptions,
    form: TerminalJsonOrMarkdown = "terminal",
) -> None:
    """Compare two strategies item by item.

    Shows differences with intervals and tests, what each took, and items on which they disagree.
    """
    from harness.cli.application import is_verbose
    from harness.compare.pair.pair_comparison import PairQuery, compare_pair
    from harness.compare.trials.pair_selection import select
    from harness.compare.trials.stored_trials import read_trials
    from harness.render import pair_report
    from harness.render.text.priority_table import split_columns

    store = open_store(results)
    selection = select(store.load(), (first, second), suite=suite, task=task, model=without_home(model))
    trials, notes = read_trials(selection.trials), [*selection.notes, *store.problems]
    pair = compare_pair(trials, first, second, PairQuery(metric, items, without_home(model)), notes)
    if form == "terminal":
        shown = pair_report.as_terminal(pair, split_columns(view.columns), legend=view.legend or is_verbose())
        console().print(shown)
    else:
        echo((pair_report.as_json if form == "json" else pair_report.as_markdown)(pair), nl=False)
