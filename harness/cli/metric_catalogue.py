"""``harness metrics``: all metrics that a suite can name, with direction, range, definition and source."""

from __future__ import annotations

from typing import Annotated

import typer

from harness.cli.application import command
from harness.cli.common import TerminalOrJson, echo, show, show_json


@command("Look up", "metrics")
def list_metrics(
    names: Annotated[list[str] | None, typer.Argument(metavar="NAME...", help="Only these, in full.")] = None,
    *,
    form: TerminalOrJson = "terminal",
) -> None:
    """List the metrics with direction, range and definition."""
    from harness.metrics import metric_lookup
    from harness.render.plan import metric_listing

    definitions, problems = metric_lookup.all_definitions()
    entries = [metric_listing.entry(definition, origin) for definition, origin in definitions]
    if names:
        entries = [metric_listing.find(entries, name) for name in names]
    if form == "json":
        show_json(metric_listing.MetricsDocument(metrics=tuple(entries), problems=tuple(problems)))
        return
    show(metric_listing.details(entries) if names else metric_listing.overview(entries))
    for problem in problems:
        echo(f"error: {problem}", err=True)
