"""Commands that help to choose; none runs a trial."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal

import typer

from harness.cli.common import (
    Engineering,
    Hardware,
    Months,
    NoLabels,
    Prices,
    Results,
    UpdateEvery,
    Volume,
    app,
    many,
    pricing,
    select,
    show,
)
from harness.errors import HarnessError


def _limit(flag: str, metavar: str, text: str) -> Any:
    """Make an option for a limit of 0 or more."""
    return typer.Option(flag, metavar=metavar, min=0, help=text)


@app.command()
def decide(  # noqa: PLR0913 - one for each flag
    suite: Annotated[str, typer.Argument(metavar="SUITE", help="A suite's name, or the path of its folder.")],
    *,
    objective: Annotated[
        Literal["quality", "cost", "latency", "memory"],
        typer.Option("--objective", help="What decides among those not clearly worse than the best."),
    ] = "quality",
    max_gpu_gb: Annotated[float | None, _limit("--max-gpu-gb", "GIB", "Most memory on the GPU.")] = None,
    max_memory_gb: Annotated[float | None, _limit("--max-memory-gb", "GIB", "Most memory of the host.")] = None,
    max_latency_p95_ms: Annotated[
        float | None, _limit("--max-latency-p95-ms", "MS", "Longest that 95 % of the requests may take.")
    ] = None,
    max_usd_month: Annotated[float | None, _limit("--max-usd-month", "USD", "Most that a month may cost.")] = None,
    min_metric: Annotated[list[str] | None, many("--min-metric", "TASK.METRIC=X", "Score that must be reached")] = None,
    max_retention_loss: Annotated[
        float | None, _limit("--max-retention-loss", "X", "Most that a score of 0 to 1 may lose on a probe.")
    ] = None,
    labels: Annotated[int | None, _limit("--labels", "N", "So many training items can be labelled.")] = None,
    no_training_data: Annotated[
        bool, typer.Option("--no-training-data", help="None can: the same as --labels 0.")
    ] = False,
    expertise: Annotated[
        Literal["none", "some", "ml"] | None, typer.Option("--expertise", help="Who is there to train models.")
    ] = None,
    data_private: Annotated[
        bool, typer.Option("--data-private", help="What it learns from may not reach everybody who asks.")
    ] = False,
    must_cite: Annotated[
        bool, typer.Option("--must-cite", help="Answers must name the passage they come from.")
    ] = False,
    permissions: Annotated[bool, typer.Option("--permissions", help="Users may read different documents.")] = False,
    volume: Volume = None,
    months: Months = None,
    update_every: UpdateEvery = None,
    prices: Prices = None,
    hardware: Hardware = None,
    no_labels: NoLabels = False,
    engineering_hours: Engineering = 0,
    task: Annotated[list[str] | None, many("--task", "NAME", "Only this task")] = None,
    model: Annotated[list[str] | None, many("--model", "NAME", "Only this model")] = None,
    results: Results = None,
    form: Annotated[
        Literal["terminal", "json", "markdown"], typer.Option("--format", help="How it is written.")
    ] = "terminal",
) -> None:
    """Say what to choose under your constraints, why, and how sure that is; no model is loaded."""
    if no_training_data and labels:
        raise HarnessError(f"--no-training-data and --labels {labels} contradict each other: leave one out.")
    economics = pricing(
        volume=volume,
        months=months,
        update_every=update_every,
        prices=prices,
        hardware=hardware,
        no_labels=no_labels,
        engineering_hours=engineering_hours,
    )
    from harness.compare.decide.constraints import Constraints, parse_bar
    from harness.compare.decide.decision import decide as choose
    from harness.compare.trials.stored_trials import read
    from harness.render import decision_report as shown
    from harness.store.results_store import Store

    limits = Constraints(
        max_gpu_gb=max_gpu_gb,
        max_memory_gb=max_memory_gb,
        max_latency_p95_ms=max_latency_p95_ms,
        max_usd_month=max_usd_month,
        min_metrics=tuple(parse_bar(text) for text in min_metric or ()),
        max_retention_loss=max_retention_loss,
        labels=0 if no_training_data else labels,
        expertise=expertise,
        data_private=data_private,
        must_cite=must_cite,
        permissions=permissions,
        objective=objective,
    )
    store = Store(results or Path("results"))
    stored = select(store, suite)
    decision = choose(read(stored.trials), limits, economics, tasks=task or (), models=model or ())
    notes = (*decision.notes, *stored.notes, *store.problems)
    decision = decision.model_copy(update={"notes": notes})
    if form == "terminal":
        show(shown.as_terminal(decision))
    else:
        typer.echo((shown.as_json if form == "json" else shown.as_markdown)(decision), nl=False)


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
    from harness.forecast import fits as forecast
    from harness.render.plan import fits_report as shown

    table = forecast.gpus() if gpu is None else (forecast.gpu(gpu),)
    needed = forecast.need(forecast.architecture(model, cache.root()), strategy, tokens, batch, labels)
    show(shown.need(f"{model}, {strategy}, {batch} x {tokens:,} tokens", needed))
    if gpu is not None:
        show(shown.headroom(needed, table[0]))
    else:
        show(shown.fitting(needed, forecast.fitting(needed, table), len(table)))
