"""Commands that measure: plan, run and repeat."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from harness.cli.common import Results, Strict, SuiteName, app, console, echo, repeatable, show, show_report
from harness.cli.option_groups import PricingOptions, with_option_groups
from harness.errors import HarnessError

if TYPE_CHECKING:
    from harness.cli.commands import PlannedRun
    from harness.execute.local_executor import RunCounts
    from harness.plan.config import RunConfig
    from harness.store.results_store import Store


@dataclass(frozen=True)
class LimitOptions:
    """Limits of a trial and of the run."""

    max_trial_seconds: Annotated[
        float | None, typer.Option("--max-trial-seconds", metavar="S", help="A trial that takes longer is stopped.")
    ] = None
    max_trial_memory: Annotated[
        float | None, typer.Option("--max-trial-memory", metavar="GIB", help="A trial that needs more is stopped.")
    ] = None
    stall_minutes: Annotated[
        float | None,
        typer.Option("--stall-minutes", metavar="N", help="Stop a trial without progress [default: 30]; 0: never."),
    ] = None
    max_minutes: Annotated[
        float | None, typer.Option("--max-minutes", metavar="N", help="Of the run; the same command goes on later.")
    ] = None
    skip_interrupted: Annotated[
        bool, typer.Option("--skip-interrupted", help="Leave out the trial that was running when a run died.")
    ] = False

    max_usd: Annotated[
        str | None,
        typer.Option("--max-usd", metavar="X", help="Most that APIs may cost [default: 1]; none: anything."),
    ] = None
    fresh: Annotated[
        bool, typer.Option("--fresh", help="Ask APIs again what unfinished trials were answered already.")
    ] = False

    def flags(self) -> dict[str, float | str | None]:
        """Give the limits by field of `RunLimits` and `RunConfig`; None was not given."""
        return {
            "max_trial_seconds": self.max_trial_seconds,
            "max_trial_memory_gb": self.max_trial_memory,
            "stall_minutes": self.stall_minutes,
            "max_minutes": self.max_minutes,
            "max_usd": self.max_usd,
            "fresh": self.fresh or None,
        }


@dataclass(frozen=True)
class RunOptions:
    """Suite parts, seeds, measurements and results folder of a run."""

    strategy: Annotated[list[str] | None, repeatable("--strategy", "TEXT", "E.g. 'rag(k=1)+lora'")] = None
    model: Annotated[
        list[str] | None, repeatable("--model", "NAME", "A pinned model, folder, hub id or PROVIDER:MODEL")
    ] = None
    task: Annotated[list[str] | None, repeatable("--task", "NAME", "Only this task")] = None
    seeds: Annotated[int | None, typer.Option("--seeds", metavar="N", help="How many seeds: 0 to N-1.")] = None
    seed: Annotated[list[int] | None, repeatable("--seed", "S", "This seed")] = None
    split: Annotated[
        str | None,
        typer.Option("--split", metavar="[TASK.]fresh=FILE", help="Ask a file's items instead of the test split."),
    ] = None
    limit: Annotated[list[str] | None, repeatable("--limit", "SPLIT=N", "Most items of a split, e.g. test=40")] = None
    train_sizes: Annotated[
        str | None, typer.Option("--train-sizes", metavar="N,N,...", help="Learning curves: so many training items.")
    ] = None
    budget: Annotated[
        str | None, typer.Option("--budget", metavar="N", help="Search parameters: N trials, tokens=N or seconds=N.")
    ] = None
    check_items: Annotated[
        int | None, typer.Option("--check-items", metavar="N", help="Items of each self-test and control; 0: none.")
    ] = None
    requests: Annotated[
        int | None,
        typer.Option("--requests", metavar="N", help="Items asked one by one [default: 20, in 8 s]; 0: none."),
    ] = None
    arrival_rate: Annotated[
        float | None, typer.Option("--arrival-rate", metavar="R", help="Requests a second that arrive at random.")
    ] = None
    latency_target: Annotated[
        float | None, typer.Option("--latency-target", metavar="SECONDS", help="When a request is to be answered by.")
    ] = None
    results: Results = None
    threads: Annotated[int | None, typer.Option("--threads", metavar="N", help="Threads of one operator.")] = None
    energy: Annotated[bool, typer.Option("--energy", help="Measure joules too; needs codecarbon.")] = False
    strict: Strict = False
    share_gpu: Annotated[bool, typer.Option("--share-gpu", help="Run though others hold memory of the GPU.")] = False
    release: Annotated[
        str | None, typer.Option("--release", metavar="NAME", help="Keep the suite's results as this baseline.")
    ] = None
    config: Annotated[
        Path | None, typer.Option("--config", metavar="FILE", help="TOML with the same settings; flags win.")
    ] = None

    def run_config(self, suite: str | None, limits: LimitOptions) -> RunConfig:
        """Put the flags and the file together.

        Raises:
            HarnessError: a value is wrong, or no suite was named.
        """
        from harness.plan.config import choose_seeds, load_config, parse_limits, parse_sizes

        flags = {
            "suite": suite,
            "strategies": self.strategy,
            "models": self.model,
            "tasks": self.task,
            "split": self.split,
            "seeds": choose_seeds(self.seeds, self.seed or ()),
            "limits": parse_limits(self.limit or ()),
            "train_sizes": parse_sizes(self.train_sizes),
            "budget": self.budget,
            "share_gpu": self.share_gpu or None,
            "strict": self.strict or None,
            "results": self.results,
            "threads": self.threads,
            **self.measurement(),
            **limits.flags(),
        }
        return load_config(flags, self.config)

    def measurement(self) -> dict[str, Any]:
        """Give what is measured besides the score, by field of `MeasurementOptions`; None was not given."""
        return {
            "check_items": self.check_items,
            "requests": self.requests,
            "arrival_rate": self.arrival_rate,
            "latency_target_s": self.latency_target,
            "energy": self.energy or None,
        }


@dataclass(frozen=True)
class PlanOptions:
    """Contents of a plan, and planning instead of running."""

    detect: Annotated[
        float | None, typer.Option("--detect", metavar="D", help="Items and seeds that showing this difference needs.")
    ] = None
    recalibrate: Annotated[
        bool, typer.Option("--recalibrate", help="Measure this machine again for the forecasts.")
    ] = False
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Run nothing: the same as 'harness plan'.")] = False


@app.command("plan")
@with_option_groups
def plan(
    suite: SuiteName = None, *, options: RunOptions, limits: LimitOptions, prices: PricingOptions, planning: PlanOptions
) -> None:
    """Show the trials of a run, and the smallest difference it can show."""
    _plan(suite, options, limits, prices, planning)


@app.command("run")
@with_option_groups
def run(
    suite: SuiteName = None, *, options: RunOptions, limits: LimitOptions, prices: PricingOptions, planning: PlanOptions
) -> None:
    """Run what is missing, and print the report."""
    if planning.dry_run:
        _plan(suite, options, limits, prices, planning)
    else:
        _run(suite, options, limits, prices, planning)


def _plan(
    suite: str | None, options: RunOptions, limits: LimitOptions, prices: PricingOptions, planning: PlanOptions
) -> None:
    from harness.cli import commands
    from harness.cli.endpoint_runs import EndpointOptions, with_endpoints
    from harness.compare.cost.hourly_rate import hourly_rate
    from harness.forecast.endpoint_questions import forecast_questions
    from harness.measure.environment import current_environment
    from harness.render.plan import endpoint_costs, listing

    config, economics = options.run_config(suite, limits), prices.economics()
    if options.release:
        raise HarnessError("--release keeps what a run measured: give it to 'harness run'.")
    planned = commands.plan(config, console(), recalibrate=planning.recalibrate)
    show(listing.planned_trials(planned.plan, planned.pending, hourly_rate(current_environment("plan"), economics)))
    trials = with_endpoints(planned.pending, EndpointOptions.of(config, economics.prices), planned.store.root)
    limit = next((trial.endpoints.max_usd for trial in trials if trial.endpoints), None)
    show(endpoint_costs.endpoint_lines(forecast_questions(trials, planned.plan.prepared), limit))
    if planning.detect is not None:
        _show_power(config, planning.detect, planned.store)


def _run(
    suite: str | None, options: RunOptions, limits: LimitOptions, prices: PricingOptions, planning: PlanOptions
) -> None:
    from harness.cli import commands
    from harness.cli.endpoint_runs import EndpointOptions

    config, economics, screen = options.run_config(suite, limits), prices.economics(), console()
    if planning.detect is not None:
        raise HarnessError("--detect plans and runs nothing: give it to 'harness plan'.")
    if options.release:
        _require_free_release(config, options.release)
    planned = commands.plan(config, screen, recalibrate=planning.recalibrate)
    try:
        counts = commands.run(
            planned,
            screen,
            share_gpu=config.share_gpu,
            limits=config.run_limits,
            skip_interrupted=limits.skip_interrupted,
            endpoints=EndpointOptions.of(config, economics.prices),
        )
    except KeyboardInterrupt:
        echo("\nStopped; what is finished is stored. The same command goes on from here.", err=True)
        raise
    show_report(planned.store, planned.plan.suite, "terminal", screen, economics)
    if config.split:
        echo(f"Kept apart, in {planned.store.root}. 'harness drift' compares them with the test split.")
    _end(planned, counts, options.release)


def _end(planned: PlannedRun, counts: RunCounts, release: str | None) -> None:
    """Keep a finished run as a baseline where that was asked for; end with 1 if trials failed."""
    from harness.cli.releases import keep
    from harness.store.trial_lookup import find_trials

    if counts.postponed:
        echo(f"{counts.postponed} trials were not reached: the same command goes on with them.", err=True)
    if release and (counts.failed or counts.postponed):
        echo(f"Not kept as {release}: not every trial finished. The same command runs the others.", err=True)
    if counts.failed:
        raise typer.Exit(1)
    if release and not counts.postponed:
        keep(planned.store, release, find_trials(planned.store, planned.plan.suite))


def _require_free_release(config: RunConfig, release: str) -> None:
    """Refuse before anything runs what could not be kept as a baseline afterwards."""
    from harness.store.baselines import new_baseline_folder

    if config.split:
        raise HarnessError("--release is of the test split: leave out --split.")
    new_baseline_folder(config.results, release)


def _show_power(config: RunConfig, difference: float, store: Store) -> None:
    """Print how many items and seeds showing a difference needs."""
    from harness.compare.power.sample_size import plan_power
    from harness.render.plan.detectability import power

    if config.split:
        raise HarnessError("--detect is of the test split; 'harness drift' says what fresh items can show.")
    show(power(plan_power(config, difference, store.load()), difference))


@app.command()
def repeat(  # noqa: PLR0913 - one for each flag
    suite: SuiteName = None,
    *,
    times: Annotated[
        int | None, typer.Option("--times", metavar="N", help="How many runs [default: 5]; rounds with --against [10].")
    ] = None,
    against: Annotated[
        str | None, typer.Option("--against", metavar="BASELINE", help="Run it in turn with this baseline.")
    ] = None,
    baseline_python: Annotated[
        Path | None, typer.Option("--baseline-python", metavar="PATH", help="Python that has the baseline's release.")
    ] = None,
    strategy: Annotated[list[str] | None, repeatable("--strategy", "TEXT", "Only this")] = None,
    model: Annotated[list[str] | None, repeatable("--model", "NAME", "With this model")] = None,
    task: Annotated[list[str] | None, repeatable("--task", "NAME", "Only this task")] = None,
    limit: Annotated[list[str] | None, repeatable("--limit", "SPLIT=N", "Most items of a split, e.g. test=40")] = None,
    requests: Annotated[int | None, typer.Option("--requests", metavar="N", help="Items asked one by one.")] = None,
    results: Results = None,
    threads: Annotated[int | None, typer.Option("--threads", metavar="N", help="Threads of one operator.")] = None,
) -> None:
    """Measure what repeats alone do to each figure here, or a baseline and this release in turn; gates use both."""
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
            pairs, path = paired_repeats.repeat_against(config, baseline, baseline_python, times or 10, console())
            show(noise_report.pair_report(pairs))
        else:
            summary, path = commands.repeat(config, times or 5, console())
            show(noise_report.report(summary))
    except KeyboardInterrupt:
        echo("\nStopped; what is finished is kept. The same command goes on from here.", err=True)
        raise
    echo(f"Written: {path}")
