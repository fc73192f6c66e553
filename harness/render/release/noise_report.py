"""Noise of repeats for the terminal: standard deviation of each figure with nothing changed."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from rich.console import RenderableType
from rich.table import Table
from rich.text import Text

from harness.compare.release.figures import FIGURES
from harness.compare.release.repeats import RepeatSummary
from harness.compare.release.resource_ratios import paired_ratio
from harness.compare.release.run_noise import PairedRuns, SystemNoise
from harness.render.release.gate_report import amount
from harness.render.text.escape import plain
from harness.render.text.tables import WIDE, TableColumn, new_table


def report(summary: RepeatSummary) -> Iterator[RenderableType]:
    """Lay out a table of each system of the suite, and how many answers stayed the same."""
    names, figures = ("task", "strategy", "figure"), ("mean", "sd", "of the mean", "runs")
    columns = [TableColumn(title, right=title in figures, overflow="ellipsis") for title in (*names, *figures)]
    table = new_table(columns, padding=WIDE, edge=True)
    for noise in summary.noise.floors:
        if noise.suite == summary.suite:
            _add(table, noise)
    yield table
    if summary.answers:
        yield Text(f"{summary.same_answers:,} of {summary.answers:,} answers of later runs are those of the first.")
    yield Text(
        "sd is the standard deviation of single runs of the same trial: what a gate takes for noise on this machine.",
        style="dim",
    )


def pair_report(pairs: Iterable[PairedRuns]) -> Iterator[RenderableType]:
    """Lay out each figure of a baseline and a candidate that ran in turn, with the ratio and its interval."""
    titles = ("task", "strategy", "figure", "baseline", "candidate", "change [95 %]", "rounds")
    table = new_table([TableColumn(title, right=i > 2) for i, title in enumerate(titles)], padding=WIDE, edge=True)
    for runs in pairs:
        for ratio in filter(None, [paired_ratio(runs, figure) for figure in FIGURES.values()]):
            unit, ends = ratio.figure.unit, (ratio.low or 1, ratio.high or 1)
            change = f"{ratio.value - 1:+.1%} [{ends[0] - 1:+.1%}, {ends[1] - 1:+.1%}]"
            cells = (runs.task, runs.strategy, ratio.figure.name, amount(unit, ratio.baseline))
            table.add_row(*[Text(plain(t)) for t in (*cells, amount(unit, ratio.candidate), change, str(ratio.n))])
    yield table
    yield Text(
        "Both ran in turn, so that an hour in which the machine is slow slows both. A gate reads them.", style="dim"
    )


def _add(table: Table, noise: SystemNoise) -> None:
    for name, floor in noise.figures.items():
        unit = FIGURES[name].unit if name in FIGURES else ""
        cells = (amount(unit, floor.mean), amount(unit, floor.sd), f"{floor.relative:.1%}", str(floor.n))
        table.add_row(*[Text(plain(text)) for text in (noise.task, noise.strategy, name, *cells)])
