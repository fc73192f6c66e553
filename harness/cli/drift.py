"""The command that compares fresh items with a suite's test split."""

from __future__ import annotations

from typing import Annotated

import typer

from harness.cli.common import RequiredSuite, Results, TerminalOrJson, app, console, echo, repeatable, show

EMBEDDER = "minilm"


@app.command()
def drift(  # noqa: PLR0913 - one for each flag
    suite: RequiredSuite,
    *,
    split: Annotated[
        str, typer.Option("--split", metavar="[TASK.]fresh=FILE", help="CSV, JSONL or Parquet with the task's columns.")
    ],
    task: Annotated[str | None, typer.Option("--task", metavar="NAME", help="Whose items they are.")] = None,
    limit: Annotated[list[str] | None, repeatable("--limit", "SPLIT=N", "Most items, as the run had them")] = None,
    embedder: Annotated[str, typer.Option("--embedder", metavar="NAME", help="Of what is asked.")] = EMBEDDER,
    results: Results = None,
    form: TerminalOrJson = "terminal",
) -> None:
    """Are fresh items unlike the test split, and scores on them? 0 whatever it finds, 2 misuse."""
    from harness.cli import commands
    from harness.plan.config import load_config, parse_limits
    from harness.render import drift_report

    flags = {
        "suite": suite,
        "split": split,
        "tasks": [task] if task else [],
        "limits": parse_limits(limit or ()),
        "results": results,
    }
    screen = console() if form == "terminal" else console(stderr=True)
    shift = commands.drift(load_config(flags), embedder, screen)
    if form == "json":
        echo(drift_report.as_json(shift), nl=False)
    else:
        show(drift_report.report(shift), unbroken=True)
