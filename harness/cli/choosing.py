"""Commands that help to choose; none runs a trial."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from harness.cli.application import command
from harness.cli.common import (
    RequiredSuite,
    Results,
    TerminalJsonOrMarkdown,
    TerminalOrJson,
    echo,
    open_store,
    repeatable,
    select,
    show,
    show_json,
)
from harness.cli.option_groups import PricingOptions
from harness.errors import HarnessError
from harness.records.home_path import without_home

if TYPE_CHECKING:
    from harness.compare.decide.constraints import Constraints


def _limit(flag: str, metavar: str, text: str) -> Any:
    """Make an option for a limit of 0 or more."""
    return typer.Option(flag, metavar=metavar, min=0, help=text)


@dataclass(frozen=True)
class ConstraintOptions:
    """Constraints on a strategy, and the objective among those that meet them."""

    objective: Annotated[
        Literal["quality", "cost", "latency", "memory"],
        typer.Option("--objective", help="Objective among the options that tie for the best score."),
    ] = "quality"
    max_gpu_gb: Annotated[float | None, _limit("--max-gpu-gb", "GIB", "GPU memory limit (GiB).")] = None
    max_memory_gb: Annotated[float | None, _limit("--max-memory-gb", "GIB", "Host memory limit (GiB).")] = None
    max_latency_p95_ms: Annotated[
        float | None, _limit("--max-latency-p95-ms", "MS", "Limit of the 95th-percentile latency (ms).")
    ] = None
    max_usd_month: Annotated[float | None, _limit("--max-usd-month", "USD", "Cost limit per month (USD).")] = None
    min_metric: Annotated[list[str] | None, repeatable("--min-metric", "TASK.METRIC=X", "Minimum score")] = None
    max_retention_loss: Annotated[
        float | None, _limit("--max-retention-loss", "X", "Maximum loss of score on a probe (0 to 1).")
    ] = None
    labels: Annotated[int | None, _limit("--labels", "N", "Number of training labels available.")] = None
    no_training_data: Annotated[
        bool, typer.Option("--no-training-data", help="No training labels: the same as --labels 0.")
    ] = False
    expertise: Annotated[
        Literal["none", "some", "ml"] | None,
        typer.Option("--expertise", help="Machine-learning expertise of the team."),
    ] = None
    data_private: Annotated[bool, typer.Option("--data-private", help="Training data must not reach every user.")] = (
        False
    )
    data_stays: Annotated[
        bool, typer.Option("--data-stays", help="What is asked or learned from must not leave the house.")
    ] = False
    must_cite: Annotated[bool, typer.Option("--must-cite", help="Answers must cite their source passage.")] = False
    permissions: Annotated[
        bool, typer.Option("--permissions", help="Users have different access rights to documents.")
    ] = False

    def constraints(self) -> Constraints:
        """Check the options against each other, and read the scores that must be reached.

        Raises:
            HarnessError: two options contradict each other, or a score is not written as ``TASK.METRIC=X``.
        """
        from harness.compare.decide.constraints import Constraints, parse_bar

        if self.no_training_data and self.labels:
            raise HarnessError(f"--no-training-data and --labels {self.labels} contradict each other: leave one out.")
        return Constraints(
            max_gpu_gb=self.max_gpu_gb,
            max_memory_gb=self.max_memory_gb,
            max_latency_p95_ms=self.max_latency_p95_ms,
            max_usd_month=self.max_usd_month,
            min_metrics=tuple(parse_bar(text) for text in self.min_metric or ()),
            max_retention_loss=self.max_retention_loss,
            labels=0 if self.no_training_data else self.labels,
            expertise=self.expertise,
            data_private=self.data_private,
            data_stays=self.data_stays,
            must_cite=self.must_cite,
            permissions=self.permissions,
            objective=self.objective,
        )


@command("Read results")
def decide(  # noqa: PLR0913 - one for each flag
    suite: RequiredSuite,
    *,
    limits: ConstraintOptions,
    prices: PricingOptions,
    task: Annotated[list[str] | None, repeatable("--task", "NAME", "Only this task")] = None,
    model: Annotated[list[str] | None, repeatable("--model", "NAME", "Only this model")] = None,
    results: Results = None,
    form: TerminalJsonOrMarkdown = "terminal",
) -> None:
    """Recommend a strategy under your constraints.

    Says why, and how certain that is. Reads stored results only; no model is loaded.
    """
    from harness.compare.decide.decision import decide as decide_trials
    from harness.compare.trials.stored_trials import read_trials
    from harness.render import decision_report

    constraints, economics = limits.constraints(), prices.economics()
    store = open_store(results)
    selection = select(store, suite)
    trials = read_trials(selection.trials)
    decision = decide_trials(trials, constraints, economics, tasks=task or (), models=without_home(model or ()))
    notes = (*decision.notes, *selection.notes, *store.problems)
    decision = decision.model_copy(update={"notes": notes})
    if form == "terminal":
        show(decision_report.as_terminal(decision))
    else:
        echo((decision_report.as_json if form == "json" else decision_report.as_markdown)(decision), nl=False)


@command("Look up")
def fits(  # noqa: PLR0913 - one for each flag
    model: Annotated[
        str,
        typer.Argument(
            metavar="MODEL", help="Model: pinned name, folder, cached hub id, known name (llama-3.1-8b) or sizes."
        ),
    ],
    *,
    strategy: Annotated[
        str, typer.Option("--strategy", metavar="TEXT", help="Strategy, e.g. 'qlora(rank=16)'.")
    ] = "lora",
    gpu: Annotated[
        str | None, typer.Option("--gpu", metavar="NAME", help="GPU, e.g. rtx4090 [default: all that fit].")
    ] = None,
    tokens: Annotated[int, typer.Option("--tokens", metavar="N", min=1, help="Tokens per example.")] = 1024,
    batch: Annotated[int, typer.Option("--batch", metavar="N", min=1, help="Examples per forward pass.")] = 1,
    labels: Annotated[
        int | None,
        typer.Option("--labels", metavar="N", min=1, help="Label tokens per example [default: half of them]."),
    ] = None,
    form: TerminalOrJson = "terminal",
) -> None:
    """Show whether a model and a strategy fit a GPU.

    Lists the memory by part: weights, gradients, optimizer, activations.
    """
    from harness.data import cache
    from harness.forecast.fits import find_architecture, find_gpu, fitting_gpus, load_gpus, memory_need
    from harness.render.plan import fits_report, listing_json

    gpus = load_gpus() if gpu is None else (find_gpu(gpu),)
    need = memory_need(find_architecture(model, cache.root()), strategy, tokens, batch, labels)
    if form == "json":
        show_json(listing_json.fits(model, strategy, (tokens, batch), need, gpus))
        return
    show(fits_report.need(f"{model}, {strategy}, {batch} x {tokens:,} tokens", need))
    if gpu is not None:
        show(fits_report.headroom(need, gpus[0]))
    else:
        show(fits_report.fitting(need, fitting_gpus(need, gpus), len(gpus)))
