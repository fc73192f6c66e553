"""Commands that help to choose; none runs a trial."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from harness.cli.common import (
    RequiredSuite,
    Results,
    TerminalJsonOrMarkdown,
    app,
    echo,
    open_store,
    repeatable,
    select,
    show,
)
from harness.cli.option_groups import PricingOptions, with_option_groups
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
        typer.Option("--objective", help="What decides among those not clearly worse than the best."),
    ] = "quality"
    max_gpu_gb: Annotated[float | None, _limit("--max-gpu-gb", "GIB", "Most memory on the GPU.")] = None
    max_memory_gb: Annotated[float | None, _limit("--max-memory-gb", "GIB", "Most memory of the host.")] = None
    max_latency_p95_ms: Annotated[
        float | None, _limit("--max-latency-p95-ms", "MS", "Longest that 95 % of the requests may take.")
    ] = None
    max_usd_month: Annotated[float | None, _limit("--max-usd-month", "USD", "Most that a month may cost.")] = None
    min_metric: Annotated[
        list[str] | None, repeatable("--min-metric", "TASK.METRIC=X", "Score that must be reached")
    ] = None
    max_retention_loss: Annotated[
        float | None, _limit("--max-retention-loss", "X", "Most that a score of 0 to 1 may lose on a probe.")
    ] = None
    labels: Annotated[int | None, _limit("--labels", "N", "So many training items can be labelled.")] = None
    no_training_data: Annotated[bool, typer.Option("--no-training-data", help="None can: the same as --labels 0.")] = (
        False
    )
    expertise: Annotated[
        Literal["none", "some", "ml"] | None, typer.Option("--expertise", help="Who is there to train models.")
    ] = None
    data_private: Annotated[
        bool, typer.Option("--data-private", help="What it learns from may not reach everybody who asks.")
    ] = False
    must_cite: Annotated[bool, typer.Option("--must-cite", help="Answers must name the passage they come from.")] = (
        False
    )
    permissions: Annotated[bool, typer.Option("--permissions", help="Users may read different documents.")] = False

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
            must_cite=self.must_cite,
            permissions=self.permissions,
            objective=self.objective,
        )


@app.command()
@with_option_groups
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
    """Say what to choose under your constraints, why, and how sure that is; no model is loaded."""
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


@app.command()
def fits(  # noqa: PLR0913 - one for each flag
    model: Annotated[
        str,
        typer.Argument(metavar="MODEL", help="A pinned model, folder, cached hub id, e.g. llama-3.1-8b, or its sizes."),
    ],
    *,
    strategy: Annotated[str, typer.Option("--strategy", metavar="TEXT", help="E.g. 'qlora(rank=16)'.")] = "lora",
    gpu: Annotated[str | None, typer.Option("--gpu", metavar="NAME", help="E.g. rtx4090 [default: list all].")] = None,
    tokens: Annotated[int, typer.Option("--tokens", metavar="N", min=1, help="Of one example.")] = 1024,
    batch: Annotated[int, typer.Option("--batch", metavar="N", min=1, help="Examples in one pass.")] = 1,
    labels: Annotated[
        int | None, typer.Option("--labels", metavar="N", min=1, help="Of an example's tokens, to be predicted.")
    ] = None,
) -> None:
    """Say whether a model and a strategy fit a GPU, by parts of memory."""
    from harness.data import cache
    from harness.forecast.fits import find_architecture, find_gpu, fitting_gpus, load_gpus, memory_need
    from harness.render.plan import fits_report

    gpus = load_gpus() if gpu is None else (find_gpu(gpu),)
    need = memory_need(find_architecture(model, cache.root()), strategy, tokens, batch, labels)
    show(fits_report.need(f"{model}, {strategy}, {batch} x {tokens:,} tokens", need))
    if gpu is not None:
        show(fits_report.headroom(need, gpus[0]))
    else:
        show(fits_report.fitting(need, fitting_gpus(need, gpus), len(gpus)))
