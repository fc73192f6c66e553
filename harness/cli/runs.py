"""Commands that plan and run."""

from __future__ import annotations

import shlex
from dataclasses import asdict
from typing import TYPE_CHECKING

import typer

from harness.cli.application import command
from harness.cli.common import SuiteName, TerminalOrJson, console, echo, progress_console, show, show_json
from harness.cli.option_groups import PricingOptions, ReportOptions
from harness.cli.run_options import LimitOptions, PlanOptions, RunOptions
from harness.errors import HarnessError

if TYPE_CHECKING:
    from harness.cli.commands import PlannedRun
    from harness.compare.power.sample_size import TaskPower
    from harness.execute.local_executor import RunCounts
    from harness.plan.config import RunConfig
    from harness.store.results_store import Store


@command("Measure")
def plan(  # noqa: PLR0913 - one for each group of flags
    suite: SuiteName = None,
    *,
    options: RunOptions,
    limits: LimitOptions,
    prices: PricingOptions,
    planning: PlanOptions,
    form: TerminalOrJson = "terminal",
) -> None:
    """Show the trials of a run, and what they take.

    Also shows the smallest difference that they can detect. Trials whose model is on this machine have a forecast.
    """
    _plan(suite, options=options, limits=limits, prices=prices, planning=planning, form=form)


@command("Measure")
def run(  # noqa: PLR0913 - one for each group of flags
    suite: SuiteName = None,
    *,
    options: RunOptions,
    limits: LimitOptions,
    prices: PricingOptions,
    planning: PlanOptions,
    view: ReportOptions,
    form: TerminalOrJson = "terminal",
) -> None:
    """Run all trials without a stored result, then report.

    After an interruption the same command continues the run.
    """
    if planning.dry_run:
        _plan(suite, options=options, limits=limits, prices=prices, planning=planning, form=form)
    else:
        _run(suite, options=options, limits=limits, prices=prices, planning=planning, view=view, form=form)


def _plan(  # noqa: PLR0913 - one for each group of flags
    suite: str | None,
    *,
    options: RunOptions,
    limits: LimitOptions,
    prices: PricingOptions,
    planning: PlanOptions,
    form: TerminalOrJson,
) -> None:
    from harness.cli import commands
    from harness.cli.endpoint_runs import EndpointOptions, with_endpoints
    from harness.compare.cost.hourly_rate import hourly_rate
    from harness.forecast.endpoint_questions import forecast_questions
    from harness.measure.environment import current_environment
    from harness.render.plan import endpoint_costs, listing, plan_json
    from harness.render.plan.detectability import power

    config, economics = options.run_config(suite, limits), prices.economics()
    if options.release:
        raise HarnessError("--release saves what a run measured: give it to 'harness run'.")
    planned = commands.plan(config, progress_console(form), planning.forecasts())
    rate = hourly_rate(current_environment("plan"), economics)
    trials = with_endpoints(planned.pending, EndpointOptions.of(config, economics.prices), planned.store.root)
    questions = forecast_questions(trials, planned.plan.prepared)
    powers = () if planning.detect is None else _power(config, planning.detect, planned.store)
    if form == "json":
        show_json(plan_json.document(planned.plan, planned.pending, rate, questions, powers))
        return
    show(listing.planned_trials(planned.plan, planned.pending, rate))
    limit = next((trial.endpoints.max_usd for trial in trials if trial.endpoints), None)
    show(endpoint_costs.endpoint_lines(questions, limit))
    if planning.detect is not None:
        show(power(powers, planning.detect))


def _run(  # noqa: PLR0913 - one for each group of flags
    suite: str | None,
    *,
    options: RunOptions,
    limits: LimitOptions,
    prices: PricingOptions,
    planning: PlanOptions,
    view: ReportOptions,
    form: TerminalOrJson,
) -> None:
    from harness.cli import commands
    from harness.cli.endpoint_runs import EndpointOptions
    from harness.cli.stored_reports import show_report

    config, economics, screen = options.run_config(suite, limits), prices.economics(), progress_console(form)
    if planning.detect is not None:
        raise HarnessError("--detect plans and runs nothing: give it to 'harness plan'.")
    if options.release:
        _require_free_release(config, options.release)
    planned = commands.plan(config, screen, planning.forecasts())
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
        echo("\nStopped; finished trials are stored. The same command continues the run.", err=True)
        raise
    counted = {"run": asdict(counts)} if form == "json" else None
    show_report(planned.store, planned.plan.suite, form, console(), economics, view=view, heading=counted)
    if config.split:
        drift = f"harness drift {shlex.quote(config.suite)} --split {shlex.quote(config.split)}"
        echo(f"Results on new items are stored in {planned.store.root}. Next: {drift}", err=form == "json")
    _end(planned, counts, options.release)


def _end(planned: PlannedRun, counts: RunCounts, release: str | None) -> None:
    """Save a finished run as a baseline where that was asked for; end with 1 if trials failed."""
    from harness.cli.releases import keep
    from harness.store.trial_lookup import find_trials

    if counts.postponed:
        echo(f"{counts.postponed} trials were not reached: the same command runs them.", err=True)
    if release and (counts.failed or counts.postponed):
        echo(f"Not saved as {release}: not every trial finished. The same command runs the others.", err=True)
    if counts.failed:
        raise typer.Exit(1)
    if release and not counts.postponed:
        keep(planned.store, release, find_trials(planned.store, planned.plan.suite))


def _require_free_release(config: RunConfig, release: str) -> None:
    """Refuse before anything runs what could not be saved as a baseline afterwards."""
    from harness.store.baselines import new_baseline_folder

    if config.split:
        raise HarnessError("--release is of the test split: leave out --split.")
    new_baseline_folder(config.results, release)


def _power(config: RunConfig, difference: float, store: Store) -> tuple[TaskPower, ...]:
    """Compute how many items and seeds showing a difference needs."""
    from harness.compare.power.sample_size import plan_power

    if config.split:
        raise HarnessError("--detect is of the test split; 'harness drift' says what new items can show.")
    return plan_power(config, difference, store.load())
