"""Commands that read what is stored; none loads a model."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from harness.cli.common import (
    Format,
    Results,
    SuiteName,
    TerminalJsonOrMarkdown,
    app,
    console,
    echo,
    open_store,
    show_report,
)
from harness.cli.option_groups import PricingOptions, with_option_groups
from harness.records.home_path import without_home


@app.command()
@with_option_groups
def report(  # noqa: PLR0913 - one for each flag
    suite: SuiteName = None,
    *,
    results: Results = None,
    prices: PricingOptions,
    html: Annotated[
        Path | None, typer.Option("--html", metavar="FILE", help="Write it as one HTML file that needs no other.")
    ] = None,
    figures: Annotated[
        Path | None, typer.Option("--figures", metavar="DIR", help="Write its charts as PNG and SVG files.")
    ] = None,
    redact: Annotated[
        bool, typer.Option("--redact", help="Leave out texts of the page that not everybody may read.")
    ] = False,
    form: Annotated[Format, typer.Option("--format", help="How it is written.")] = "terminal",
) -> None:
    """Print the report of what is stored, or write it as a page; no model is loaded."""
    economics = prices.economics()
    store = open_store(results)
    if html or figures:
        from harness.cli.pages import write_pages

        write_pages(store, suite, economics, html=html, figures=figures, redacted=redact)
    else:
        show_report(store, suite, form, console(), economics)


@app.command("compare")
def compare_two(  # noqa: PLR0913 - one for each flag
    first: Annotated[str, typer.Argument(metavar="A", help="A strategy, as the report writes it.")],
    second: Annotated[str, typer.Argument(metavar="B", help="Another.")],
    *,
    suite: Annotated[str | None, typer.Option("--suite", metavar="NAME", help="Only this suite.")] = None,
    task: Annotated[str | None, typer.Option("--task", metavar="NAME", help="Only this task.")] = None,
    metric: Annotated[str | None, typer.Option("--metric", metavar="NAME", help="Only this metric.")] = None,
    model: Annotated[str | None, typer.Option("--model", metavar="NAME", help="Only this model.")] = None,
    items: Annotated[int, typer.Option("--items", min=0, metavar="N", help="Items that they disagree on.")] = 0,
    results: Results = None,
    form: TerminalJsonOrMarkdown = "terminal",
) -> None:
    """Compare two strategies item by item: differences, intervals, tests and what each took."""
    from harness.compare.pair.pair_comparison import PairQuery, compare_pair
    from harness.compare.trials.pair_selection import select
    from harness.compare.trials.stored_trials import read_trials
    from harness.render import pair_report

    store = open_store(results)
    selection = select(store.load(), (first, second), suite=suite, task=task, model=without_home(model))
    trials, notes = read_trials(selection.trials), [*selection.notes, *store.problems]
    pair = compare_pair(trials, first, second, PairQuery(metric, items), notes)
    if form == "terminal":
        console().print(pair_report.as_terminal(pair))
    else:
        echo((pair_report.as_json if form == "json" else pair_report.as_markdown)(pair), nl=False)
