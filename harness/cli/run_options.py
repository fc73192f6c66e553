"""Options of a run: limits, what is run and measured, and what a plan holds."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from harness.cli.common import Results, Strict, repeatable
from harness.errors import HarnessError

if TYPE_CHECKING:
    from harness.cli.commands import ForecastChoice
    from harness.plan.config import RunConfig


@dataclass(frozen=True)
class LimitOptions:
    """Limits of a trial and of the run."""

    max_trial_seconds: Annotated[
        float | None, typer.Option("--max-trial-seconds", metavar="S", help="Time limit of a trial in seconds.")
    ] = None
    max_trial_memory: Annotated[
        float | None, typer.Option("--max-trial-memory", metavar="GIB", help="Memory limit of a trial in GiB.")
    ] = None
    stall_minutes: Annotated[
        float | None,
        typer.Option(
            "--stall-minutes",
            metavar="N",
            help="Stop a trial after N minutes without progress [default: 30]; 0: never.",
        ),
    ] = None
    max_minutes: Annotated[
        float | None,
        typer.Option("--max-minutes", metavar="N", help="Time limit of the run; the same command continues it."),
    ] = None
    skip_interrupted: Annotated[
        bool, typer.Option("--skip-interrupted", help="Skip the trial during which the last run crashed.")
    ] = False

    max_usd: Annotated[
        str | None,
        typer.Option("--max-usd", metavar="X", help="Spending limit for APIs in USD [default: 1]; none: no limit."),
    ] = None
    fresh: Annotated[bool, typer.Option("--fresh", help="Ignore the cached API answers of unfinished trials.")] = False

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

    strategy: Annotated[list[str] | None, repeatable("--strategy", "TEXT", "Strategy, e.g. 'rag(k=1)+lora'")] = None
    model: Annotated[
        list[str] | None, repeatable("--model", "NAME", "Model: pinned name, folder, GGUF, hub id or PROVIDER:MODEL")
    ] = None
    base: Annotated[
        str | None, typer.Option("--base", metavar="NAME", help="Base of the adapters given by --model.")
    ] = None
    task: Annotated[list[str] | None, repeatable("--task", "NAME", "Only this task")] = None
    seeds: Annotated[int | None, typer.Option("--seeds", metavar="N", help="Number of seeds: 0 to N-1.")] = None
    seed: Annotated[list[int] | None, repeatable("--seed", "S", "Seed")] = None
    split: Annotated[
        str | None,
        typer.Option(
            "--split", metavar="[TASK.]fresh=FILE", help="Evaluate on a file of new items instead of the test split."
        ),
    ] = None
    limit: Annotated[
        list[str] | None, repeatable("--limit", "SPLIT=N", "Maximum number of items of a split, e.g. test=40")
    ] = None
    train_sizes: Annotated[
        str | None, typer.Option("--train-sizes", metavar="N,N,...", help="Training-set sizes of a learning curve.")
    ] = None
    budget: Annotated[
        str | None,
        typer.Option("--budget", metavar="N", help="Hyper-parameter search budget: N trials, tokens=N or seconds=N."),
    ] = None
    answers: Annotated[
        Literal["auto", "written"] | None,
        typer.Option("--answers", help="written: list the choices and generate one [default: auto]."),
    ] = None
    check_items: Annotated[
        int | None, typer.Option("--check-items", metavar="N", help="Items per self-test and ablation; 0: none.")
    ] = None
    requests: Annotated[
        int | None,
        typer.Option("--requests", metavar="N", help="Single requests that are timed [default: 20, in 8 s]; 0: none."),
    ] = None
    arrival_rate: Annotated[
        float | None, typer.Option("--arrival-rate", metavar="R", help="Poisson arrivals, requests per second.")
    ] = None
    latency_target: Annotated[
        float | None, typer.Option("--latency-target", metavar="SECONDS", help="Latency target in seconds.")
    ] = None
    results: Results = None
    threads: Annotated[int | None, typer.Option("--threads", metavar="N", help="Threads per operator.")] = None
    rows: Annotated[int | None, typer.Option("--rows", metavar="N", help="Prompts decoded together at most.")] = None
    row_tokens: Annotated[int | None, typer.Option("--row-tokens", metavar="N", help="Tokens per scoring pass.")] = None
    all_scores: Annotated[
        bool, typer.Option("--all-scores", help="Score every label, also where 30 or more make that slow.")
    ] = False
    energy: Annotated[bool, typer.Option("--energy", help="Measure energy (needs codecarbon).")] = False
    strict: Strict = False
    share_gpu: Annotated[bool, typer.Option("--share-gpu", help="Run even if other processes use the GPU.")] = False
    release: Annotated[
        str | None,
        typer.Option("--release", metavar="NAME", help="Save the results as this baseline when the run is complete."),
    ] = None
    config: Annotated[
        Path | None,
        typer.Option("--config", metavar="FILE", help="TOML file with the same settings; flags take precedence."),
    ] = None

    def run_config(self, suite: str | None, limits: LimitOptions) -> RunConfig:
        """Put the flags and the file together.

        Raises:
            HarnessError: a value is wrong, or no suite was named.
        """
        from harness.models.local_backend import with_base
        from harness.plan.config import choose_seeds, load_config, parse_limits, parse_sizes

        flags = {
            "suite": suite,
            "strategies": self.strategy,
            "models": with_base(self.model or (), self.base) if self.base else self.model,
            "tasks": self.task,
            "split": self.split,
            "seeds": choose_seeds(self.seeds, self.seed or ()),
            "limits": parse_limits(self.limit or ()),
            "train_sizes": parse_sizes(self.train_sizes),
            "budget": self.budget,
            "answers": self.answers,
            "share_gpu": self.share_gpu or None,
            "strict": self.strict or None,
            "results": self.results,
            "threads": self.threads,
            "rows": self.rows,
            "row_tokens": self.row_tokens,
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
            "all_scores": self.all_scores or None,
        }


@dataclass(frozen=True)
class PlanOptions:
    """Contents of a plan, and planning instead of running."""

    detect: Annotated[
        float | None, typer.Option("--detect", metavar="D", help="Sample size needed to detect this difference.")
    ] = None
    recalibrate: Annotated[
        bool, typer.Option("--recalibrate", help="Calibrate the forecasts on this machine again.")
    ] = False
    no_forecast: Annotated[bool, typer.Option("--no-forecast", help="Skip the forecasts of memory, time and cost.")] = (
        False
    )
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Show the plan only, as 'harness plan' does.")] = False

    def forecasts(self) -> ForecastChoice:
        """Say whether forecasts are made.

        Raises:
            HarnessError: two flags contradict each other.
        """
        if self.no_forecast and self.recalibrate:
            raise HarnessError("--no-forecast and --recalibrate contradict each other: leave one out.")
        return "off" if self.no_forecast else "recalibrated" if self.recalibrate else "on"
