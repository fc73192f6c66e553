"""The command that measures noise: the same trials again and again."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from harness.cli.application import command
from harness.cli.common import Results, SuiteName, echo, progress_console, repeatable, show
from harness.errors import HarnessError


@command("Release")
def repeat(  # noqa: PLR0913 - one for each flag
    suite: SuiteName = None,
    *,
    times: Annotated[
        int | None,
        typer.Option("--times", metavar="N", help="Number of runs [default: 5], or of rounds with --against [10]."),
    ] = None,
    against: Annotated[
        str | None, typer.Option("--against", metavar="BASELINE", help="Baseline to run in turn with this release.")
    ] = None,
    baseline_python: Annotated[
        Path | None,
        typer.Option("--baseline-python", metavar="PATH", help="Python interpreter of the baseline's environment."),
    ] = None,
    strategy: Annotated[list[str] | None, repeatable("--strategy", "TEXT", "Only this strategy")] = None,
    model: Annotated[list[str] | None, repeatable("--model", "NAME", "Only this model")] = None,
    task: Annotated[list[str] | None, repeatable("--task", "NAME", "Only this task")] = None,
    limit: Annotated[
        list[str] | None, repeatable("--limit", "SPLIT=N", "Maximum number of items of a split, e.g. test=40")
    ] = None,
    requests: Annotated[
        int | None, typer.Option("--requests", metavar="N", help="Single requests that are timed.")
    ] = None,
    results: Results = None,
    threads: Annotated[int | None, typer.Option("--threads", metavar="N", help="Threads per operator.")] = None,
) -> None:
    """Measure run-to-run noise, which gates take into account.

    With --against, a baseline and this release run in turn, so that drift of the machine cancels out.
    """
    from harness.cli import commands, paired_repeats
    from harness.cli.releases import find_own_baseline
    from harness.plan.config import load_config, parse_limits
    from harness.render.release import noise_report

    if baseline_python and not against:
        raise HarnessError("--baseline-python is the Python of a baseline: name that by --against.")

    flags = {
        "suite": suite,
        "strategies": strategy,
        "models": model,
        "tasks": task,
        "limits": parse_limits(limit or ()),
        "requests": requests,
        "results": results,
        "threads": threads,
        "check_items": 0,
        "seen_items": 0,
    }
    config = load_config(flags)
    try:
        if against:
            baseline = find_own_baseline(config.suite, against, results)
            pairs, path = paired_repeats.repeat_against(
                config, baseline, baseline_python, times or 10, progress_console()
            )
            show(noise_report.pair_report(pairs))
        else:
            summary, path = commands.repeat(config, times or 5, progress_console())
            show(noise_report.report(summary))
    except KeyboardInterrupt:
        echo("\nStopped; finished runs are stored. The same command continues.", err=True)
        raise
    echo(f"Written: {path}")
