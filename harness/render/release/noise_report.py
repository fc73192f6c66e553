"""Noise of repeats for the terminal: standard deviation of each figure with nothing changed."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence

from rich.console import RenderableType
from rich.text import Text

from harness.compare.release.figures import FIGURES
from harness.compare.release.repeats import RepeatSummary
from harness.compare.release.resource_ratios import paired_ratio
from harness.compare.release.run_noise import PairedRuns, SystemNoise
from harness.render.release.gate_report import amount
from harness.render.text.escape import plain
from harness.render.text.priority_table import PriorityColumn, PriorityTable

_NO_BREAK = "\N{NO-BREAK SPACE}"


def report(summary: RepeatSummary) -> Iterator[RenderableType]:
    """Lay out a heading and a table of each system of the suite, and how many answers stayed the same."""
    ranks = {"figure": 0, "mean": 3, "sd": 2, "sd / mean": 0, "runs": 1}
    for noise in summary.noise.floors:
        if noise.suite == summary.suite:
            yield from _system(noise, ranks, list(_noise_rows(noise)))
    if summary.answers:
        yield Text(f"{summary.same_answers:,} of {summary.answers:,} answers of later runs are those of the first.")
    yield Text(
        "sd is the standard deviation of single runs of the same trial: what a gate takes for noise on this machine.",
        style="dim",
    )


def pair_report(pairs: Iterable[PairedRuns]) -> Iterator[RenderableType]:
    """Lay out each figure of a baseline and a candidate that ran in turn, with the ratio and its interval."""
    ranks = {"figure": 0, "baseline": 3, "candidate": 2, "change [95 %]": 0, "rounds": 1}
    for runs in pairs:
        yield from _system(runs, ranks, list(_pair_rows(runs)))
    yield Text(
        "Both ran in turn, so that an hour in which the machine is slow slows both. A gate reads them.", style="dim"
    )


def _system(
    system: SystemNoise | PairedRuns, ranks: Mapping[str, int], rows: Sequence[Sequence[str]]
) -> Iterator[RenderableType]:
    """Lay out a system's heading and table."""
    if not rows:
        return
    yield Text(plain(f"{system.task} · {system.strategy}"), style="bold")
    columns = zip(ranks.items(), zip(*rows, strict=True), strict=True)
    yield PriorityTable(
        [
            PriorityColumn(title.replace(" ", _NO_BREAK), list(map(plain, cells)), rank, right=title != "figure")
            for (title, rank), cells in columns
        ]
    )
    yield Text()


def _noise_rows(noise: SystemNoise) -> Iterator[tuple[str, ...]]:
    for name, floor in noise.figures.items():
        unit = FIGURES[name].unit if name in FIGURES else ""
        yield name, amount(unit, floor.mean), amount(unit, floor.sd), f"{floor.relative:.1%}", str(floor.n)


def _pair_rows(runs: PairedRuns) -> Iterator[tuple[str, ...]]:
    for ratio in filter(None, [paired_ratio(runs, figure) for figure in FIGURES.values()]):
        unit, ends = ratio.figure.unit, (ratio.low or 1, ratio.high or 1)
        change = f"{ratio.value - 1:+.1%} [{ends[0] - 1:+.1%}, {ends[1] - 1:+.1%}]"
        yield ratio.figure.name, amount(unit, ratio.baseline), amount(unit, ratio.candidate), change, str(ratio.n)
