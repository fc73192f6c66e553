"""Commands that measure: plan and run."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from harness.cli.common import (
    Engineering,
    Hardware,
    Months,
    NoLabels,
    Prices,
    Results,
    SuiteName,
    UpdateEvery,
    Volume,
    app,
    console,
    many,
    pricing,
    show,
    show_report,
)
from harness.errors import HarnessError

if TYPE_CHECKING:
    from harness.plan.config import RunConfig
    from harness.store.results_store import Store


@app.command("plan", help="Show the trials of a run, and the smallest difference it can show.")
@app.command("run", help="Run what is missing, and print the report.")
def run(  # noqa: PLR0913 - one for each flag
    context: typer.Context,
    suite: SuiteName = None,
    *,
    strategy: Annotated[list[str] | None, many("--strategy", "TEXT", "E.g. 'rag(k=1)+lora'")] = None,
    model: Annotated[list[str] | None, many("--model", "NAME", "A pinned model, a folder or a hub id")] = None,
    task: Annotated[list[str] | None, many("--task", "NAME", "Only this task")] = None,
    seeds: Annotated[int | None, typer.Option("--seeds", metavar="N", help="How many seeds: 0 to N-1.")] = None,
    seed: Annotated[list[int] | None, many("--seed", "S", "This seed")] = None,
    split: Annotated[
        str | None,
        typer.Option("--split", metavar="[TASK.]fresh=FILE", help="Ask a file's items instead of the test split."),
    ] = None,
    limit: Annotated[list[str] | None, many("--limit", "SPLIT=N", "Most items of a split, e.g. test=40")] = None,
    train_sizes: Annotated[
        str | None, typer.Option("--train-sizes", metavar="N,N,...", help="Learning curves: so many training items.")
    ] = None,
    budget: Annotated[
        str | None, typer.Option("--budget", metavar="N", help="Search parameters: N trials, tokens=N or seconds=N.")
    ] = None,
    check_items: Annotated[
        int | None, typer.Option("--check-items", metavar="N", help="Items of each self-test and control; 0: none.")
    ] = None,
    requests: Annotated[
        int | None,
        typer.Option("--requests", metavar="N", help="Items asked one by one [default: 20, in 8 s]; 0: none."),
    ] = None,
    arrival_rate: Annotated[
        float | None, typer.Option("--arrival-rate", metavar="R", help="Requests a second that arrive at random.")
    ] = None,
    latency_target: Annotated[
        float | None, typer.Option("--latency-target", metavar="SECONDS", help="When a request is to be answered by.")
    ] = None,
    results: Results = None,
    threads: Annotated[int | None, typer.Option("--threads", metavar="N", help="Threads of one operator.")] = None,
    energy: Annotated[bool, typer.Option("--energy", help="Measure joules too; needs codecarbon.")] = False,
    share_gpu: Annotated[bool, typer.Option("--share-gpu", help="Run though others hold memory of the GPU.")] = False,
    release: Annotated[
        str | None, typer.Option("--release", metavar="NAME", help="Keep the suite's results as this baseline.")
    ] = None,
    config: Annotated[
        Path | None, typer.Option("--config", metavar="FILE", help="TOML with the same settings; flags win.")
    ] = None,
    volume: Volume = None,
    months: Months = None,
    update_every: UpdateEvery = None,
    prices: Prices = None,
    hardware: Hardware = None,
    no_labels: NoLabels = False,
    engineering_hours: Engineering = 0,
    detect: Annotated[
        float | None, typer.Option("--detect", metavar="D", help="Items and seeds that showing this difference needs.")
    ] = None,
    recalibrate: Annotated[
        bool, typer.Option("--recalibrate", help="Measure this machine again for the forecasts.")
    ] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Run nothing: the same as 'harness plan'.")] = False,
) -> None:
    """Plan what was asked for, show it or run it, and print the report."""
    from harness.cli import commands
    from harness.plan.config import choose_seeds, load_config, parse_limits, parse_sizes

    flags = {
        "suite": suite,
        "strategies": strategy,
        "models": model,
        "tasks": task,
        "split": split,
        "seeds": choose_seeds(seeds, seed or ()),
        "limits": parse_limits(limit or ()),
        "train_sizes": parse_sizes(train_sizes),
        "budget": budget,
        "energy": energy or None,
        "share_gpu": share_gpu or None,
        "check_items": check_items,
        "requests": requests,
        "arrival_rate": arrival_rate,
        "latency_target_s": latency_target,
        "results": results,
        "threads": threads,
    }
    economics = pricing(
        volume=volume,
        months=months,
        update_every=update_every,
        prices=prices,
        hardware=hardware,
        no_labels=no_labels,
        engineering_hours=engineering_hours,
    )
    screen = console()
    asked = load_config(flags, config)
    if detect is not None and not (dry_run or context.info_name == "plan"):
        raise HarnessError("--detect plans and runs nothing: give it to 'harness plan'.")
    if release:
        _require_keepable(asked, release, runs=not (dry_run or context.info_name == "plan"))
    plan, store, waiting = commands.plan(asked, screen, recalibrate=recalibrate)
    if dry_run or context.info_name == "plan":
        from harness.render.plan import forecast_cells, listing

        show(listing.plan(plan, waiting, forecast_cells.rate(economics)))
        if detect is not None:
            show_power(asked, detect, store)
        return
    try:
        failed = commands.run(plan, store, waiting, screen, share_gpu=asked.share_gpu)
    except KeyboardInterrupt:
        typer.echo("\nStopped; what is finished is stored. The same command goes on from here.", err=True)
        raise
    show_report(store, plan.suite, "terminal", screen, economics)
    if asked.split:
        typer.echo(f"Kept apart, in {store.root}. 'harness drift' compares them with the test split.")
    if failed:
        if release:
            typer.echo(f"Not kept as {release}: trials failed. The same command runs them again.", err=True)
        raise typer.Exit(1)
    if release:
        from harness.cli.releases import keep
        from harness.store.trial_lookup import choose

        keep(store, release, choose(store, plan.suite))


def _require_keepable(asked: RunConfig, release: str, *, runs: bool) -> None:
    """Refuse before anything runs what could not be kept as a baseline afterwards."""
    from harness.store.baselines import free_folder

    if not runs or asked.split:
        why = (
            "is of the test split: leave out --split" if runs else "keeps what a run measured: give it to 'harness run'"
        )
        raise HarnessError(f"--release {why}.")
    free_folder(asked.results, release)


def show_power(asked: RunConfig, difference: float, store: Store) -> None:
    """Print what showing a difference needs."""
    from harness.compare.power.sample_size import plan_power
    from harness.render.plan.detectability import power

    if asked.split:
        raise HarnessError("--detect is of the test split; 'harness drift' says what fresh items can show.")
    show(power(plan_power(asked, difference, store.load()), difference))


@app.command()
def repeat(  # noqa: PLR0913 - one for each flag
    suite: SuiteName = None,
    *,
    times: Annotated[int, typer.Option("--times", metavar="N", help="How many runs.")] = 5,
    strategy: Annotated[list[str] | None, many("--strategy", "TEXT", "Only this")] = None,
    model: Annotated[list[str] | None, many("--model", "NAME", "With this model")] = None,
    task: Annotated[list[str] | None, many("--task", "NAME", "Only this task")] = None,
    limit: Annotated[list[str] | None, many("--limit", "SPLIT=N", "Most items of a split, e.g. test=40")] = None,
    requests: Annotated[int | None, typer.Option("--requests", metavar="N", help="Items asked one by one.")] = None,
    results: Results = None,
    threads: Annotated[int | None, typer.Option("--threads", metavar="N", help="Threads of one operator.")] = None,
) -> None:
    """Measure what repeats alone do to each figure here; gates use it."""
    from harness.cli import commands
    from harness.plan.config import load_config, parse_limits
    from harness.render.release import noise_report

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
        found, path = commands.repeat(config, times, console())
    except KeyboardInterrupt:
        typer.echo("\nStopped; what is finished is kept. The same command goes on from here.", err=True)
        raise
    show(noise_report.report(found))
    typer.echo(f"Written: {path}")
