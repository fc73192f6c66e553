"""The command that compares fresh items with a suite's test split."""

from __future__ import annotations

from typing import Annotated

import typer

from harness.cli.application import command
from harness.cli.common import RequiredSuite, Results, TerminalOrJson, echo, progress_console, repeatable, show

EMBEDDER = "minilm"


@command("Release")
def drift(  # noqa: PLR0913 - one for each flag
    suite: RequiredSuite,
    *,
    split: Annotated[
        str,
        typer.Option(
            "--split",
            metavar="[TASK.]fresh=FILE",
            help="File of new items: CSV, JSONL or Parquet with the columns of the task.",
        ),
    ],
    task: Annotated[str | None, typer.Option("--task", metavar="NAME", help="Task the file belongs to.")] = None,
    limit: Annotated[
        list[str] | None, repeatable("--limit", "SPLIT=N", "Maximum number of items of a split, as in the run")
    ] = None,
    embedder: Annotated[str, typer.Option("--embedder", metavar="NAME", help="Embedding model.")] = EMBEDDER,
    results: Results = None,
    form: TerminalOrJson = "terminal",
) -> None:
    """Test whether new items differ from the test split.

    Compares inputs, labels, lengths and scores. Exit code 0 whatever it finds, 2 for a usage error.
    """
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
    shift = commands.drift(load_config(flags), embedder, progress_console(form))
    if form == "json":
        echo(drift_report.as_json(shift), nl=False)
    else:
        show(drift_report.report(shift), unbroken=True)
