"""Commands that read what is stored; none loads a model."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from harness.cli.common import Format, Results, SuiteName, app, console, show_report


@app.command()
def report(
    suite: SuiteName = None,
    *,
    results: Results = None,
    form: Annotated[Format, typer.Option("--format", help="How it is written.")] = "terminal",
) -> None:
    """Print the report of what is stored; no model is loaded."""
    from harness.store import Store

    show_report(Store(results or Path("results")), suite, form, console())
